//! A forest and what is known of it in, one file of bytes out, and back: safetensors, data only.
//!
//! The header holds [`Metadata`] as JSON and a seal, the SHA-256 of the file with the seal's own digits as zeros: a file
//! that was cut, or changed in any byte, does not open. The trees are in pre-order and so need no indices: `nodes` has
//! -1 for a leaf, otherwise the split's column, or -2 - n for a plane of n columns; `thresholds`, `samples` and the tensors of
//! the planes follow in the order in which the nodes ask for them. In a mode whose leaves say more than their depth and
//! samples, `lengths` has their values, in units of 2⁻⁴⁰. `ranges`, where it is there, has the least and the greatest cell of
//! each column among the training rows. `scores.seen` and `scores.unseen`, where they are there, are what
//! the training rows score.

mod tensors;
mod scores;

use crate::data::ranges::Ranges;
use crate::ensemble::{Committee, Rarity};
use crate::forest::{Forest, ForestError};
use crate::train::params::Mode;
use safetensors::tensor::{SafeTensorError, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt::Write;
use thiserror::Error;

pub use scores::{Greatest, MOST, Scores};

/// The format that this release writes. It reads this one and all before it.
pub const FORMAT: u32 = 2;
/// The longest header that is read, in bytes.
const MAX_HEADER: u64 = 4 << 20;
/// The only key of the header's metadata.
const KEY: &str = "anomaly.dev/forest";
const UNSEALED: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A forest and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    /// The trees.
    pub forest: Forest,
    /// What is known of them.
    pub metadata: Metadata,
    /// What the training rows score, where that is known.
    pub scores: Option<Scores>,
}

/// What a forest was trained on, and what to make of its scores.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The names of the sensors, in the order of the reading that becomes a row.
    pub columns: Vec<String>,
    /// How many earlier readings follow the current one in a row.
    pub lags: u32,
    /// How readings become rows beyond that, as the detector that trained the forest wrote it down.
    pub pipeline: serde_json::Value,
    /// A row is anomalous when its score is greater: 0 to 1.
    pub threshold: f64,
    /// Where the forest comes from.
    pub training: Training,
    /// What shaped the forest, as a name: models of the same recipe stand in for each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
}

/// Where a forest comes from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Training {
    /// How many rows it was trained on.
    pub samples: u64,
    /// When, in RFC 3339.
    pub trained_at: String,
    /// By what: `trained`, or the system that it was imported from.
    pub origin: String,
    /// The end of the history that was asked for, in RFC 3339, where one was: no row is as new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// How many rows a day would exceed the threshold, of rows like those that it was trained on and as many a day; none
    /// where nothing is known of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_alerts_per_day: Option<f64>,
    /// Why the forest is as it is, where that was chosen from the data: see [`Forest::choice`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<String>,
    /// Between which values 98 in 100 of the training rows were, for each of the forest's columns; empty where that is not
    /// known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usual: Vec<[f32; 2]>,
    /// Why its scores may not be trusted, a sentence each: see [`Samples::doubts`](crate::Samples::doubts).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
}

