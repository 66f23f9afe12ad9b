//! The alarm part of the spec: which anomalous verdicts raise an alarm.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;

/// When anomalous verdicts raise an alarm. Scores and verdicts stay what they are: this decides about
/// alerts and notifications.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Alarm {
    /// How long verdicts must stay anomalous before they raise an alarm, 0s to 24h. Default: 0s, at once.
    #[serde(default)]
    #[x_kube(validation = Rule::new("duration(self) >= duration('0s') && duration(self) <= duration('24h')")
        .message(Message::Expression("'must be between 0s and 24h, got ' + self".into())))]
    pub minimum_duration: Duration,

    /// How long after an alarm no other one is raised, 0s to 168h. Default: 0s.
    #[serde(default)]
    #[x_kube(validation = Rule::new("duration(self) >= duration('0s') && duration(self) <= duration('168h')")
        .message(Message::Expression("'must be between 0s and 168h, got ' + self".into())))]
    pub cool_down: Duration,

    /// Raise an alarm only where the severity is higher than that of every verdict within this time before it, anomalous
    /// or not, 0s to 720h: an anomaly that is no worse than a recent one raises none. Default: 0s, no such condition.
    /// Example: 12h.
    #[serde(default)]
    #[x_kube(validation = Rule::new("duration(self) >= duration('0s') && duration(self) <= duration('720h')")
        .message(Message::Expression("'must be between 0s and 720h, got ' + self".into())))]
    pub lookback: Duration,
}
