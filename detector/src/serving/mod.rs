//! The interfaces of a running detector: metrics, the HTTP API, the log.

/// All Prometheus metrics.
pub mod metrics;
/// The limit on the memory that requests may hold.
pub mod budget;
/// A thread pool for long computations.
pub mod batches;
/// Reads the body of a request.
pub mod body;
/// Answers that are produced while they are sent.
pub mod pieces;
/// Zstandard compression and decompression.
pub mod zstd;
/// Compression of answers.
pub mod compression;
/// Finds where the heads of requests begin and end.
pub mod request_head;
/// The number of requests of a connection that wait for an answer.
pub mod pipeline;
/// All connections of a server.
pub mod connections;
/// The contents of files, reloaded when the files change.
pub mod reloaded;
/// Authorization by tokens.
pub mod tokens;
/// The TLS configuration of a server: its certificate, and the client certificates that it accepts.
pub mod tls;
/// TCP, with TLS or without.
pub mod transport;
/// The requests of an HTTP/2 connection.
pub mod streams;
/// A client's connection, with its deadlines.
pub mod connection;
/// HTTP answers as gRPC statuses.
pub mod grpc_status;
/// Connections that speak HTTP/2.
pub mod http2;
/// The body of an HTTP/2 request; the unread rest when the request is refused.
pub mod request_body;
/// The threads that must not end while the detector runs.
pub mod threads;
/// The time since the last verdict.
pub mod silence;
/// The readings and severities of the last 24 hours.
pub mod history;
/// The newest verdicts.
pub mod newest_verdicts;
/// The state that the monitor and the API share.
pub mod state;
/// The routes of the HTTP API.
pub mod api;
/// The log.
pub mod logging;
/// A verdict as JSON, for the API and for the output of `--log json`.
pub mod verdict_json;
