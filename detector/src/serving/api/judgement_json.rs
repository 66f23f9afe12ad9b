//! A judgement in, the JSON of a prediction out.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::model::judgement::{Judgement, SensorReason};

/// The JSON of a prediction without details.
pub(super) fn bare(anomalous: bool) -> &'static str {
    if anomalous { "{\"anomaly\":1}" } else { "{\"anomaly\":0}" }
}

/// The JSON of a prediction with `?detail=true`.
#[derive(Serialize)]
pub(super) struct Detailed<'a> {
    anomaly: u8,
    score: f64,
    severity: f64,
    threshold: f64,
    contributions: BySensor<'a, f64>,
    reasons: BySensor<'a, SensorReason>,
    model: &'a str,
}

impl<'a> Detailed<'a> {
    /// A judgement by this threshold.
    pub(super) fn new(sensors: &'a [String], threshold: f64, judgement: &'a Judgement) -> Self {
        Self {
            anomaly: u8::from(judgement.anomalous),
            score: judgement.score,
            severity: judgement.severity,
            threshold,
            contributions: BySensor { sensors, values: &judgement.contributions },
            reasons: BySensor { sensors, values: &judgement.reasons },
            model: &judgement.model,
        }
    }
}

/// A JSON object with one value per sensor.
struct BySensor<'a, T> {
    sensors: &'a [String],
    values: &'a [T],
}

impl<T: Serialize> Serialize for BySensor<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.values.len()))?;
        for (sensor, value) in self.sensors.iter().zip(self.values) {
            map.serialize_entry(sensor, value)?;
        }
        map.end()
    }
}
