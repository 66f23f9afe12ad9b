//! Verdicts and the truth in; figures with their intervals out, and a threshold that keeps a goal.

/// What was judged of each instant, and what was really so.
pub mod instants;
/// Faults, events and alarms.
pub mod spans;
/// How well scores separate the labelled from the others.
pub mod ranking;
/// The score of the Numenta Anomaly Benchmark.
pub mod nab;
/// All figures, of all blocks or of some.
pub mod blocks;
/// Intervals.
pub mod bootstrap;
/// A threshold that keeps a goal.
pub mod choice;
