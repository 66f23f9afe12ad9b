//! The part of a header that describes the scores.

use serde::{Deserialize, Serialize};

/// The number of scores before any were left out, and the mean time between their rows in seconds.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Counts {
    pub(super) seen: u64,
    pub(super) unseen: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) seconds_apart: Option<f64>,
}
