//! Everything that can keep a command from being done, each in one sentence.

use std::io;

use thiserror::Error;

/// Why a command could not be done.
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
        /// Where it is.
        namespace: String,
        /// What can be done, or nothing.
        hint: &'static str,
    },
    /// A file that was named is of no use.
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
        /// What the API server says.
        why: String,
    },
    /// What was to be a token is none.
    #[error("expected a token of visible ASCII characters in the first line, got none")]
    Token,
    /// The detector and we do not trust each other.
    #[error("the detector's TLS: {0}")]
    Tls(#[source] io::Error),
    /// The connection to the pod broke.
    #[error("the connection to the detector: {0}")]
    Connection(#[from] hyper::Error),
    /// The detector refuses: its status and its sentence.
    #[error("{message} (HTTP {status})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it says.
        message: String,
    },
    /// An answer that no detector gives.
    #[error("expected the JSON of a detector, got something else: {0}")]
    NotJson(#[from] serde_json::Error),
    /// Reading a file, or writing the output.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// An argument that is no reading.
    #[error("expected VALUE or SENSOR=VALUE, got {0}")]
    Reading(String),
    /// Nothing to explain.
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
    /// Whether nobody reads the output any more, which is the reader's right.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
