//! Readings in, the vectors that a model sees out.

/// What is usual at which time of the day.
pub mod daily;
/// The level of each sensor, which follows slow change.
pub mod reference;
/// Readings -> the vectors that a model sees.
pub mod pipeline;
/// What training vectors look like against the level of a while before.
pub mod wander;
/// What a vector's columns are called.
pub mod column_names;
