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
/// Answers that are gzipped.
pub mod compression;
/// Where requests begin and heads end.
pub mod request_head;
/// All connections of a server.
pub mod connections;
/// A client's connection, with its deadlines.
pub mod connection;
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
