//! Trees and a row in, what each column did to set it apart out.

/// What each column gained, and its share.
pub(crate) mod gains;
/// What the way to each leaf gained.
pub(crate) mod gain_table;
