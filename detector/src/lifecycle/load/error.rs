//! Why a model that is wanted is not to be had: for people a sentence, for programs a reason.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crd::contract::Rejected;
use crd::status::Reason;
use thiserror::Error;

use super::apart::ApartError;
use crate::model::model::ModelError;
use crate::model::names::list;
use crate::outgoing::{AddressRefused, OutgoingError};

/// Why there is no model.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A file that cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A url that is none.
    #[error("model.load.url is not valid: {why}")]
    Url {
        /// What is wrong with it. The url itself may hold a password.
        why: String,
    },
    /// A server that does not answer, or stops in the middle.
    #[error("{url}: {why}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// The deepest reason that is known.
        why: String,
    },
    /// A server that answers something else.
    #[error("{url}: the server answered {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// Its answer.
        status: String,
    },
    /// A bucket without that key.
    #[error("{url}: there is no such key")]
    NoSuchKey {
        /// What was asked for.
        url: String,
    },
    /// It took too long.
    #[error("{url}: the fetch must end within {} seconds", limit.as_secs())]
    Late {
        /// What was asked for.
        url: String,
        /// The time there was.
        limit: Duration,
    },
    /// Where a detector may not go.
    #[error("{url}: {source}")]
    Address {
        /// What was asked for.
        url: String,
        /// Where it leads.
        source: AddressRefused,
    },
    /// More bytes than are read.
    #[error("a model must be at most {most} bytes, got {got}")]
    TooLarge {
        /// The most that are read, by the memory there is.
        most: u64,
        /// The bytes there are.
        got: u64,
    },
    /// More bytes than are read, of an answer that does not say how many it has.
    #[error("a model must be at most {0} bytes, got more")]
    Endless(u64),
    /// Another file than the spec names.
    #[error("the file must have the SHA-256 {expected}, got {got}")]
    Digest {
        /// `model.load.sha256`.
        expected: String,
        /// That of the file.
        got: String,
    },
    /// Names that are not the sensors'.
    #[error("the model's columns must be the sensors {}, got {}", list(sensors), list(columns))]
    Columns {
        /// The sensors, in order.
        sensors: Vec<String>,
        /// The model's columns.
        columns: Vec<String>,
    },
    /// As many columns as there are no sensors.
    #[error("the model must have a column for each of the {sensors} sensors, got {columns} columns")]
    Count {
        /// How many sensors there are.
        sensors: usize,
        /// How many columns.
        columns: usize,
    },
    /// No artifact that can be read.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// No file of another system that can be read.
    #[error(transparent)]
    Import(#[from] ApartError),
    /// The program cannot speak HTTP.
    #[error(transparent)]
    Outgoing(#[from] OutgoingError),
    /// The system refuses threads.
    #[error("the model cannot be looked for: {0}")]
    Thread(std::io::Error),
}

impl LoadError {
    /// What a program makes of it.
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

/// Refuse what is announced to be, or already is, too large.
pub(super) fn check_size(got: u64, most: u64) -> Result<(), LoadError> {
    if got > most { Err(LoadError::TooLarge { most, got }) } else { Ok(()) }
}
