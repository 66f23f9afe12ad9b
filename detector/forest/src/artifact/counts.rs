//! The part of a header that describes the scores.

use serde::{Deserialize, Serialize};

/// How many scores there were, and how far apart.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Counts {
    pub(super) seen: u64,
    pub(super) unseen: u64,
    pub(super) seconds_apart: f64,
}
