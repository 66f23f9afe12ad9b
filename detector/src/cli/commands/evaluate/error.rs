//! Why `detector evaluate` has no figures: one sentence.

use thiserror::Error;

use crate::cli::commands::model_file::ModelFileError;
use crate::cli::manifest::FileError;
use crate::cli::stdout::StdoutError;
use crate::lifecycle::monitor::MonitorError;
use crate::outgoing::OutgoingError;
use crate::scoring::table_scorer::TableScorerError;

/// Why there are no figures.
#[derive(Debug, Error)]
pub enum EvaluateError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// The manifest is invalid.
    #[error(transparent)]
    Manifest(#[from] FileError),
    /// The rows cannot be read or scored.
    #[error(transparent)]
    Table(#[from] TableScorerError),
    /// The sources or the training failed.
    #[error(transparent)]
    Monitor(#[from] MonitorError),
    /// No connections can be made.
    #[error(transparent)]
    Outgoing(#[from] OutgoingError),
    /// The result cannot be printed.
    #[error(transparent)]
    Stdout(#[from] StdoutError),
    /// Labels that are too few or too many.
    #[error("{labels}: expected a label for each of the {rows} rows of {input}, got {got}")]
    Length {
        /// The file of the labels.
        labels: String,
        /// The file of the rows.
        input: String,
        /// Its rows.
        rows: usize,
        /// Its labels.
        got: usize,
    },
    /// A model of other sensors than the manifest's.
    #[error("the model must have the manifest's columns, {manifest}, got {model}")]
    Columns {
        /// The manifest's.
        manifest: String,
        /// The model's.
        model: String,
    },
    /// Nothing to compare with.
    #[error("{0}: expected simulated faults, or a csv source with a label, got readings without the truth")]
    NoTruth(String),
    /// What is there has no figures, or no threshold.
    #[error("{0}: {1}")]
    Unusable(String, String),
}
