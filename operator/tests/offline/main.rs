//! What needs no cluster: samples beside their objects, states beside their status, scenarios against a scripted API
//! server, the rules and dashboards beside the metrics.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod api_server;
mod dashboards;
mod discovery;
mod golden;
mod https;
#[path = "../linter/mod.rs"]
mod linter;
mod metrics;
mod model_sync;
mod monitoring;
mod pod;
mod reconcile;
mod recorded;
mod rules;
mod states;
