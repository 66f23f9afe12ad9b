//! What the operator serves by HTTP: metrics for Prometheus, probes for the kubelet.

/// Files -> what HTTPS is served with.
pub mod tls;
/// A scrape -> whether it may.
pub mod authorization;
/// /metrics, /healthz, /readyz.
pub mod http;
