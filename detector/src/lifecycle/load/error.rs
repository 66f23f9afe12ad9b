//! Why a requested model cannot be loaded: for people a sentence, for programs a reason.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crd::contract::Rejected;
use crd::status::Reason;
use thiserror::Error;

use super::import_process::ImportProcessError;
use crate::model::model::ModelError;
use crate::model::names::list;
use crate::outgoing::{AddressRefused, OutgoingError};

/// Why a model cannot be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The URL is not valid.
    #[error("model.load.url is not valid: {why}")]
    Url {
        /// What is wrong with it. The url itself may hold a password.
        why: String,
    },
    /// The server does not answer, or stops in the middle.
    #[error("{url}: {why}")]
    Unreachable {
        /// The requested URL.
        url: String,
        /// The deepest known cause.
        why: String,
    },
    /// The server answers with another status than 200.
    #[error("{url}: the server answered {status}")]
    Status {
        /// The requested URL.
        url: String,
        /// The status of the answer.
        status: String,
    },
    /// The bucket has no such key.
    #[error("{url}: there is no such key")]
    NoSuchKey {
        /// The requested URL.
        url: String,
    },
    /// The fetch took too long.
    #[error("{url}: the fetch must end within {} seconds", limit.as_secs())]
    Late {
        /// The requested URL.
        url: String,
        /// The time limit.
        limit: Duration,
    },
    /// The URL leads to an address that a detector may not use.
    #[error("{url}: {source}")]
    Address {
        /// The requested URL.
        url: String,
        /// The refused address.
        source: AddressRefused,
    },
    /// The model has more bytes than the limit.
    #[error("a model must be at most {most} bytes, got {got}")]
    TooLarge {
        /// The limit, by the available memory.
        most: u64,
        /// The size of the model.
        got: u64,
    },
    /// The answer, which does not announce its length, has more bytes than this limit.
    #[error("a model must be at most {0} bytes, got more")]
    Endless(u64),
    /// The file has another digest than the spec names.
    #[error("the file must have the SHA-256 {expected}, got {got}")]
    Digest {
        /// `model.load.sha256`.
        expected: String,
        /// The SHA-256 of the file.
        got: String,
    },
    /// The columns are not named as the sensors.
    #[error("the model's columns must be the sensors {}, got {}", list(sensors), list(columns))]
    Columns {
        /// The sensors, in order.
        sensors: Vec<String>,
        /// The model's columns.
        columns: Vec<String>,
    },
    /// The number of columns is not the number of sensors.
    #[error("the model must have a column for each of the {sensors} sensors, got {columns} columns")]
    Count {
        /// How many sensors there are.
        sensors: usize,
        /// How many columns the model has.
        columns: usize,
    },
    /// The file is not a valid artifact.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The file of another system cannot be imported.
    #[error(transparent)]
    Import(#[from] ImportProcessError),
    /// The HTTP client cannot be set up.
    #[error(transparent)]
    Outgoing(#[from] OutgoingError),
    /// The system refuses threads.
    #[error("the search for models cannot start: {0}")]
    Thread(std::io::Error),
}

impl LoadError {
    /// The reason, for programs.
    pub fn reason(&self) -> Reason {
        match self {
            Self::File { .. }
            | Self::Url { .. }
            | Self::Unreachable { .. }
            | Self::Status { .. }
            | Self::NoSuchKey { .. }
            | Self::Late { .. }
            | Self::Outgoing(_)
            | Self::Thread(_) => Reason::LoadFailed,
            Self::Address { .. } => Reason::AddressRefused,
            Self::TooLarge { .. } | Self::Endless(_) => Reason::ModelTooLarge,
            Self::Digest { .. } => Reason::DigestMismatch,
            Self::Columns { .. } | Self::Count { .. } => Reason::ColumnsMismatch,
            Self::Model(_) | Self::Import(_) => Reason::ArtifactInvalid,
        }
    }

    /// The report to the operator.
    pub fn rejected(&self) -> Rejected {
        Rejected { reason: self.reason(), message: self.to_string() }
    }
}

/// Check that a size, announced or actual, is within the limit, bytes.
pub(super) fn check_size(got: u64, most: u64) -> Result<(), LoadError> {
    if got > most { Err(LoadError::TooLarge { most, got }) } else { Ok(()) }
}
