//! What the operator serves by HTTP: metrics for Prometheus, probes for the kubelet.

/// Certificate files -> the TLS configuration of the server.
pub mod tls;
/// A scrape -> whether it is allowed.
pub mod authorization;
/// /metrics, /healthz, /readyz.
pub mod http;