/// Why bytes are not an artifact, or an artifact has no bytes.
#[derive(Debug, Error)]
pub enum ArtifactError {
    /// Too short, or not safetensors at all.
    #[error("a model must be a safetensors file: {0}")]
    NotSafetensors(#[source] SafeTensorError),
    /// A header that no forest needs.
    #[error("a model's header must be at most {MAX_HEADER} bytes, got {0}")]
    HeaderTooLong(u64),
    /// safetensors, but of something else.
    #[error("a model must have the metadata `{KEY}`, got none")]
    NoMetadata,
    /// Written by a later release.
    #[error("the model was written by a newer version: its format must be at most {FORMAT}, got {0}")]
    Newer(u32),
    /// Metadata that does not parse.
    #[error("the model's metadata must be of format {FORMAT}: {0}")]
    Metadata(#[source] serde_json::Error),
    /// A byte was changed.
    #[error("the model is damaged: its seal must be {expected}, got {sealed}")]
    Damaged {
        /// What the bytes hash to.
        expected: String,
        /// What the header says.
        sealed: String,
    },
    /// A threshold that no score can be compared with.
    #[error("threshold must be from 0 to 1, got {0}")]
    Threshold(f64),
    /// A tensor that is missing, of another type, or of another length than the others ask for.
    #[error("tensor `{name}` must be {rule}")]
    Tensor {
        /// Its name.
        name: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// A committee's scale that does not rise.
    #[error("rarity must have scores in (0, 1] and halvings from 0 to 64, both rising")]
    Rarity,
    /// A range that is none.
    #[error("tensor `ranges` must be two finite numbers for each column, the first not greater")]
    Ranges,
    /// The trees are none.
    #[error(transparent)]
    Forest(#[from] ForestError),
}

/// The JSON in the header.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header<T> {
    format: u32,
    seal: String,
    forest: Shape,
    metadata: T,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scores: Option<scores::Counts>,
}

/// The numbers of a forest that are not in its tensors.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Shape {
    columns: u64,
    sample_size: u32,
    /// From format 2 on.
    #[serde(default)]
    mode: Mode,
    /// Of a committee: everyone, the first again among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    members: Vec<Member>,
}

/// One member of a committee, whose trees follow those of the member before it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Member {
    mode: Mode,
    sample_size: u32,
    trees: u64,
    /// How rare its scores are: scores, and in how many halvings they were reached by training rows.
    rarity: Vec<[f64; 2]>,
}

/// The part of a header that every format has.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl Artifact {
    /// The file: the same artifact gives the same bytes.
    ///
    /// # Errors
    /// A threshold outside 0 to 1 (and NaN), or metadata that JSON cannot hold.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ArtifactError> {
        check_threshold(self.metadata.threshold)?;
        let forest = &self.forest;
        let shape = Shape {
            columns: forest.columns() as u64,
            sample_size: forest.sample_size(),
            mode: forest.mode(),
            members: members(forest),
        };
        let header = Header {
            format: FORMAT,
            seal: UNSEALED.into(),
            forest: shape,
            metadata: &self.metadata,
            scores: self.scores.as_ref().map(Scores::counts),
        };
        let json = serde_json::to_string(&header).map_err(ArtifactError::Metadata)?;
        let mut tensors = tensors::of(forest);
        tensors.extend(self.scores.iter().flat_map(Scores::tensors));
        let views = tensors.iter().map(|tensor| Ok((tensor.name, tensor.view()?)));
        let views =
            views.collect::<Result<Vec<(&str, TensorView)>, _>>().map_err(ArtifactError::NotSafetensors)?;
        let metadata = HashMap::from([(KEY.to_owned(), json)]);
        let mut bytes =
            safetensors::serialize(views, Some(metadata)).map_err(ArtifactError::NotSafetensors)?;
        seal(&mut bytes);
        Ok(bytes)
    }

    /// Opens a file. Nothing is allocated that the file does not have the bytes for.
    ///
    /// # Errors
    /// Whatever is not exactly what [`Artifact::to_bytes`] of this or an earlier release wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ArtifactError> {
        check_header_length(bytes)?;
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(ArtifactError::NotSafetensors)?;
        let json =
            metadata.metadata().as_ref().and_then(|map| map.get(KEY)).ok_or(ArtifactError::NoMetadata)?;
        let Version { format } = serde_json::from_str(json).map_err(ArtifactError::Metadata)?;
        if format > FORMAT {
            return Err(ArtifactError::Newer(format));
        }
        let header: Header<Metadata> = serde_json::from_str(json).map_err(ArtifactError::Metadata)?;
        check_seal(bytes, &header.seal)?;
        check_threshold(header.metadata.threshold)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(ArtifactError::NotSafetensors)?;
        let columns = usize::try_from(header.forest.columns).unwrap_or(usize::MAX);
        let forest = opened(&tensors, columns, header.forest)?;
        let scores = header.scores.map(|counts| Scores::open(&tensors, counts)).transpose()?;
        Ok(Self { forest, metadata: header.metadata, scores })
    }
}

