//! Why `detector run` could not run: one sentence.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::address::Address;
use crate::cli::manifest::FileError;
use crate::cli::stdout::StdoutError;
use crate::files::same_file::OverInput;
use crate::lifecycle::load::LoadError;
use crate::lifecycle::monitor::MonitorError;
use crate::outgoing::OutgoingError;

/// Why a detector could not run.
#[derive(Debug, Error)]
pub enum RunError {
    /// The manifest is invalid.
    #[error(transparent)]
    Manifest(#[from] FileError),
    /// The sources or the training failed.
    #[error(transparent)]
    Monitor(#[from] MonitorError),
    /// The model cannot be loaded.
    #[error("model.load: {0}")]
    Load(#[from] LoadError),
    /// The folder of `--state` cannot be created or written.
    #[error("{}: {source}", path.display())]
    State {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An address is in use, or does not belong to this machine.
    #[error("{0} cannot be listened on: {1}")]
    Listen(Address, io::Error),
    /// The certificate or the tokens cannot be used.
    #[error("{0}")]
    Serving(String),
    /// The output file cannot be written.
    #[error("{}: {source}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The lines cannot be printed.
    #[error(transparent)]
    Stdout(#[from] StdoutError),
    /// The output would overwrite an input.
    #[error(transparent)]
    OverInput(#[from] OverInput),
    /// The client for connections to other servers cannot be created.
    #[error(transparent)]
    Outgoing(#[from] OutgoingError),
    /// The system refuses a resource, such as a thread or a signal handler; or a training panicked.
    #[error("the detector cannot start: {0}")]
    Start(io::Error),
}
