//! The limits of a sensor: readings beyond them are a fault of the sensor, and no anomaly of the measured
//! process.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;

/// The values that a sensor can give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.min) || has(self.max)").message("at least one of min, max must be set"))]
#[x_kube(validation = Rule::new("!has(self.min) || !has(self.max) || self.min < self.max")
    .message("min must be less than max"))]
pub struct Range {
    /// The least. Default: none. Example: -40.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,

    /// The greatest. Default: none. Example: 125.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

/// The limits of a sensor; where none is set, everything that is a number is a reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// The values that the sensor can give. Others are a fault of the sensor: an event of its own, and missing to the model.
    /// Default: all. Example: {min: 0, max: 100}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,

    /// The most that the sensor can change in a second, over 0; a faster change is a fault of the sensor. Default: none.
    /// Example: 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self > 0.0").message("must be over 0"))]
    pub max_rate: Option<f64>,

    /// For how long the sensor can give the very same value; from then on that is a fault of the sensor. 1s to 168h.
    /// Default: forever. Example: 10m.
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