/// What a header says of a committee; nothing of a forest alone.
fn members(forest: &Forest) -> Vec<Member> {
    let scales = forest.committee().into_iter().flat_map(|committee| &committee.scales);
    let members = forest.members().zip(scales).map(|(member, rarity)| Member {
        mode: member.mode(),
        sample_size: member.sample_size(),
        trees: member.trees().len() as u64,
        rarity: rarity.knots().to_vec(),
    });
    members.collect()
}

/// The forest, or the committee, that the tensors hold.
fn opened(tensors: &SafeTensors, columns: usize, shape: Shape) -> Result<Forest, ArtifactError> {
    let Shape { sample_size, mode, members, .. } = shape;
    if members.is_empty() {
        let trees = tensors::trees(tensors, columns, &[(mode, usize::MAX)])?.swap_remove(0);
        let forest = Forest::from_sound_trees(mode, columns, sample_size, trees)?;
        return Ok(forest.with_ranges(ranges(tensors, columns)?));
    }
    let ranges = ranges(tensors, columns)?;
    let counts: Vec<_> = members
        .iter()
        .map(|member| (member.mode, usize::try_from(member.trees).unwrap_or(usize::MAX)))
        .collect();
    let mut forests = Vec::with_capacity(members.len());
    let mut scales = Vec::with_capacity(members.len());
    for (member, trees) in members.into_iter().zip(tensors::trees(tensors, columns, &counts)?) {
        let forest = Forest::from_sound_trees(member.mode, columns, member.sample_size, trees)?;
        forests.push(forest.with_ranges(ranges.clone()));
        scales.push(Rarity::from_knots(member.rarity).ok_or(ArtifactError::Rarity)?);
    }
    let first = forests.remove(0);
    Ok(first.with_committee(Committee { others: forests, scales }))
}

/// The training rows' ranges, where the file has them.
fn ranges(tensors: &SafeTensors, columns: usize) -> Result<Option<Ranges>, ArtifactError> {
    let Some(bounds) = tensors::ranges(tensors)? else { return Ok(None) };
    Ranges::new(bounds, columns).map(Some).ok_or(ArtifactError::Ranges)
}

/// The name of an artifact: `sha256:` and the hash of its bytes in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

fn check_threshold(threshold: f64) -> Result<(), ArtifactError> {
    (0.0..=1.0).contains(&threshold).then_some(()).ok_or(ArtifactError::Threshold(threshold))
}

/// The first eight bytes of safetensors are the header's length.
fn check_header_length(bytes: &[u8]) -> Result<(), ArtifactError> {
    let Some(length) = bytes.first_chunk() else {
        return Err(ArtifactError::NotSafetensors(SafeTensorError::HeaderTooSmall));
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER { Err(ArtifactError::HeaderTooLong(length)) } else { Ok(()) }
}

fn check_seal(bytes: &[u8], sealed: &str) -> Result<(), ArtifactError> {
    let expected = seal_of(bytes, sealed);
    if expected == sealed {
        Ok(())
    } else {
        Err(ArtifactError::Damaged { expected, sealed: sealed.to_owned() })
    }
}

/// Replaces the zeros that stand for the seal.
fn seal(bytes: &mut [u8]) {
    let seal = seal_of(bytes, UNSEALED);
    if let Some(at) = position(bytes, UNSEALED) {
        bytes[at..at + UNSEALED.len()].copy_from_slice(seal.as_bytes());
    }
}

/// The hash of `bytes`, where zeros take the place of the `sealed` digits.
fn seal_of(bytes: &[u8], sealed: &str) -> String {
    let at = position(bytes, sealed).filter(|_| sealed.len() == UNSEALED.len()).unwrap_or(bytes.len());
    let end = (at + UNSEALED.len()).min(bytes.len());
    let hash = Sha256::new().chain_update(&bytes[..at]).chain_update(UNSEALED).chain_update(&bytes[end..]);
    hex(&hash.finalize())
}

/// Where `digits` begin; they are in the header, so they are found before the tensors are searched.
fn position(bytes: &[u8], digits: &str) -> Option<usize> {
    bytes.windows(digits.len().max(1)).position(|window| window == digits.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}"); // a String takes whatever is written
        digits
    })
}

#[cfg(test)]
mod tests;
