//! Where readings come from: sources and files in, readings instant after instant out.

/// What every sensor gave at one instant.
pub mod reading;
/// How far a training is.
pub mod progress;
/// Where readings come from.
pub mod sources;
/// CSV files as training and scoring data.
pub mod table;
/// The readings to come.
pub mod stream;
/// The readings that were.
pub mod history;
