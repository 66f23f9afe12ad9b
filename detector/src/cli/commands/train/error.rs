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
    /// The table has too few rows to learn from.
    #[error("{}: expected at least 2 rows to train on, got {rows}", input.display())]
    TooFew {
        /// The file.
        input: PathBuf,
        /// The number of its rows.
        rows: usize,
    },
    /// Parameters out of range.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// An option is given that mode Auto chooses itself.
    #[error("mode Auto chooses --sample-size and --extension: they must be left out")]
    Chosen,
    /// The data allows no forest, or no threshold.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// An option needs the times of the rows, which the file does not have.
    #[error("{0} needs the times of the rows: expected a column \"timestamp\", got none")]
    NoTimes(&'static str),
    /// The alerts per day are not a number over 0.
    #[error("alerts per day must be greater than 0, got {0}")]
    AlertsPerDay(f64),
    /// The fixed score is not between 0 and 1.
    #[error("score must be greater than 0 and less than 1, got {0}")]
    Score(f64),
    /// The file of another system cannot be imported.
    #[error("{}: {source}", path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<interchange::Error>,
    },
    /// The number of names is not the number of the imported forest's columns.
    #[error("columns must be as many as the imported forest's, {forest}, got {names}")]
    Columns {
        /// The number of the forest's columns.
        forest: usize,
        /// The number of given names.
        names: usize,
    },
    /// The figures of the labelled rows cannot be computed.
    #[error(transparent)]
    Labels(#[from] LabelledRowsError),
    /// The label is one of the columns.
    #[error("--label {0} must not be one of --columns: the model would be trained on the label")]
    LearnedLabel(String),
    /// The manifest is invalid.
    #[error(transparent)]
    Manifest(#[from] FileError),
    /// The manifest loads its model instead of training one.
    #[error("{0}: expected a manifest that trains a model, got model.load")]
    Loads(String),
    /// A source of the manifest has no history.
    #[error(
        "source {0:?} has no history to train on: `detector run` trains on the readings that arrive, and GET /model on its metrics port is the model"
    )]
    NoHistory(String),
    /// The sources or the training failed.
    #[error(transparent)]
    Monitor(#[from] MonitorError),
    /// The client for connections to other servers cannot be created.
    #[error(transparent)]
    Outgoing(#[from] OutgoingError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] ModelFileError),
}
