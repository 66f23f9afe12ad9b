//! The errors of commands, each in one sentence.

use std::io;

use thiserror::Error;

/// Why a command failed.
#[derive(Debug, Error)]
pub enum CommandError {
    /// There is no kubeconfig, or it names no cluster.
    #[error("the kubeconfig cannot be used: {0}")]
    Kubeconfig(Box<kube::config::KubeconfigError>),
    /// The API server refuses, or cannot be reached.
    #[error("the API server: {0}")]
    Cluster(Box<kube::Error>),
    /// The detector has no pod that can answer.
    #[error("detector {name} in namespace {namespace} has no ready pod{hint}")]
    NoPod {
        /// The detector.
        name: String,
        /// Its namespace.
        namespace: String,
        /// A hint on what to do; may be empty.
        hint: &'static str,
    },
    /// A file from the command line cannot be read or used.
    #[error("{file}: {why}")]
    File {
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// The Secret with the token cannot be read.
    #[error("the token in Secret {secret} cannot be read, give it by --token-file: {why}")]
    Secret {
        /// The Secret.
        secret: String,
        /// Why it cannot be read.
        why: String,
    },
    /// The text has no valid token.
    #[error("expected a token of visible ASCII characters in the first line, got none")]
    Token,
    /// The TLS settings are invalid, or the TLS handshake with the detector failed.
    #[error("the detector's TLS: {0}")]
    Tls(#[source] io::Error),
    /// The connection to the pod broke.
    #[error("the connection to the detector: {0}")]
    Connection(#[from] hyper::Error),
    /// The detector answered with an error status.
    #[error("{message} (HTTP {status})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The sentence in its answer.
        message: String,
    },
    /// The answer is not JSON as detectors send it.
    #[error("expected the JSON of a detector, got something else: {0}")]
    NotJson(#[from] serde_json::Error),
    /// A file could not be read, or the output could not be written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// An argument is not VALUE or SENSOR=VALUE.
    #[error("expected VALUE or SENSOR=VALUE, got {0}")]
    Reading(String),
    /// None of the newest verdicts is anomalous, so that there is nothing to explain.
    #[error(
        "none of the newest {0} verdicts is anomalous: give readings to explain those, as in `kubectl anomaly explain NAME SENSOR=VALUE`"
    )]
    NothingAnomalous(usize),
}

impl From<kube::Error> for CommandError {
    fn from(error: kube::Error) -> Self {
        Self::Cluster(Box::new(error))
    }
}

impl From<kube::config::KubeconfigError> for CommandError {
    fn from(error: kube::config::KubeconfigError) -> Self {
        Self::Kubeconfig(Box::new(error))
    }
}

impl CommandError {
    /// Whether the reader has closed the output, as `head` does. This is not a failure.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
