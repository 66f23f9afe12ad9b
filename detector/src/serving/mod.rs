//! What others can ask: metrics, the HTTP API, the log.

/// Every metric, once.
pub mod metrics;
/// How many bytes requests may hold.
pub mod budget;
/// Work that takes long.
pub mod batches;
/// A request's body.
pub mod body;
/// Answers that are made while they are sent.
pub mod pieces;
/// Zstandard.
pub mod zstd;
/// Answers that are compressed.
pub mod compression;
/// Where requests begin and heads end.
pub mod request_head;
/// How many requests of a connection wait.
pub mod pipeline;
/// All connections of a server.
pub mod connections;
/// What files hold, read again where they change.
pub mod reloaded;
/// Who may ask, by tokens.
pub mod tokens;
/// How a server presents itself, and whom it takes in, by certificates.
pub mod tls;
/// TCP, with TLS or without.
pub mod transport;
/// The requests of an HTTP/2 connection.
pub mod streams;
/// A client's connection, with its deadlines.
pub mod connection;
/// Answers as gRPC says them.
pub mod grpc_status;
/// Connections that speak HTTP/2.
pub mod http2;
/// The body of an HTTP/2 request, and what a route that refuses has left of it.
pub mod request_body;
/// Which threads must not end.
pub mod threads;
/// How long there has been no verdict.
pub mod silence;
/// The last 24 hours.
pub mod history;
/// What the monitor and the API share.
pub mod state;
/// HTTP.
pub mod api;
/// The log.
pub mod logging;
/// A verdict as JSON, for the API and for lines.
pub mod verdict_json;
