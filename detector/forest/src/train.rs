//! Samples and parameters in, isolation trees out.

/// How to train a forest.
pub mod params;
/// The value of a leaf, from the steps that lead to it.
pub(crate) mod leaf_value;
/// Random numbers.
mod draw;
/// The split value with the greatest gain.
mod gain;
/// One tree after the other.
pub(crate) mod grower;
