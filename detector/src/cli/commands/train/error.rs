//! Why `detector train` has no model: one sentence.

use std::path::PathBuf;

use forest::ParamsError;
use thiserror::Error;

use crate::cli::commands::labelled_rows::LabelledRowsError;
use crate::cli::commands::model_file::ModelFileError;
use crate::cli::manifest::FileError;
use crate::ingest::sources::delimited::CsvError;
use crate::lifecycle::monitor::MonitorError;
use crate::model::model::ModelError;
use crate::outgoing::OutgoingError;

/// Why there is no model.
#[derive(Debug, Error)]
pub enum TrainError {
    /// The data cannot be read.
    #[error(transparent)]
    Csv(#[from] CsvError),
    /// Too little to learn from.
    #[error("{}: expected at least 2 rows to learn from, got {rows}", input.display())]
    TooFew {
        /// The file.
        input: PathBuf,
        /// Its rows.
        rows: usize,
    },
    /// Parameters out of range.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// What is chosen cannot be given.
    #[error("mode Auto chooses --sample-size and --extension: they must be left out")]
    Chosen,
    /// The data allows no forest, or no threshold.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Times are needed that the file does not have.
    #[error("{0} needs the times of the rows: expected a column \"timestamp\", got none")]
    NoTimes(&'static str),
    /// A rate that is none.
    #[error("alerts per day must be greater than 0, got {0}")]
    AlertsPerDay(f64),
    /// A fixed score that is none.
    #[error("score must be greater than 0 and less than 1, got {0}")]
    Score(f64),
    /// Another system's file that holds no forest.
    #[error("{}: {source}", path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<interchange::Error>,
    },
    /// Names that are not as many as the imported forest's columns.
    #[error("columns must be as many as the imported forest's, {forest}, got {names}")]
    Columns {
        /// The forest's columns.
        forest: usize,
        /// The names given.
        names: usize,
    },
    /// The labels have no figures.
    #[error(transparent)]
    Labels(#[from] LabelledRowsError),
    /// The label is one of the columns.
    #[error("--label {0} must not be one of --columns: the model would learn the answer")]
    LearnedLabel(String),
    /// The manifest is invalid.
    #[error(transparent)]
    Manifest(#[from] FileError),
    /// It trains nothing.
    #[error("{0}: expected a manifest that trains a model, got model.load")]
    Loads(String),
    /// A source of the manifest keeps nothing of the past.
    #[error(
        "source {0:?} has no history to train on: `detector run` trains on the readings that arrive, and GET /model on its metrics port is the model"
    )]
    NoHistory(String),
    /// The sources or the training failed.
    #[error(transparent)]
    Monitor(#[from] MonitorError),
    /// No connections can be made.
    #[error(transparent)]
    Outgoing(#[from] OutgoingError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] ModelFileError),
}
