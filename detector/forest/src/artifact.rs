//! An ensemble with its metadata in, the bytes of one file out, and back: safetensors, data only.
//!
//! The header holds [`Metadata`] as JSON and a checksum, the SHA-256 of the file with the checksum's own
//! digits as zeros: a file that was truncated, or changed in any byte, does not open. The trees are in
//! pre-order and so need no indices: `nodes` has -1 for a leaf, otherwise the split's column, or -2 - n for a
//! plane of n columns; `thresholds`, `samples` and the tensors of the planes follow in the order of the
//! nodes. In a mode whose leaf values do not follow from depth and samples, `lengths` has them, in units of
//! 2⁻⁴⁰. The optional `ranges` has the least and the greatest cell of each column among the training rows.
//! The optional `scores.seen` and `scores.unseen` have scores of the training rows.

/// The check that a file's texts are safe in logs.
mod text;
/// The limit on the memory that a header takes.
mod header_memory;
/// The columns, threshold and training of a forest.
mod metadata;
/// How many scores a file has.
mod counts;
/// The JSON in the header.
mod header;
/// The reasons why bytes are not an artifact.
mod error;
/// The checksum that shows whether a byte was changed.
mod checksum;
/// Trees as flat arrays.
mod tensors;
/// Scores of training rows.
mod scores;

use crate::data::ranges::Ranges;
use crate::ensemble::Ensemble;
use crate::ensemble::rarity::Rarity;
use crate::forest::{Forest, memory};
use header::{Header, KEY, MAX_HEADER, Shape, Version};
use safetensors::tensor::{SafeTensorError, SafeTensors, TensorView};
use std::collections::HashMap;

pub use checksum::digest;
pub use error::ArtifactError;
pub use header::FORMAT;
pub use metadata::{Metadata, Training};
pub use scores::{Greatest, MAX_SCORES, Scores};

/// An ensemble with its metadata: the content of a model file.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    /// The trees of one forest or several.
    pub ensemble: Ensemble,
    /// The columns, threshold and training of the ensemble.
    pub metadata: Metadata,
    /// The scores of the training rows, where they are known.
    pub scores: Option<Scores>,
}

impl Artifact {
    /// Returns the bytes of the file: the same artifact gives the same bytes.
    ///
    /// # Errors
    /// A threshold outside 0 to 1 (and NaN), texts that are too long or have control characters, or metadata that JSON cannot
    /// hold.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ArtifactError> {
        self.metadata.check()?;
        let header = Header {
            format: FORMAT,
            checksum: checksum::BLANK.into(),
            forest: Shape::of(&self.ensemble),
            metadata: &self.metadata,
            scores: self.scores.as_ref().map(Scores::counts),
        };
        let json = serde_json::to_string(&header).map_err(ArtifactError::Metadata)?;
        let mut tensors = tensors::of(&self.ensemble);
        tensors.extend(self.scores.iter().flat_map(Scores::tensors));
        let views = tensors.iter().map(|tensor| Ok((tensor.name, tensor.view()?)));
        let views =
            views.collect::<Result<Vec<(&str, TensorView)>, _>>().map_err(ArtifactError::NotSafetensors)?;
        let metadata = HashMap::from([(KEY.to_owned(), json)]);
        let mut bytes =
            safetensors::serialize(views, Some(metadata)).map_err(ArtifactError::NotSafetensors)?;
        let header = header_end(&bytes)?;
        checksum::write(&mut bytes, header);
        Ok(bytes)
    }

    /// Reads the bytes of a file. The allocated memory is in proportion to the bytes of the file, and trees
    /// that do not fit the available memory are refused before they are read.
    ///
    /// # Errors
    /// Anything that [`Artifact::to_bytes`] of this or an earlier release did not write, or that was changed
    /// since; and trees that do not fit the available memory.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ArtifactError> {
        let header_end = header_end(bytes)?;
        header_memory::check(bytes.get(LENGTH..header_end).unwrap_or_default())?;
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(ArtifactError::NotSafetensors)?;
        let json =
            metadata.metadata().as_ref().and_then(|map| map.get(KEY)).ok_or(ArtifactError::NoMetadata)?;
        header_memory::check(json.as_bytes())?;
        let Version { format } = serde_json::from_str(json).map_err(ArtifactError::Metadata)?;
        if format > FORMAT {
            return Err(ArtifactError::Newer(format));
        }
        let header: Header<Metadata> = serde_json::from_str(json).map_err(ArtifactError::Metadata)?;
        checksum::check(bytes, header_end, &header.checksum)?;
        header.metadata.check()?;
        let tensors = SafeTensors::deserialize(bytes).map_err(ArtifactError::NotSafetensors)?;
        memory::fits(tensors::needed(&tensors))?;
        let columns = usize::try_from(header.forest.columns).unwrap_or(usize::MAX);
        let ensemble = opened(&tensors, columns, header.forest)?;
        let scores = header.scores.map(|counts| Scores::open(&tensors, counts)).transpose()?;
        Ok(Self { ensemble, metadata: header.metadata, scores })
    }
}

/// The ensemble that the tensors hold.
fn opened(tensors: &SafeTensors, columns: usize, shape: Shape) -> Result<Ensemble, ArtifactError> {
    let Shape { sample_size, mode, members, .. } = shape;
    if members.is_empty() {
        let trees = tensors::trees(tensors, columns, &[(mode, usize::MAX)])?.swap_remove(0);
        let forest = Forest::from_checked_trees(mode, columns, sample_size, trees)?;
        return Ok(forest.with_ranges(ranges(tensors, columns)?).into());
    }
    let ranges = ranges(tensors, columns)?;
    let counts: Vec<_> = members
        .iter()
        .map(|member| (member.mode, usize::try_from(member.trees).unwrap_or(usize::MAX)))
        .collect();
    let mut forests = Vec::with_capacity(members.len());
    for (member, trees) in members.into_iter().zip(tensors::trees(tensors, columns, &counts)?) {
        let forest = Forest::from_checked_trees(member.mode, columns, member.sample_size, trees)?;
        let rarity = Rarity::from_knots(member.rarity).ok_or(ArtifactError::Rarity)?;
        forests.push((forest.with_ranges(ranges.clone()), rarity));
    }
    Ok(Ensemble::of_members(forests))
}

/// The ranges of the training rows; `None` where the file has none.
fn ranges(tensors: &SafeTensors, columns: usize) -> Result<Option<Ranges>, ArtifactError> {
    let Some(bounds) = tensors::ranges(tensors)? else { return Ok(None) };
    Ranges::new(bounds, columns).map(Some).ok_or(ArtifactError::Ranges)
}

/// The number of bytes, at the start of a safetensors file, that hold the length of its header.
const LENGTH: usize = 8;

/// The index of the first byte after the header.
fn header_end(bytes: &[u8]) -> Result<usize, ArtifactError> {
    let Some(length) = bytes.first_chunk() else {
        return Err(ArtifactError::NotSafetensors(SafeTensorError::HeaderTooSmall));
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER { Err(ArtifactError::HeaderTooLong(length)) } else { Ok(LENGTH + length as usize) }
}

#[cfg(test)]
mod tests;
