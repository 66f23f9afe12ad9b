//! The subcommands: arguments in, a result or an error of one sentence out.

/// `detector run`.
pub mod run;
/// `detector demo`.
pub mod demo;
/// `detector serve`.
pub mod serve;
/// Reading and writing of models and other files.
pub mod model_file;
/// Warnings about columns that are probably not measurements.
mod column_warnings;
/// Labels of the rows that a model is trained on.
mod labelled_rows;
/// `detector train`.
pub mod train;
/// `detector score`.
pub mod score;
/// `detector evaluate`.
pub mod evaluate;
/// `detector tune`.
pub mod tune;
/// `detector compare`.
pub mod compare;
/// `detector inspect`.
pub mod inspect;
/// `detector export`.
pub mod export;
/// `detector import-apart`, which `run` starts.
pub mod import_apart;
/// `detector validate`.
pub mod validate;

use thiserror::Error;

use crate::cli::stdout::StdoutError;

/// Why a subcommand failed: one sentence.
#[derive(Debug, Error)]
pub enum CommandError {
    /// `run` or `demo` failed.
    #[error(transparent)]
    Run(#[from] Box<run::error::RunError>),
    /// `serve` failed.
    #[error(transparent)]
    Serve(#[from] serve::ServeError),
    /// `train` failed.
    #[error(transparent)]
    Train(#[from] Box<train::error::TrainError>),
    /// `score` failed.
    #[error(transparent)]
    Score(#[from] score::error::ScoreError),
    /// `evaluate` failed.
    #[error(transparent)]
    Evaluate(#[from] Box<evaluate::error::EvaluateError>),
    /// `tune` failed.
    #[error(transparent)]
    Tune(#[from] Box<tune::TuneError>),
    /// `compare` failed.
    #[error(transparent)]
    Compare(#[from] compare::CompareError),
    /// `inspect` failed.
    #[error(transparent)]
    Inspect(#[from] inspect::InspectError),
    /// `export` failed.
    #[error(transparent)]
    Export(#[from] export::ExportError),
    /// `import-apart` refused a file.
    #[error(transparent)]
    ImportApart(#[from] import_apart::ImportApartError),
    /// The standard output cannot be written.
    #[error(transparent)]
    Stdout(#[from] StdoutError),
    /// `validate` found broken rules.
    #[error(transparent)]
    Validate(#[from] validate::ValidateError),
}
