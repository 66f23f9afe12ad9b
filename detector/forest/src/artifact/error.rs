//! Why bytes are not an artifact: one sentence each.

use super::header::{FORMAT, KEY, MAX_HEADER, MAX_HEADER_MEMORY};
use crate::forest::ForestError;
use safetensors::tensor::SafeTensorError;
use thiserror::Error;

/// Why bytes are not an artifact, or an artifact has no bytes.
#[derive(Debug, Error)]
pub enum ArtifactError {
    /// Too short, or not safetensors at all.
    #[error("a model must be a safetensors file: {0}")]
    NotSafetensors(#[source] SafeTensorError),
    /// A header that no forest needs.
    #[error("a model's header must be at most {MAX_HEADER} bytes, got {0}")]
    HeaderTooLong(u64),
    /// A header of more values than any forest has.
    #[error("a model's header must take at most {MAX_HEADER_MEMORY} bytes of memory, got more")]
    HeaderTooHeavy,
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
    #[error("the model is damaged: its checksum must be {expected}, got {stored}")]
    Damaged {
        /// What the bytes hash to.
        expected: String,
        /// What the header says.
        stored: String,
    },
    /// A text that must not stand in a log.
    #[error("{field} must be of at most {most} letters without control characters, got {got:?}")]
    Text {
        /// The key of the metadata.
        field: &'static str,
        /// The most letters.
        most: usize,
        /// The text's beginning.
        got: String,
    },
    /// A threshold that no score can be compared with.
    #[error("threshold must be from 0 to 1, got {0}")]
    Threshold(f64),
    /// A tensor that is missing, of another type, or of another length than the others need.
    #[error("tensor `{name}` must be {rule}")]
    Tensor {
        /// Its name.
        name: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// The rarities of an ensemble's scores that do not rise.
    #[error("rarity must have scores in (0, 1] and bits from 0 to 64, both rising")]
    Rarity,
    /// A range that is none.
    #[error("tensor `ranges` must be two finite numbers for each column, the first not greater")]
    Ranges,
    /// The trees are none.
    #[error(transparent)]
    Forest(#[from] ForestError),
}
