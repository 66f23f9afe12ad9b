//! What a sensor can give at all: readings beyond that are its own fault, and no anomaly of what it measures.

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
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// The values that it can give.
    pub range: Option<Range>,
    /// The most that it can change in a second, over 0.
    pub max_rate: Option<f64>,
    /// For how long it can give the same value.
    pub stuck_after: Option<Duration>,
}

impl Limits {
    /// Whether there is one.
    pub fn is_set(&self) -> bool {
        *self != Self::default()
    }
}
