//! What the objects of the Prometheus Operator share: its group and version, and how Prometheus writes durations.

use std::time::Duration;

/// The Prometheus Operator's group and version.
pub const MONITORING: &str = "monitoring.coreos.com/v1";

/// As Prometheus writes durations: whole milliseconds.
pub fn prometheus_duration(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => crd::Duration::from_secs(duration.as_secs()).to_string(),
        _ => format!("{}ms", duration.as_millis()),
    }
}
