//! The alarm part of the spec: which anomalous verdicts raise an alarm.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;

/// When anomalous verdicts raise an alarm. Scores and verdicts stay what they are: this decides about
/// alerts and notifications.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Alarm {
    /// How long no verdict may have been normal before they raise an alarm, 0s to 24h. With a reading a second, 5s is five
    /// anomalous verdicts in a row; where readings are further apart than this, one is enough. 0s: at once. Default: 5s.
    #[serde(default = "five_seconds")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('0s') && duration(self) <= duration('24h')")
        .message(Message::Expression("'must be between 0s and 24h, got ' + self".into())))]
    pub minimum_duration: Duration,

    /// How long after the end of an event that raised an alarm no other one is raised, 0s to 168h. An event that outlasts this
    /// time raises its alarm then. Default: 1m.
    #[serde(default = "a_minute")]
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

impl Default for Alarm {
    fn default() -> Self {
        Self { minimum_duration: five_seconds(), cool_down: a_minute(), lookback: Duration::default() }
    }
}

// The figures that they were chosen by are in benches/RESULTS.md.
fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

fn a_minute() -> Duration {
    Duration::from_secs(60)
}
