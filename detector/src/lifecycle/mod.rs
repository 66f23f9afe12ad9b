//! When a model is trained, loaded, stored and replaced.

/// What outlives a process.
pub mod store;
/// When to try again.
pub mod backoff;
/// Models that come from elsewhere.
pub mod load;
/// When to retrain.
pub mod retrain_schedule;
/// The loop: train, then readings -> verdicts, at the pace of the clock or as fast as it goes.
pub mod monitor;
