//! The alarm part of the spec: which anomalous verdicts raise an alarm.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;

/// When anomalous verdicts raise an alarm. Scores and verdicts do not depend on it; alerts and notifications
/// do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Alarm {
    /// The time without a normal verdict after which anomalous verdicts raise an alarm, 0s to 24h. With a
    /// reading a second, 5s is five anomalous verdicts in a row; where readings are further apart than this,
    /// one is enough. 0s: at once. Default: 5s.
    #[serde(default = "five_seconds")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('0s') && duration(self) <= duration('24h')")
        .message(Message::Expression("'must be between 0s and 24h, got ' + self".into())))]
    pub minimum_duration: Duration,

    /// The time after the end of an event with an alarm in which no other alarm is raised, 0s to 168h. An
    /// event that lasts beyond this time raises its alarm then. Default: 1m.
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

    /// Each alarm raises the severity that the next alarm requires, and time lowers it again: an anomaly that
    /// recurs raises fewer alarms unless it gets worse. Default: none, an alarm requires a severity over 1,
    /// whatever alarms came before. Example: `{step: 0.05, halfLife: 48h}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub habituation: Option<Habituation>,
}

/// How each alarm raises the severity that the next alarm requires.
///
/// An alarm requires a severity over 1 plus the bar. Each alarm raises the bar by `step`; half of the bar is
/// gone after `halfLife`. Verdicts and their severities do not change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Habituation {
    /// The amount by which each alarm raises the bar, in severity: over 0 and at most 1. An alarm requires a
    /// severity over 1 plus the bar. Default: 0.05.
    #[serde(default = "twentieth")]
    #[x_kube(validation = Rule::new("self > 0.0 && self <= 1.0")
        .message("must be over 0 and at most 1"))]
    pub step: f64,

    /// The time in which the bar falls to half of its height, 1s to 8760h. The time of about 500 readings
    /// works well. Default: 48h, which suits one reading in 5 minutes.
    #[serde(default = "two_days")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1s') && duration(self) <= duration('8760h')")
        .message(Message::Expression("'must be between 1s and 8760h, got ' + self".into())))]
    pub half_life: Duration,
}

impl Default for Alarm {
    fn default() -> Self {
        Self {
            minimum_duration: five_seconds(),
            cool_down: a_minute(),
            lookback: Duration::default(),
            habituation: None,
        }
    }
}

// The measurements behind these defaults are in benches/RESULTS.md.
fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

fn a_minute() -> Duration {
    Duration::from_secs(60)
}

fn twentieth() -> f64 {
    0.05
}

fn two_days() -> Duration {
    Duration::from_secs(48 * 60 * 60)
}
