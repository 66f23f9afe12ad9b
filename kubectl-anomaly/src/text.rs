//! Answers of detectors in, columns and sentences for people out.

use serde_json::Value;

/// Format rows of cells, of which the first has the titles, in columns that are three spaces apart, as
/// kubectl prints them.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Convert texts to the cells of a row.
pub fn cells<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(ToOwned::to_owned).to_vec()
}

/// Format a number with four significant digits, but with all digits before the point. `-` where the value is
/// not a number.
pub fn number(value: &Value) -> String {
    let Some(value) = value.as_f64() else { return "-".to_owned() };
    if value == 0.0 || (1e-3..1e6).contains(&value.abs()) {
        let digits = 3 - value.abs().max(1e-3).log10().floor().clamp(-3.0, 3.0) as i32;
        let text = format!("{value:.*}", digits.max(0) as usize);
        return if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        };
    }
    format!("{value:.3e}")
}

/// The titles of [`verdict`].
pub fn verdict_titles() -> Vec<String> {
    cells(["TIME", "VERDICT", "SEVERITY", "SENSOR", "SHARE", "READING"])
}

/// A verdict as a row, with the sensor that contributed most.
pub fn verdict(verdict: &Value) -> Vec<String> {
    let (sensor, share) = first(&verdict["contributions"]);
    let outcome = match (verdict["alarm"].as_u64(), verdict["anomaly"].as_u64()) {
        (Some(1), _) => "alarm",
        (_, Some(1)) => "anomalous",
        _ => "normal",
    };
    let share = share.map(|share| format!("{:.0} %", share * 100.0)).unwrap_or_default();
    let reading = sensor.map(|sensor| number(&verdict["values"][sensor])).unwrap_or_default();
    let time = verdict["time"].as_str().unwrap_or("-");
    let severity = verdict["severity"].as_f64().map_or("-".to_owned(), |severity| format!("{severity:.2}"));
    vec![time.to_owned(), outcome.to_owned(), severity, sensor.unwrap_or_default().to_owned(), share, reading]
}

/// The sensor with the greatest share, and its share.
fn first(contributions: &Value) -> (Option<&str>, Option<f64>) {
    let shares = contributions.as_object().into_iter().flatten();
    let shares = shares.filter_map(|(sensor, share)| Some((sensor.as_str(), share.as_f64()?)));
    shares
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map_or((None, None), |(sensor, share)| (Some(sensor), Some(share)))
}

/// The titles of [`event`].
pub fn event_titles() -> Vec<String> {
    cells(["START", "DURATION", "SEVERITY", "SENSOR", "OUTCOME"])
}

/// An event as a row: anomalous verdicts, or the fault of a sensor.
pub fn event(event: &Value) -> Vec<String> {
    let start = event["start"].as_str().unwrap_or("-").to_owned();
    if event["kind"] == "sensor" {
        let duration = if event["end"].is_null() { "ongoing" } else { "ended" };
        let (sensor, fault) =
            (event["sensor"].as_str().unwrap_or("-"), event["fault"].as_str().unwrap_or("-"));
        return vec![start, duration.to_owned(), "-".to_owned(), sensor.to_owned(), fault.to_owned()];
    }
    let seconds = event["durationSeconds"].as_f64().unwrap_or_default();
    let duration =
        if event["end"].is_null() { "ongoing".to_owned() } else { format!("{}s", number(&seconds.into())) };
    let severity = event["peak"]["severity"].as_f64().map_or("-".to_owned(), |each| format!("{each:.2}"));
    let sensor = event["sensors"][0]["name"].as_str().unwrap_or("-");
    let outcome = event["outcome"].as_str().unwrap_or("-");
    vec![start, duration, severity, sensor.to_owned(), outcome.to_owned()]
}

/// The explanation of a judgement: of a verdict, or of a prediction with detail.
pub fn explanation(judgement: &Value) -> String {
    let outcome = if judgement["anomaly"] == 1 { "anomalous" } else { "normal" };
    let severity = judgement["severity"].as_f64().unwrap_or_default();
    let when = judgement["time"].as_str().map(|time| format!("{time}: ")).unwrap_or_default();
    let head = format!("{when}{outcome}, severity {severity:.2} (score {})", number(&judgement["score"]));
    let shares = judgement["contributions"].as_object().into_iter().flatten();
    let mut shares: Vec<(&String, f64)> =
        shares.filter_map(|(sensor, share)| Some((sensor, share.as_f64()?))).collect();
    if shares.is_empty() {
        return format!("{head}\nIt is not explained: `spec.explain` says which verdicts are.");
    }
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    let row = |(sensor, share): (&String, f64)| {
        let reason = &judgement["reasons"][sensor];
        let feature = reason["feature"].as_str().unwrap_or("-").to_owned();
        let lag = reason["lag"].as_u64().filter(|lag| *lag > 0);
        let feature = lag.map_or(feature.clone(), |lag| format!("{feature}, {lag} back"));
        let direction = reason["direction"].as_str().unwrap_or("-").to_lowercase();
        let expected = match &reason["expected"] {
            Value::Array(ends) if ends.len() == 2 => format!("{} to {}", number(&ends[0]), number(&ends[1])),
            _ => "-".to_owned(),
        };
        vec![
            sensor.clone(),
            format!("{:.0} %", share * 100.0),
            feature,
            direction,
            number(&reason["value"]),
            expected,
        ]
    };
    let mut rows = vec![cells(["SENSOR", "SHARE", "FEATURE", "DIRECTION", "VALUE", "EXPECTED"])];
    rows.extend(shares.into_iter().map(row));
    format!("{head}\n{}", table(&rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_have_four_digits() {
        for (value, text) in [
            (json!(0.0), "0"),
            (json!(61.0), "61"),
            (json!(2.15), "2.15"),
            (json!(0.012_345), "0.01235"),
            (json!(-1234.56), "-1235"),
            (json!(1.5e9), "1.500e9"),
            (json!(null), "-"),
        ] {
            assert_eq!(number(&value), text);
        }
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [cells(["A", "LONGER"]), cells(["wide one", "b"])];
        assert_eq!(table(&rows), "A          LONGER\nwide one   b");
    }
}
