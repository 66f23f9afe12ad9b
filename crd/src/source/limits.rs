//! The limits of a sensor: readings beyond them are a fault of the sensor, and no anomaly of the measured
//! process.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;

/// The range of values that a sensor can measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.min) || has(self.max)").message("at least one of min, max must be set"))]
#[x_kube(validation = Rule::new("!has(self.min) || !has(self.max) || self.min < self.max")
    .message("min must be less than max"))]
pub struct Range {
    /// The lowest value. Default: none. Example: -40.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,

    /// The highest value. Default: none. Example: 125.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

/// The limits of plausible values of a sensor; where none is set, every number is a reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// The range of values that the sensor can measure. A value outside it is a fault of the sensor: the
    /// fault is an event of its own, and the reading is missing for the model. Default: all values.
    /// Example: {min: 0, max: 100}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,

    /// The greatest change of the value per second, over 0; a faster change is a fault of the sensor.
    /// Default: none. Example: 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self > 0.0").message("must be over 0"))]
    pub max_rate: Option<f64>,

    /// The time after which a value that does not change is a fault of the sensor. 1s to 168h. Default: none,
    /// a value may stay the same forever. Example: 10m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1s') && duration(self) <= duration('168h')")
        .message(Message::Expression("'must be between 1s and 168h, got ' + self".into())))]
    pub stuck_after: Option<Duration>,
}

impl Limits {
    /// Whether at least one limit is set.
    pub fn is_set(&self) -> bool {
        *self != Self::default()
    }
}
