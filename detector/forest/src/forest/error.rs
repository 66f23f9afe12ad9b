//! Why there is no forest: one sentence each.

use crate::tree::TreeError;
use crate::tree::path_length::MAX_SUM;
use thiserror::Error;

/// The largest number of columns.
pub const MAX_COLUMNS: usize = i32::MAX as usize;

/// Why there is no forest.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ForestError {
    /// A hyperplane cannot look at more columns than there are.
    #[error("extension level must be less than the number of columns ({columns}), got {extension_level}")]
    ExtensionLevel {
        /// See [`Params::extension_level`](crate::Params::extension_level).
        extension_level: u32,
        /// How many columns the samples have.
        columns: usize,
    },
    /// The forest might not fit.
    #[error(
        "the forest must fit the available memory of {available} bytes, got trees and samples for {needed} bytes"
    )]
    Memory {
        /// What it may take, in bytes.
        needed: u64,
        /// What is there, in bytes.
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
    /// Beyond what a score is exact for.
    #[error("the trees' greatest path lengths must add up to less than {MAX_SUM}, got {0}")]
    TooDeep(f64),
    /// One of the trees is none.
    #[error("tree {tree}: {error}")]
    Tree {
        /// Which, counted from 0.
        tree: usize,
        /// What is wrong with it.
        #[source]
        error: TreeError,
    },
}
