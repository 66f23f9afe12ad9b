//! What others can ask: metrics, the HTTP API, the log.

/// Every metric, once.
pub mod metrics;
/// What the monitor and the API share.
pub mod state;
/// HTTP.
pub mod api;
/// The log.
pub mod logging;
/// A verdict as JSON, for the API and for lines.
pub mod verdict_json;
