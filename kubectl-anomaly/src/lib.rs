//! `kubectl anomaly`: arguments in, answers of detectors on a cluster out. Requests go to a detector's pod
//! through the API server, as `kubectl port-forward` sends them: only a kubeconfig is needed.
#![forbid(unsafe_code)]

/// The errors of commands.
pub mod error;
/// One HTTP request on a stream.
pub mod request;
/// A verifier for connections that the API server already makes safe: it accepts any certificate.
mod any_certificate;
/// Certificates and tokens from the command line.
pub mod credentials;
/// Clusters, pods and streams to them.
pub mod cluster;
/// TLS settings and token for requests to a detector.
pub mod access;
/// A detector, and requests to it.
pub mod detector;
/// Tables and lines for people.
pub mod text;
/// Standard output, which may be closed early.
pub mod output;
/// One file per command.
pub mod commands;
/// The command line.
pub mod arguments;
