//! A verdict in, the JSON of `GET /verdicts` and of `--log json` out.

use jiff::Timestamp;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;

use crate::model::judgement::SensorReason;
use crate::scoring::verdict::Verdict;

/// A verdict as JSON, sensors by name.
#[derive(Serialize)]
pub struct VerdictJson<'a> {
    alarm: u8,
    anomaly: u8,
    contributions: ByName<'a, f64>,
    model: &'a str,
    reasons: ByName<'a, SensorReason>,
    score: f64,
    severity: f64,
    time: Timestamp,
    values: ByName<'a, Option<f64>>,
}

impl<'a> VerdictJson<'a> {
    /// A verdict on these sensors.
    pub fn new(sensors: &'a [&'a str], verdict: &'a Verdict) -> Self {
        let judgement = &verdict.judgement;
        Self {
            alarm: u8::from(verdict.alarm()),
            anomaly: u8::from(judgement.anomalous),
            contributions: ByName { sensors, each: &judgement.contributions },
            model: &judgement.model,
            reasons: ByName { sensors, each: &judgement.reasons },
            score: judgement.score,
            severity: judgement.severity,
            time: verdict.time,
            values: ByName { sensors, each: &verdict.values },
        }
    }
}

/// A JSON object with one entry per sensor.
struct ByName<'a, T> {
    sensors: &'a [&'a str],
    each: &'a [T],
}

impl<T: Serialize> Serialize for ByName<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.each.len()))?;
        for (sensor, each) in self.sensors.iter().zip(self.each) {
            map.serialize_entry(sensor, each)?;
        }
        map.end()
    }
}

/// A verdict as a JSON value that can become a part of another one.
pub fn verdict_json(sensors: &[&str], verdict: &Verdict) -> Value {
    serde_json::to_value(VerdictJson::new(sensors, verdict)).unwrap_or_default()
}
