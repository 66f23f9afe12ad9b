//! The reasons why a forest cannot be built, one sentence each.

use crate::tree::TreeError;
use crate::tree::path_length::MAX_SUM;
use thiserror::Error;

/// The largest number of columns.
pub const MAX_COLUMNS: usize = i32::MAX as usize;

/// The reason why a forest cannot be built.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ForestError {
    /// The extension level is not less than the number of columns.
    #[error("extension level must be less than the number of columns ({columns}), got {extension_level}")]
    ExtensionLevel {
        /// See [`Params::extension_level`](crate::Params::extension_level).
        extension_level: u32,
        /// How many columns the samples have.
        columns: usize,
    },
    /// The forest may not fit the available memory.
    #[error(
        "the forest must fit the available memory of {available} bytes, got trees and samples for {needed} bytes"
    )]
    Memory {
        /// The most memory that the forest may take, in bytes.
        needed: u64,
        /// The available memory, in bytes.
        available: u64,
    },
    /// No columns, or more than an artifact can number.
    #[error("columns must be from 1 to {MAX_COLUMNS}, got {0}")]
    Columns(usize),
    /// A forest without trees.
    #[error("trees must be at least 1, got 0")]
    NoTrees,
    /// A forest grown from no rows.
    #[error("sample size must be at least 1, got 0")]
    NoSamples,
    /// The trees' greatest path lengths add up to too much for exact scores.
    #[error("the trees' greatest path lengths must add up to less than {MAX_SUM}, got {0}")]
    TooDeep(f64),
    /// A tree that is not valid.
    #[error("tree {tree}: {error}")]
    Tree {
        /// The index of the tree, counted from 0.
        tree: usize,
        /// The reason why the tree is not valid.
        #[source]
        error: TreeError,
    },
}
