//! The adaptation part of the spec: which slow changes of the sensors become normal.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;

/// Whether the detector follows slow change of its sensors, and on which time scale.
///
/// With `Follow`, readings are measured against the level of their sensor, which follows them at this time
/// scale, and the threshold follows the scores, so that the promised rate of alarms holds while sensors
/// drift. A fault that is slower than the time scale becomes the new normal: set limits for such sensors. A
/// threshold that is set as a `score` does not change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.timeScale) || !has(self.policy) || self.policy == 'Follow'")
    .message("timeScale must be left out unless policy is Follow").field_path(".timeScale"))]
pub struct Adaptation {
    /// `Follow`: the level of each sensor and the threshold follow the readings. `Fixed`: both stay as they
    /// were at the end of the training. Default: Follow.
    #[serde(default)]
    pub policy: AdaptationPolicy,

    /// The time scale: a change that is slower becomes the new normal, a faster one is an anomaly. 10s to
    /// 2160h. Default: 1h, or 500 readings where they take longer. Example: 1h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('10s') && duration(self) <= duration('2160h')")
        .message(Message::Expression("'must be between 10s and 2160h, got ' + self".into())))]
    pub time_scale: Option<Duration>,
}

/// Whether the detector follows slow change.
// `Off` would be a boolean to YAML 1.1, which kubectl reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AdaptationPolicy {
    /// The detector follows slow change.
    #[default]
    Follow,
    /// The detector does not follow slow change.
    Fixed,
}
