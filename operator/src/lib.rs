//! AnomalyDetector in, workload out. The modules stand in the order in which a detector passes through them:
//! `controller -> plan -> resources -> apply -> observe -> models -> status`; what they all need stands below.
#![forbid(unsafe_code)]

/// What is watched, and the reconcile of one detector.
pub mod controller;
/// A detector and the settings -> what to build.
pub mod plan;
/// A plan -> the objects.
pub mod resources;
/// The objects -> the cluster.
pub mod apply;
/// The cluster -> what the pods do and report.
pub mod observe;
/// The models that pods serve -> ConfigMaps.
pub mod models;
/// What was asked, done and seen -> the status and Events.
pub mod status;
/// The way to the API server: what every reconcile is handed, the cache, the Lease, retries.
pub mod client;
/// What detectors get whose own spec leaves it out.
pub mod defaults;
/// Flags and environment -> settings.
pub mod settings;
/// Log lines and metrics.
pub mod telemetry;
/// /metrics, /healthz, /readyz.
pub mod serving;
/// Everything, started and stopped.
pub mod run;
/// A release -> a proof that it works.
pub mod smoke;
