//! Samples and parameters in, isolation trees out.

/// How to train a forest.
pub(crate) mod params;
/// The value of a leaf, from the steps that lead to it.
mod leaf_value;
/// Random row numbers and other random numbers.
mod draw;
/// The layers of the ziggurat.
mod ziggurat;
/// Normal random numbers.
mod normal;
/// The rows that each tree is grown from.
pub(crate) mod bag;
/// The rows of the tree at hand.
mod sampled_rows;
/// The split value with the greatest gain.
mod gain;
/// One tree after the other.
pub(crate) mod grower;
