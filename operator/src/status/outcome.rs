//! The outcome of writing the workload: applied, waiting for other rollouts, refused until a person acts, or
//! failed and to be retried.

use crd::status::Reason;
use crd::valid::Invalid;

use crate::apply::step::NameTaken;
use crate::client::error::Error;

/// The outcome of writing the workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The workload is as the spec asks.
    Applied,
    /// The workload is as the spec asks, except the pods: they are replaced once fewer other detectors
    /// replace theirs.
    Queued {
        /// How many detectors replace their pods at once.
        limit: usize,
    },
    /// The operator refuses the spec until a person acts.
    Refused {
        /// The reason for the conditions.
        reason: Reason,
        /// What to change.
        message: String,
    },
    /// The API server rejects an object that the spec leads to. A person has to act here, too.
    Rejected {
        /// The messages of the API server.
        message: String,
    },
    /// A call failed; it will be retried.
    Failed {
        /// The messages of the errors.
        message: String,
    },
}

impl Outcome {
    /// Return the outcome of writing the objects, given the errors of the writes that failed.
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
