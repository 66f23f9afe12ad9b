//! The telemetry of the operator itself: log and metrics.

/// Log lines.
pub mod logging;
/// All metrics of the operator.
pub mod metrics;
