//! A model's judgement of one vector: its score, and the sensors that contributed to it.

use std::sync::Arc;

use crd::model::Feature;
use serde::Serialize;

/// How anomalous a vector is, which model says so, and which sensors contributed.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The paper's s(x), in (0, 1], higher is more anomalous. 1 for a missing reading that counts as an anomaly.
    pub score: f64,
    /// The score, mapped so that the threshold is 1: over 1 is anomalous. 0 to 2.
    pub severity: f64,
    /// Whether the score is over the threshold.
    pub anomalous: bool,
    /// One share per sensor, in the model's order; they add up to 1. Empty if none were requested.
    pub contributions: Vec<f64>,
    /// One reason per sensor, in the model's order; empty if there are no contributions or no known reasons.
    pub reasons: Vec<SensorReason>,
    /// The digest of the model that judged.
    pub model: Arc<str>,
}

impl Judgement {
    /// Convert the reasons to the sensors' own scale. `levels` has, for each sensor, the level that the
    /// vector was measured against, and the reading.
    pub fn as_read(&mut self, levels: impl Iterator<Item = (f64, f64)>) {
        for (reason, (level, reading)) in self.reasons.iter_mut().zip(levels) {
            if !matches!(reason.feature, Feature::Value | Feature::RollingMean) {
                continue;
            }
            let is_reading = reason.feature == Feature::Value && reason.lag == 0;
            reason.value = if is_reading { reading } else { reason.value + level };
            reason.expected = reason.expected.map(|range| range.map(|end| end + level));
        }
    }
}

/// Why a sensor is anomalous: its feature that contributed most.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SensorReason {
    /// The feature that contributed most.
    pub feature: Feature,
    /// The number of readings back, 0 for the newest.
    pub lag: usize,
    /// Whether its value was high or low.
    pub direction: Direction,
    /// Its value in the sensor's unit; for `LogStdDev`, the standard deviation.
    pub value: f64,
    /// The range that 98 in 100 of its values in training had, in the sensor's unit, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<[f64; 2]>,
}

/// The side of the expected range that a value is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Direction {
    /// Over it.
    High,
    /// Below it.
    Low,
}

impl SensorReason {
    /// `81.2 celsius, high: expected 58.1 to 64.9 celsius`: the value and the central 98 % of the training readings, in
    /// the sensor's unit.
    pub fn sentence(&self, unit: &str) -> String {
        let quantity = |number: f64| format!("{number:.4} {unit}").trim_end().to_owned();
        let side = match self.direction {
            Direction::High => "high",
            Direction::Low => "low",
        };
        let back = match self.lag {
            0 => String::new(),
            lag => format!(", {lag} back"),
        };
        let of = self.measure();
        let expected = self.expected.map_or(String::new(), |[low, high]| {
            format!(": expected {} to {}", quantity(low).trim_end_matches(unit).trim_end(), quantity(high))
        });
        format!("{of}{}{back}, {side}{expected}", quantity(self.value))
    }

    fn measure(&self) -> &'static str {
        match self.feature {
            Feature::Value => "",
            Feature::Difference => "change ",
            Feature::RollingMean => "rolling mean ",
            Feature::LogStdDev => "standard deviation ",
            Feature::DailyResidual => "daily residual ",
        }
    }
}

impl Judgement {
    /// The index of the sensor that contributed most.
    pub fn top_contributor(&self) -> Option<usize> {
        let shares = self.contributions.iter().enumerate();
        shares.max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0))).map(|(sensor, _)| sensor)
    }
}

/// The score on a scale where the threshold is 1: `score / threshold` up to the threshold, and on to 2 at score 1. Monotone and
/// continuous, so detectors can be compared.
///
/// ```
/// use detector::model::judgement::severity;
/// assert_eq!(severity(0.3, 0.6), 0.5);
/// assert_eq!(severity(0.6, 0.6), 1.0);
/// assert_eq!(severity(0.8, 0.6), 1.5);
/// assert_eq!(severity(1.0, 0.6), 2.0);
/// ```
pub fn severity(score: f64, threshold: f64) -> f64 {
    if score <= threshold { score / threshold } else { 1.0 + (score - threshold) / (1.0 - threshold) }
}

#[cfg(test)]
mod tests {
    use super::{Direction, SensorReason, severity};
    use crd::model::Feature;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn severity_keeps_the_order_and_the_verdict(a in 0.01..=1.0f64, b in 0.01..=1.0f64, threshold in 0.01..=1.0f64) {
            prop_assert_eq!(severity(a, threshold) > 1.0, a > threshold);
            prop_assert!((0.0..=2.0).contains(&severity(a, threshold)));
            if a < b {
                prop_assert!(severity(a, threshold) <= severity(b, threshold));
            }
        }
    }

    fn reason(feature: Feature, value: f64, expected: [f64; 2], lag: usize) -> SensorReason {
        SensorReason { feature, lag, direction: Direction::High, value, expected: Some(expected) }
    }

    #[test]
    fn a_reason_is_in_the_sensors_unit() {
        let of = |reason: SensorReason| reason.sentence("celsius");
        assert_eq!(
            of(reason(Feature::Value, 81.2, [58.0, 65.0], 0)),
            "81.2000 celsius, high: expected 58.0000 to 65.0000 celsius"
        );
        assert_eq!(
            of(reason(Feature::LogStdDev, 10.0, [0.1, 1.0], 2)),
            "standard deviation 10.0000 celsius, 2 back, high: expected 0.1000 to 1.0000 celsius"
        );
    }
}
