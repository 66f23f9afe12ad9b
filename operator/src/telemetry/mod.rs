//! What the operator reports of itself.

/// Log lines.
pub mod logging;
/// Every metric, once.
pub mod metrics;
