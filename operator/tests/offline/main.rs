//! The tests that need no cluster: golden objects of the samples, golden status of the states, scenarios
//! against a scripted API server, and rules and dashboards checked against the metrics.
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
