//! The subcommands: arguments in, an answer or one sentence out.

/// `detector run`.
pub mod run;
/// `detector serve`.
pub mod serve;
/// Models and other files, read and written.
pub mod model_file;
/// Columns that are hardly measurements.
mod column_warnings;
/// `detector train`.
pub mod train;
/// A model that scores the rows of a table.
pub mod table_scorer;
/// `detector score`.
pub mod score;
/// `detector compare`.
pub mod compare;
/// `detector inspect`.
pub mod inspect;
/// `detector export`.
pub mod export;
/// `detector validate`.
pub mod validate;

use thiserror::Error;

/// Why a subcommand could not do what was asked: one sentence.
#[derive(Debug, Error)]
pub enum CommandError {
    /// `run` failed.
    #[error(transparent)]
    Run(#[from] run::error::RunError),
    /// `serve` failed.
    #[error(transparent)]
    Serve(#[from] serve::ServeError),
    /// `train` failed.
    #[error(transparent)]
    Train(#[from] train::TrainError),
    /// `score` failed.
    #[error(transparent)]
    Score(#[from] score::ScoreError),
    /// `compare` failed.
    #[error(transparent)]
    Compare(#[from] compare::CompareError),
    /// `inspect` failed.
    #[error(transparent)]
    Inspect(#[from] model_file::ModelFileError),
    /// `export` failed.
    #[error(transparent)]
    Export(#[from] export::ExportError),
    /// `validate` found broken rules.
    #[error(transparent)]
    Validate(#[from] validate::ValidateError),
}
