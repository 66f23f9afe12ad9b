//! The JSON of Prometheus' HTTP API in; a value, or a series of them, out.
//!
//! Format: https://prometheus.io/docs/prometheus/latest/querying/api/.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// How many series an error names.
const MAX_NAMED: usize = 3;

/// An answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    data: Option<Data>,
    /// The server's own words.
    pub(super) error: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Vector(Vec<Series<Point>>),
    Matrix(Vec<Series<Vec<Point>>>),
    Scalar(Point),
    String(Value),
}

#[derive(Deserialize)]
struct Series<T> {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    /// Of a vector.
    #[serde(alias = "values")]
    value: Option<T>,
}

/// Seconds since the Unix epoch, and a number in quotes.
#[derive(Clone, Deserialize)]
struct Point(f64, String);

impl Point {
    fn time(&self) -> Timestamp {
        // Prometheus counts in milliseconds.
        Timestamp::from_millisecond((self.0 * 1e3).round() as i64).unwrap_or_default()
    }

    /// None for NaN: nothing is there to judge.
    fn value(&self) -> Result<Option<f64>, String> {
        let number: f64 = self.1.parse().map_err(|_| format!("expected a number, got {:?}", self.1))?;
        Ok(Some(number).filter(|number| !number.is_nan()))
    }
}

impl Answer {
    /// The value of the only series, or of a scalar; none where there is no series.
    ///
    /// # Errors
    /// One sentence.
    pub(super) fn value(self) -> Result<Option<f64>, String> {
        match self.data {
            Some(Data::Scalar(point)) => point.value(),
            Some(Data::Vector(series)) => match only(series)? {
                Some(series) => series.value.map_or(Ok(None), |point| point.value()),
                None => Ok(None),
            },
            Some(Data::Matrix(_)) => {
                Err("expected one number, got a range vector: leave out [...]".to_owned())
            }
            Some(Data::String(text)) => Err(format!("expected one number, got the string {text}")),
            None => Err("expected data, got none".to_owned()),
        }
    }

    /// The points of the only series, oldest first.
    ///
    /// # Errors
    /// One sentence.
    pub(super) fn points(self) -> Result<Vec<(Timestamp, Option<f64>)>, String> {
        let Some(Data::Matrix(series)) = self.data else { return Err("expected a matrix".to_owned()) };
        let points = only(series)?.and_then(|series| series.value).unwrap_or_default();
        points.iter().map(|point| Ok((point.time(), point.value()?))).collect()
    }
}

fn only<T>(mut series: Vec<Series<T>>) -> Result<Option<Series<T>>, String> {
    if series.len() < 2 {
        return Ok(series.pop());
    }
    let label = |(name, value): (&String, &String)| format!("{name}={value:?}");
    let labels = |series: &Series<T>| {
        format!("{{{}}}", series.metric.iter().map(label).collect::<Vec<_>>().join(", "))
    };
    let mut named: Vec<String> = series.iter().take(MAX_NAMED).map(labels).collect();
    named.extend((series.len() > MAX_NAMED).then(|| "...".to_owned()));
    Err(format!(
        "expected one series, got {}: {}; narrow the selector or aggregate, as sum(...) does",
        series.len(),
        named.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(data: &str) -> Result<Option<f64>, String> {
        let answer: Answer =
            serde_json::from_str(&format!(r#"{{"status":"success","data":{data}}}"#)).unwrap();
        answer.value()
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
        let points = serde_json::from_str::<Answer>(text).unwrap().points().unwrap();
        let at = |millisecond| Timestamp::from_millisecond(millisecond).unwrap();
        assert_eq!(points, [(at(1000), Some(2.0)), (at(1500), None)]);
    }
}
