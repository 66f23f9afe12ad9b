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
    /// The client for connections to other servers cannot be created.
    #[error(transparent)]
    Outgoing(#[from] OutgoingError),
    /// The result cannot be printed.
    #[error(transparent)]
    Stdout(#[from] StdoutError),
    /// The number of labels is not the number of rows.
    #[error("{labels}: expected a label for each of the {rows} rows of {input}, got {got}")]
    Length {
        /// The file of the labels.
        labels: String,
        /// The file of the rows.
        input: String,
        /// The number of rows.
        rows: usize,
        /// The number of labels.
        got: usize,
    },
    /// The columns of the model are not the sensors of the manifest.
    #[error("the model must have the manifest's columns, {manifest}, got {model}")]
    Columns {
        /// The sensors of the manifest.
        manifest: String,
        /// The columns of the model.
        model: String,
    },
    /// The readings have neither labels nor simulated faults.
    #[error("{0}: expected simulated faults, or a csv source with a label, got readings without the truth")]
    NoTruth(String),
    /// The verdicts and labels allow no figures, or no threshold meets the goal: the file and the reason.
    #[error("{0}: {1}")]
    Unusable(String, String),
}
