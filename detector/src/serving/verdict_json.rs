//! A verdict in, the JSON of `GET /verdicts` and of `--log json` out.

use serde_json::{Map, Value, json};

use crate::scoring::verdict::Verdict;

/// A verdict as JSON, sensors by name.
pub fn verdict_json(sensors: &[&str], verdict: &Verdict) -> Value {
    let by_name = |each: Vec<Value>| -> Map<String, Value> {
        sensors.iter().map(|name| (*name).to_owned()).zip(each).collect()
    };
    let judgement = &verdict.judgement;
    json!({
        "time": verdict.time,
        "values": by_name(verdict.values.iter().map(|value| json!(value)).collect()),
        "anomaly": u8::from(judgement.anomalous),
        "alarm": u8::from(verdict.alarm()),
        "score": judgement.score,
        "severity": judgement.severity,
        "contributions": by_name(judgement.contributions.iter().map(|share| json!(share)).collect()),
        "reasons": by_name(judgement.reasons.iter().map(|reason| json!(reason)).collect()),
        "model": &*judgement.model,
    })
}
