//! Samples and parameters in, isolation trees out.

/// The parameters of training a forest.
pub(crate) mod params;
/// The value of a leaf, from the steps that lead to it.
mod leaf_value;
/// Random row numbers and other random numbers.
mod draw;
/// The table for drawing normal random numbers.
mod ziggurat;
/// Normal random numbers.
mod normal;
/// The rows that each tree is grown from.
pub(crate) mod bag;
/// The rows of the tree that is being grown.
mod sampled_rows;
/// The split value with the greatest gain.
mod gain;
/// The growth of trees, one after the other.
pub(crate) mod grower;
