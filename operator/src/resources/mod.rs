//! A plan in, every object of the workload out. One file per object; no file makes a call to the cluster.

/// The ConfigMap with the manifest that the pods read.
pub mod config_map;
/// The ConfigMaps with the models that the pods serve.
pub mod model;
/// The volumes of the pods and their mounts.
pub mod volumes;
/// The Deployment of the pods.
pub mod deployment;
/// The network traffic that is allowed to and from the pods.
pub mod network_policy;
/// How many pods may be evicted at once.
pub mod pod_disruption_budget;
/// The Service for predictions and metrics.
pub mod service;
/// The headless Service by which replicas find each other.
pub mod peers;
/// The account that the pods run as: without rights, and without a token.
pub mod service_account;
/// The object that makes Prometheus scrape the pods.
pub mod service_monitor;
/// The recording rules and alerts of a detector.
pub mod alerts;
/// The rules that Prometheus evaluates.
pub mod prometheus_rule;
/// The ConfigMap with the dashboard for Grafana.
pub mod dashboard;
/// What the Prometheus Operator's objects share.
pub mod prometheus;
/// All objects of a detector together.
pub mod workload;
/// The kinds of these objects.
pub mod kind;

pub use kind::Kind;
pub use workload::{Workload, build};
