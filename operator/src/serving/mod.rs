//! What the operator serves: metrics for Prometheus, probes for the kubelet.

/// Files -> what HTTPS is served with.
pub mod tls;
/// What the operator counts.
pub mod metrics;
/// A scrape -> whether it may.
pub mod authorization;
/// /metrics, /healthz, /readyz.
pub mod http;
