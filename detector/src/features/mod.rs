//! Readings in, the vectors that a model sees out.

/// The usual value of each sensor by time of day.
pub mod daily;
/// The level of each sensor, which follows slow change.
pub mod reference;
/// Readings -> the vectors that a model sees.
pub mod pipeline;
/// Training vectors -> vectors measured against the level some time before.
pub mod level_drift;
/// The names of a vector's columns.
pub mod column_names;
