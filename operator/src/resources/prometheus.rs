//! The common parts of the Prometheus Operator's objects: group and version, and the format of durations.

use std::time::Duration;

/// The Prometheus Operator's group and version.
pub const MONITORING: &str = "monitoring.coreos.com/v1";

/// Format a duration as Prometheus does, in whole milliseconds.
pub fn prometheus_duration(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => crd::Duration::from_secs(duration.as_secs()).to_string(),
        _ => format!("{}ms", duration.as_millis()),
    }
}
