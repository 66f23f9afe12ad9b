//! The JSON in the header of a file.

use super::counts::Counts;
use crate::ensemble::Ensemble;
use crate::train::params::Mode;
use serde::{Deserialize, Serialize};

/// The format that this release writes. It reads this one and all before it.
pub const FORMAT: u32 = 2;
/// The longest header that is read, in bytes.
pub(super) const MAX_HEADER: u64 = 4 << 20;
/// The most memory that a header may take, in bytes: ten times the longest header.
pub(super) const MAX_HEADER_MEMORY: usize = 40 << 20;
/// The only key of the header's metadata.
pub(super) const KEY: &str = "anomaly.dev/forest";

/// The JSON in the header.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Header<T> {
    pub(super) format: u32,
    #[serde(rename = "seal")]
    pub(super) checksum: String,
    pub(super) forest: Shape,
    pub(super) metadata: T,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) scores: Option<Counts>,
}

/// The numbers of a forest, or of the first member of an ensemble, that are not in its tensors.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Shape {
    pub(super) columns: u64,
    pub(super) sample_size: u32,
    /// Written from format 2 on.
    #[serde(default)]
    pub(super) mode: Mode,
    /// All members of an ensemble, the first one included; empty for a single forest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) members: Vec<Member>,
}

/// One member of an ensemble, whose trees follow those of the member before it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Member {
    pub(super) mode: Mode,
    pub(super) sample_size: u32,
    pub(super) trees: u64,
    /// The rarity of its scores: pairs of a score and its rarity among the training rows, in bits.
    pub(super) rarity: Vec<[f64; 2]>,
}

/// The part of a header that every format has.
#[derive(Deserialize)]
pub(super) struct Version {
    pub(super) format: u32,
}

impl Shape {
    /// The shape of these forests.
    pub(super) fn of(ensemble: &Ensemble) -> Self {
        let first = &ensemble.members()[0];
        let members = ensemble.members().iter().zip(ensemble.rarities());
        let members = members.map(|(member, rarity)| Member {
            mode: member.mode(),
            sample_size: member.sample_size(),
            trees: member.trees().len() as u64,
            rarity: rarity.knots().to_vec(),
        });
        Self {
            columns: first.columns() as u64,
            sample_size: first.sample_size(),
            mode: first.mode(),
            members: members.collect(),
        }
    }
}
