//! Trees and a row in, what each column did to set it apart out.

/// What each column gained, and its share.
pub(crate) mod gains;
/// The gains on the path to each leaf.
mod gain_table;
/// The score of a row with its explanation.
pub(crate) mod explainer;
