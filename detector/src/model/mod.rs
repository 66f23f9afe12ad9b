//! Vectors in, a model out; a model and a vector in, a judgement out.

/// The judgement of a vector: score, severity, contributions.
pub mod judgement;
/// The greatest scores -> the threshold for any small share.
pub mod tail;
/// Training scores -> the threshold, and the alerts per day to expect from it.
pub mod threshold;
/// Lists of names for sentences.
pub mod names;
/// The kind of a file that is not a model.
mod file_kind;
/// An artifact -> a model.
#[expect(clippy::module_inception, reason = "the module has the name of its main type")]
pub mod model;
/// A model and a vector -> a judgement.
pub mod judge;
/// Readings -> the vectors to train on.
pub mod vectors;
/// Readings -> a model.
pub mod training;
