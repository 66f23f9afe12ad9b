//! AnomalyDetector in, workload out. The modules are in the order in which a detector passes through them:
//! `controller -> plan -> resources -> apply -> observe -> models -> status`; below are those that all of
//! them use.
#![forbid(unsafe_code)]

/// The watches, and the reconcile of one detector.
pub mod controller;
/// A detector and the settings -> the plan of its workload.
pub mod plan;
/// A plan -> the objects.
pub mod resources;
/// The objects -> the cluster.
pub mod apply;
/// The cluster -> what the pods do and report.
pub mod observe;
/// The models that pods serve -> ConfigMaps.
pub mod models;
/// The spec, the outcome of the writes and the observed pods -> the status and Events.
pub mod status;
/// Access to the API server: the context of a reconcile, the cache, the Lease, retries.
pub mod client;
/// The defaults for fields that a detector's spec leaves out.
pub mod defaults;
/// Flags and environment -> settings.
pub mod settings;
/// Log lines and metrics.
pub mod telemetry;
/// /metrics, /healthz, /readyz.
pub mod serving;
/// The start and the orderly stop of all parts of the operator.
pub mod run;
/// A release -> a proof that it works.
pub mod smoke;
