//! Trees and a row in, each column's contribution to the score out.

/// The gain of each column, and its share.
pub(crate) mod gains;
/// The gains on the path to each leaf.
mod gain_table;
/// The score of a row with its explanation.
pub(crate) mod explainer;
