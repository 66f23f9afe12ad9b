//! What can go wrong between the operator and the API server.

use std::time::Duration;

use thiserror::Error;

/// A reconcile that could not be finished. It is tried again, later each time.
#[derive(Debug, Error)]
pub enum Error {
    /// A call was refused or failed.
    #[error("cannot {verb} {kind} {name}: {}", message(source))]
    Call {
        /// What was tried.
        verb: &'static str,
        /// On which kind of object.
        kind: String,
        /// Its name.
        name: String,
        /// What the API server or the connection said.
        #[source]
        source: Box<kube::Error>,
    },
    /// A call took too long.
    #[error("cannot {verb} {kind} {name}: the API server did not answer within {deadline:?}")]
    Deadline {
        /// What was tried.
        verb: &'static str,
        /// On which kind of object.
        kind: String,
        /// Its name.
        name: String,
        /// How long was waited.
        deadline: Duration,
    },
    /// Another replica holds the Lease by now.
    #[error("another replica leads")]
    NotLeading,
    /// The watches have ended.
    #[error("the operator is stopping")]
    Stopping,
}

/// The API server's own sentence, else the client's.
fn message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

impl Error {
    /// Whether it came of the namespace being deleted: the detector goes with it, and no report is needed.
    pub fn namespace_is_terminating(&self) -> bool {
        let Self::Call { source, .. } = self else { return false };
        let kube::Error::Api(status) = &**source else { return false };
        let causes = status.details.iter().flat_map(|details| &details.causes);
        status.code == 403 && causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
    }

    /// Whether the object is gone, or its namespace.
    pub fn is_gone(&self) -> bool {
        self.code() == Some(404)
    }

    /// Whether what should be created is there already.
    pub fn exists_already(&self) -> bool {
        self.code() == Some(409)
    }

    /// Whether the API server found the object invalid: to try again would not help.
    pub fn is_invalid(&self) -> bool {
        self.code() == Some(422)
    }

    /// Whether the API server refuses what is asked of it: to try again helps only once something else has changed.
    pub fn is_refused(&self) -> bool {
        matches!(self.code(), Some(400 | 422))
    }

    /// Whether the API server gave no answer, or cannot answer now.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Deadline { .. } => true,
            Self::Call { .. } => self.code().is_none_or(|code| code == 429 || code >= 500),
            Self::NotLeading | Self::Stopping => false,
        }
    }

    /// Whether nothing else may be written either.
    pub fn ends_reconcile(&self) -> bool {
        matches!(self, Self::NotLeading | Self::Stopping) || self.namespace_is_terminating()
    }

    fn code(&self) -> Option<u16> {
        match self {
            Self::Call { source, .. } => match &**source {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            Self::Deadline { .. } | Self::NotLeading | Self::Stopping => None,
        }
    }
}
