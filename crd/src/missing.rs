//! The missing part of the spec: what to do when a sensor gave no reading.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;

/// What to do when a sensor gave no reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.policy == 'Previous') == has(self.maxStaleness)")
    .message("maxStaleness must be set for Previous, and for no other policy").field_path(".maxStaleness"))]
pub struct Missing {
    /// `Skip`: no verdict for that instant. `Previous`: the sensor's previous reading is used, while it is
    /// not older than `maxStaleness`; then as Skip. `Impute`: the forest judges the sensors that gave a
    /// reading, with its rule for missing cells; as Skip where none gave one. `Anomaly`: the verdict is
    /// anomalous. Example: Skip.
    pub policy: MissingPolicy,

    /// The greatest age of the previous reading that is used instead, over 0s and at most 168h. Only for
    /// Previous, and required there. Example: 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("duration(self) > duration('0s') && duration(self) <= duration('168h')")
        .message(Message::Expression("'must be over 0s and at most 168h, got ' + self".into())))]
    pub max_staleness: Option<Duration>,
}

/// What to do when a sensor gave no reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MissingPolicy {
    /// No verdict for this instant.
    Skip,
    /// The sensor's previous reading is used, while it is not older than `maxStaleness`.
    Previous,
    /// The forest judges the sensors that gave a reading, with its rule for missing cells.
    Impute,
    /// The verdict is anomalous.
    Anomaly,
}
