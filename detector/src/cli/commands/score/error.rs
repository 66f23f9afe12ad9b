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
    /// The number of given columns is not the number of the model's columns.
    #[error("columns must be as many as the model's, {model}, got {names}")]
    Columns {
        /// The number of the model's columns.
        model: usize,
        /// The number of given names.
        names: usize,
    },
    /// No row has a score, so that there are no mean contributions.
    #[error("{0}: expected rows with a score, got none")]
    NoScores(String),
}
