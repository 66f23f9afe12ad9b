//! AnomalyDetector in, workload out: `plan -> workload -> apply -> status`. What touches the cluster is in
//! [`apply`], [`observe`], [`harvest`], [`events`] and [`lease`], and what watches it in [`controller`]; all else is pure.
#![forbid(unsafe_code)]

/// Files -> what HTTPS is served with.
pub mod tls;
/// Flags and environment -> settings.
pub mod settings;
/// Log lines.
pub mod telemetry;
/// What the operator counts.
pub mod metrics;
/// How long to wait after a failure.
pub mod backoff;
/// What can go wrong on the way to the API server.
pub mod error;
/// Which of several replicas acts.
pub mod lease;
/// The end of the history to learn from.
pub mod history;
/// A detector and the settings -> what is to be built.
pub mod plan;
/// A plan -> the objects.
pub mod workload;
/// Which kinds there are, of those that a cluster need not have.
pub mod discovery;
/// What the watches have seen.
pub mod cache;
/// The object that should be and the one that is -> whether to write.
pub mod drift;
/// The objects -> the cluster.
pub mod apply;
/// The cluster -> what the pods do and say.
pub mod observe;
/// The models that are kept -> which to fetch, to point at, to let go.
pub mod revisions;
/// The bytes that a pod gave -> whether they are what it says.
pub mod artifact;
/// The models that pods serve -> ConfigMaps.
pub mod harvest;
/// Pods -> what keeps them from running.
pub mod trouble;
/// What the pods say -> the alarms to tell of.
pub mod alarms;
/// What was asked, done and seen -> the status.
pub mod status;
/// How often progress is told.
pub mod pace;
/// What every reconcile is handed.
pub mod context;
/// The conditions before and after -> Events.
pub mod events;
/// All of it, for one detector.
pub mod reconcile;
/// What is watched, and what is looked at again when.
pub mod controller;
/// A scrape -> whether it may.
pub mod guard;
/// /metrics, /healthz, /readyz.
pub mod http;
/// Everything, started and stopped.
pub mod run;
/// A release -> a proof that it works.
pub mod smoke;
