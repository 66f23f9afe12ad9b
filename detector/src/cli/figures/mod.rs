//! Verdicts and labels in; figures with their confidence intervals, and a threshold that meets a goal, out.

/// The instants: the verdict on each, and the faults that were active.
pub mod instants;
/// Faults, events and alarms.
pub mod spans;
/// How well scores separate labelled rows from the others.
pub mod ranking;
/// The score of the Numenta Anomaly Benchmark.
pub mod nab;
/// All figures, over blocks of instants that have weights.
pub mod blocks;
/// Confidence intervals.
pub mod bootstrap;
/// A threshold that meets a goal.
pub mod choice;
