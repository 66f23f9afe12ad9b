//! The JSON of Prometheus' HTTP API in; a value, or a series of them, out.
//!
//! Format: https://prometheus.io/docs/prometheus/latest/querying/api/.

use jiff::Timestamp;

use crate::excerpt::{MAX_EXCERPT, excerpt};
use crate::ingest::sources::raw_json::{Raw, elements, fields, named, shown, text, whole};

/// The most points of a series that a server gives at once.
pub(super) const MAX_POINTS: usize = 11_000;
/// How many series, and labels of each, an error names.
const MAX_NAMED: usize = 3;
const MAX_LABELS: usize = 20;
/// The most characters that are repeated of the server's own words.
const MAX_WORDS: usize = 500;

/// An answer. A query that gives a thousand series is refused by their number, without reading them.
pub(super) struct Answer<'a> {
    data: Option<Raw<'a>>,
    /// The server's own words.
    pub(super) error: Option<String>,
}

impl<'a> Answer<'a> {
    /// The answer in a body; none where it is something else.
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        let [data, error] = named(whole(body).ok()?, ["data", "error"]).ok()?;
        let error = error.map(text).transpose().ok()?;
        Some(Self { data, error: error.map(|error| excerpt(&error, MAX_WORDS)) })
    }

    fn result(&self) -> Result<(String, Raw<'a>), String> {
        let data = self.data.ok_or("expected data, got none")?;
        let [kind, result] = named(data, ["resultType", "result"])?;
        let kind = text(kind.ok_or("expected data with a resultType")?)?;
        Ok((kind, result.ok_or("expected data with a result")?))
    }
}

/// The value of the only series, or of a scalar; none where there is no series.
///
/// # Errors
/// One sentence.
pub(super) fn value(answer: &Answer) -> Result<Option<f64>, String> {
    let (kind, result) = answer.result()?;
    match kind.as_str() {
        "scalar" => point(result).map(|(_, value)| value),
        "vector" => {
            let Some(series) = only(result)? else { return Ok(None) };
            let [value] = named(series, ["value"])?;
            value.map_or(Ok(None), |value| point(value).map(|(_, value)| value))
        }
        "matrix" => Err("expected one number, got a range vector: leave out [...]".to_owned()),
        "string" => Err(format!("expected one number, got the string {}", shown(result))),
        other => Err(format!("expected one number, got a {}", excerpt(other, MAX_EXCERPT))),
    }
}

/// The points of the only series, oldest first.
///
/// # Errors
/// One sentence.
pub(super) fn points(answer: &Answer) -> Result<Vec<(Timestamp, Option<f64>)>, String> {
    let (kind, result) = answer.result()?;
    if kind != "matrix" {
        return Err(format!("expected a matrix, got a {}", excerpt(&kind, MAX_EXCERPT)));
    }
    let mut points = Vec::new();
    let Some(series) = only(result)? else { return Ok(points) };
    let [values] = named(series, ["values"])?;
    values.map_or(Ok(()), |values| {
        elements(values, |each| {
            if points.len() == MAX_POINTS {
                return Err(format!("expected at most {MAX_POINTS} points, got more"));
            }
            points.push(point(each)?);
            Ok(())
        })
    })?;
    Ok(points)
}

/// Parse a point: seconds since the Unix epoch, and a number in quotes; none for NaN, which is missing.
fn point(point: Raw) -> Result<(Timestamp, Option<f64>), String> {
    let expected = |_| format!("expected a time and a number, got {}", shown(point));
    let (seconds, number): (f64, String) = serde_json::from_str(point.get()).map_err(expected)?;
    // Prometheus counts in milliseconds.
    let time = Timestamp::from_millisecond((seconds * 1e3).round() as i64).unwrap_or_default();
    let value: f64 =
        number.parse().map_err(|_| format!("expected a number, got {:?}", excerpt(&number, MAX_EXCERPT)))?;
    Ok((time, Some(value).filter(|value| !value.is_nan())))
}

/// The only series of an answer, if it has any.
fn only(result: Raw) -> Result<Option<Raw>, String> {
    let (mut count, mut first) = (0, Vec::new());
    elements(result, |series| {
        count += 1;
        if first.len() < MAX_NAMED {
            first.push(series);
        }
        Ok(())
    })?;
    if count < 2 {
        return Ok(first.pop());
    }
    let mut shown = first.into_iter().map(labels).collect::<Result<Vec<_>, _>>()?;
    shown.extend((count > MAX_NAMED).then(|| "...".to_owned()));
    Err(format!(
        "expected one series, got {count}: {}; narrow the selector or aggregate, as sum(...) does",
        shown.join(", ")
    ))
}

/// The labels of a series, as PromQL writes them.
fn labels(series: Raw) -> Result<String, String> {
    let [metric] = named(series, ["metric"])?;
    let mut labels = Vec::new();
    metric.map_or(Ok(()), |metric| {
        fields(metric, |name, value| {
            if labels.len() < MAX_LABELS {
                let (name, value) = (excerpt(name, MAX_EXCERPT), excerpt(&text(value)?, MAX_EXCERPT));
                labels.push(format!("{name}={value:?}"));
            }
            Ok(())
        })
    })?;
    Ok(format!("{{{}}}", labels.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(data: &str) -> Result<Option<f64>, String> {
        let answer = format!(r#"{{"status":"success","data":{data}}}"#);
        super::value(&Answer::read(answer.as_bytes()).unwrap())
    }

    #[test]
    fn one_series_or_a_scalar_is_a_value_and_no_series_or_nan_is_missing() {
        let vector = |series: &str| value(&format!(r#"{{"resultType":"vector","result":[{series}]}}"#));
        assert_eq!(vector(r#"{"metric":{"a":"b"},"value":[1.5,"0.25"]}"#), Ok(Some(0.25)));
        assert_eq!(vector(r#"{"metric":{},"value":[1.5,"NaN"]}"#), Ok(None));
        assert_eq!(vector(r#"{"metric":{},"value":[1.5,"+Inf"]}"#), Ok(Some(f64::INFINITY)));
        assert_eq!(vector(""), Ok(None));
        assert_eq!(value(r#"{"resultType":"scalar","result":[1,"7"]}"#), Ok(Some(7.0)));
    }

    #[test]
    fn everything_else_is_refused_with_what_was_given() {
        let series = |i: u32| format!(r#"{{"metric":{{"pod":"p{i}"}},"value":[1,"1"]}}"#);
        let several = (0..5).map(series).collect::<Vec<_>>().join(",");
        assert_eq!(
            value(&format!(r#"{{"resultType":"vector","result":[{several}]}}"#)).unwrap_err(),
            "expected one series, got 5: {pod=\"p0\"}, {pod=\"p1\"}, {pod=\"p2\"}, ...; narrow the selector or aggregate, as sum(...) does"
        );
        assert_eq!(
            value(r#"{"resultType":"matrix","result":[]}"#).unwrap_err(),
            "expected one number, got a range vector: leave out [...]"
        );
        assert_eq!(
            value(r#"{"resultType":"string","result":[1,"x"]}"#).unwrap_err(),
            "expected one number, got the string [1,\"x\"]"
        );
    }

    #[test]
    fn a_matrix_of_one_series_is_its_points() {
        let text = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"2"],[1.5,"NaN"]]}]}}"#;
        let points = points(&Answer::read(text.as_bytes()).unwrap()).unwrap();
        let at = |millisecond| Timestamp::from_millisecond(millisecond).unwrap();
        assert_eq!(points, [(at(1000), Some(2.0)), (at(1500), None)]);
    }
}
