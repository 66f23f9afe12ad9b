//! A model and readings in, verdicts out.

/// What the model makes of an instant's readings.
pub mod verdict;
/// A model at work on a stream of readings.
pub mod scorer;
