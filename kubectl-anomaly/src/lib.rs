//! `kubectl anomaly`: arguments in, what detectors on a cluster say out. Requests go to a detector's pod through the API server,
//! as `kubectl port-forward` sends them: nothing but a kubeconfig is needed.
#![forbid(unsafe_code)]

/// Why a command could not be done.
pub mod error;
/// One HTTP request on a stream.
pub mod request;
/// Certificates where the way is trusted already.
mod any_certificate;
/// Certificates and tokens that were given.
pub mod credentials;
/// Clusters, pods and streams to them.
pub mod cluster;
/// TLS and tokens of a detector.
pub mod access;
/// A detector that can be asked.
pub mod detector;
/// Tables and lines for people.
pub mod text;
/// Standard output, which may be closed early.
pub mod output;
/// One file per command.
pub mod commands;
/// The command line.
pub mod arguments;
