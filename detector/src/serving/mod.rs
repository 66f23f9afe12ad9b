//! What others can ask: metrics, the HTTP API, the log.

/// Every metric, once.
pub mod metrics;
/// What the monitor and the API share.
pub mod state;
/// HTTP.
pub mod api;
/// What happens, told to people or machines.
pub mod log;
