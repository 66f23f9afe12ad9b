//! The mute windows of the spec: when anomalies raise no alarms.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, schedule};

/// A window of time in which no alarm is raised, such as maintenance or a start-up. Scores, verdicts and
/// events continue; a suppressed event has the reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct MuteWindow {
    /// The times at which the window opens, as five fields of cron: minute, hour, day of the month, month,
    /// day of the week. Example: "0 2 * * 0", Sundays at two.
    #[schemars(schema_with = "schedule::expression_schema")]
    pub schedule: String,

    /// How long the window stays open, 1m to 168h. Example: 2h.
    #[x_kube(validation = Rule::new("duration(self) >= duration('1m') && duration(self) <= duration('168h')")
        .message(Message::Expression("'must be between 1m and 168h, got ' + self".into())))]
    pub duration: Duration,

    /// The time zone of `schedule`, a name of the IANA database. Default: UTC. Example: Europe/Berlin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schedule::optional_zone_schema")]
    pub time_zone: Option<String>,

    /// The reason for the window, for people: suppressed events have it. Example: weekly maintenance.
    #[schemars(length(min = 1, max = 256))]
    pub reason: String,
}
