//! End to end, on a real cluster with the operator installed by its chart: `tests/on-cluster MODULE`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod cluster;
mod draining;
mod figures;
mod persistence;
#[path = "../linter/mod.rs"]
mod linter;
mod loading;
mod outages;
mod test_namespace;
mod plugin;
mod prometheus;
mod repair;
mod serving;
mod sources;
mod unions;
mod verdicts;
