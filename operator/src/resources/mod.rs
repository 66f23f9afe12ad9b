//! A plan in, every object of the workload out. One file an object; nothing here touches a cluster.

/// The manifest that the pods read.
pub mod config_map;
/// The models that they serve.
pub mod model;
/// What they find in their files.
pub mod volumes;
/// The pods.
pub mod deployment;
/// Who may talk to the pods, and whom they may talk to.
pub mod network_policy;
/// How many pods may be evicted at once.
pub mod pod_disruption_budget;
/// Where predictions and metrics are reached.
pub mod service;
/// Where replicas find each other.
pub mod peers;
/// Who the pods are: nobody, without a token.
pub mod service_account;
/// What makes Prometheus scrape the pods.
pub mod service_monitor;
/// Alerts.
pub mod alerts;
/// The rules that Prometheus evaluates.
pub mod prometheus_rule;
/// What Grafana shows.
pub mod dashboard;
/// What the Prometheus Operator's objects share.
pub mod prometheus;
/// All of them together.
pub mod workload;
/// Their kinds.
pub mod kind;

pub use kind::Kind;
pub use workload::{Workload, build};
