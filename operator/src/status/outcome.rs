//! Whether the workload could be written: applied, waiting for others, refused until a person acts, or failed and to be tried
//! again.

use crd::status::Reason;
use crd::valid::Invalid;

use crate::apply::step::NameTaken;
use crate::client::error::Error;

/// What became of writing the workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is as the spec says.
    Applied,
    /// It is, but for the pods: they are replaced when fewer others are.
    Queued {
        /// How many detectors replace their pods at once.
        limit: usize,
    },
    /// It waits for a person.
    Refused {
        /// Why.
        reason: Reason,
        /// What to change.
        message: String,
    },
    /// The API server refuses what the spec asks for: it waits for a person, too.
    Rejected {
        /// What it says.
        message: String,
    },
    /// It will be tried again.
    Failed {
        /// What went wrong.
        message: String,
    },
}

impl Outcome {
    /// Of writing the objects, some of which may have failed.
    pub fn of_writes(failed: &[Error]) -> Self {
        let message = failed.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        match failed {
            [] => Self::Applied,
            _ if failed.iter().all(Error::is_refused) => Self::Rejected { message },
            _ => Self::Failed { message },
        }
    }
}

impl From<Invalid> for Outcome {
    fn from(invalid: Invalid) -> Self {
        Self::Refused { reason: Reason::InvalidSpec, message: invalid.to_string() }
    }
}

impl From<NameTaken> for Outcome {
    fn from(taken: NameTaken) -> Self {
        Self::Refused { reason: Reason::NameTaken, message: taken.to_string() }
    }
}
