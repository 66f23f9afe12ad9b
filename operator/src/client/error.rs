//! The errors of calls from the operator to the API server.

use std::time::Duration;

use thiserror::Error;

/// A reconcile that could not be finished. It is retried, with a longer wait each time.
#[derive(Debug, Error)]
pub enum Error {
    /// A call was refused or failed.
    #[error("cannot {verb} {kind} {name}: {}", message(source))]
    Call {
        /// The verb of the call, such as `get` or `patch`.
        verb: &'static str,
        /// The kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// The error from the API server or from the connection.
        #[source]
        source: Box<kube::Error>,
    },
    /// A call took too long.
    #[error("cannot {verb} {kind} {name}: the API server did not answer within {deadline:?}")]
    Deadline {
        /// The verb of the call, such as `get` or `patch`.
        verb: &'static str,
        /// The kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// How long the operator waited.
        deadline: Duration,
    },
    /// Another replica holds the Lease by now.
    #[error("another replica leads")]
    NotLeading,
    /// The watches have ended.
    #[error("the operator is stopping")]
    Stopping,
}

/// Return the API server's message; without one, the message of the client.
fn message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

impl Error {
    /// Whether the call failed because the namespace is being deleted. The detector is deleted with it, so
    /// nothing is reported.
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

    /// Whether the object to create exists already (status 409).
    pub fn exists_already(&self) -> bool {
        self.code() == Some(409)
    }

    /// Whether the API server found the object invalid (status 422): a retry would not help.
    pub fn is_invalid(&self) -> bool {
        self.code() == Some(422)
    }

    /// Whether the API server rejects the request (status 400 or 422): a retry helps only once something else
    /// has changed.
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

    /// Whether the reconcile must end, because no other write would succeed either.
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
