//! What reconciles need to talk to the API server.

/// How long to wait after a failure.
pub mod backoff;
/// What can go wrong on the way to the API server.
pub mod error;
/// Which of several replicas acts.
pub mod lease;
/// Which kinds there are, of those that a cluster need not have.
pub mod discovery;
/// What the watches have seen.
pub mod cache;
/// How many detectors replace their pods at once.
pub mod rollouts;
/// How often progress is published.
pub mod status_throttle;
/// Whether the operator sees the cluster as it is.
pub mod health;
/// What every reconcile is handed.
pub mod context;
