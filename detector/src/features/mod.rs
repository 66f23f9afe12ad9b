//! Readings in, the vectors that a model sees out.

/// What is usual at which time of the day.
pub mod daily;
/// Readings -> the vectors that a model sees.
pub mod pipeline;
