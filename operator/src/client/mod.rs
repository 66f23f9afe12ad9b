//! What reconciles need to talk to the API server.

/// How long to wait after a failure.
pub mod backoff;
/// What can go wrong on the way to the API server.
pub mod error;
/// Leader election: which of several replicas acts.
pub mod lease;
/// Which of the optional kinds the cluster knows.
pub mod discovery;
/// The cache of what the watches have seen.
pub mod cache;
/// How many detectors replace their pods at once.
pub mod rollouts;
/// The limit on how often a status is written.
pub mod status_throttle;
/// Whether the operator's view of the cluster is up to date.
pub mod health;
/// The context that every reconcile receives.
pub mod context;
