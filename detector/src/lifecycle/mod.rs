//! When a model is trained, loaded, stored and replaced.

/// Files that outlive a process: the model and the snapshot.
pub mod store;
/// The pauses between retries.
pub mod backoff;
/// Models that are loaded from files and servers.
pub mod load;
/// When to retrain.
pub mod retrain_schedule;
/// Training, resuming and retraining a model, and the replay of readings as fast as possible.
pub mod monitor;
