//! Why `detector score` cannot score rows: one sentence.

use thiserror::Error;

use crate::cli::commands::model_file::ModelFileError;
use crate::scoring::table_scorer::TableScorerError;

/// Why rows cannot be scored.
#[derive(Debug, Error)]
pub enum ScoreError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// The rows cannot be read or scored.
    #[error(transparent)]
    Table(#[from] TableScorerError),
    /// Columns that are not as many as the model's.
    #[error("columns must be as many as the model's, {model}, got {names}")]
    Columns {
        /// The model's columns.
        model: usize,
        /// The names given.
        names: usize,
    },
    /// There is nothing of which there could be a mean.
    #[error("{0}: expected rows with a score, got none")]
    NoScores(String),
}
