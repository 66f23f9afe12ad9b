//! The reasons why bytes are not an artifact, one sentence each.

use super::header::{FORMAT, KEY, MAX_HEADER, MAX_HEADER_MEMORY};
use crate::forest::ForestError;
use safetensors::tensor::SafeTensorError;
use thiserror::Error;

/// The reason why bytes are not an artifact, or why an artifact cannot be written as bytes.
#[derive(Debug, Error)]
pub enum ArtifactError {
    /// Too short, or not safetensors at all.
    #[error("a model must be a safetensors file: {0}")]
    NotSafetensors(#[source] SafeTensorError),
    /// A header that is longer than any forest needs.
    #[error("a model's header must be at most {MAX_HEADER} bytes, got {0}")]
    HeaderTooLong(u64),
    /// A header of more values than any forest has.
    #[error("a model's header must take at most {MAX_HEADER_MEMORY} bytes of memory, got more")]
    HeaderMemory,
    /// A safetensors file without the metadata of a forest.
    #[error("a model must have the metadata `{KEY}`, got none")]
    NoMetadata,
    /// Written by a later release.
    #[error("the model was written by a newer version: its format must be at most {FORMAT}, got {0}")]
    Newer(u32),
    /// Metadata that does not parse.
    #[error("the model's metadata must be of format {FORMAT}: {0}")]
    Metadata(#[source] serde_json::Error),
    /// The checksum is not that of the bytes: a byte was changed.
    #[error("the model is damaged: its checksum must be {expected}, got {stored}")]
    Damaged {
        /// The checksum of the bytes.
        expected: String,
        /// The checksum in the header.
        stored: String,
    },
    /// A text that is not safe in a log: too long, or with control characters.
    #[error("{field} must be of at most {most} characters, none of them a control character, got {got:?}")]
    Text {
        /// The key of the metadata.
        field: &'static str,
        /// The largest number of characters.
        most: usize,
        /// The text's beginning.
        got: String,
    },
    /// A threshold outside 0 to 1, or NaN.
    #[error("threshold must be from 0 to 1, got {0}")]
    Threshold(f64),
    /// A tensor that is missing, of another type, or of another length than the others need.
    #[error("tensor `{name}` must be {rule}")]
    Tensor {
        /// The name of the tensor.
        name: &'static str,
        /// The rule that the tensor breaks.
        rule: &'static str,
    },
    /// A rarity of an ensemble's scores that does not rise, or is out of range.
    #[error("rarity must have scores in (0, 1] and bits from 0 to 64, both rising")]
    Rarity,
    /// A range that is not valid, or is not there for each column.
    #[error("tensor `ranges` must be two finite numbers for each column, the first not greater")]
    Ranges,
    /// The trees are not a valid forest, or do not fit the available memory.
    #[error(transparent)]
    Forest(#[from] ForestError),
}
