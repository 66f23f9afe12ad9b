//! The subcommands: arguments in, an answer or one sentence out.

/// `detector run`.
pub mod run;
/// `detector train`.
pub mod train;
/// `detector score`.
pub mod score;
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
    Run(#[from] run::RunError),
    /// `validate` found broken rules.
    #[error(transparent)]
    Validate(#[from] validate::ValidateError),
}
