//! What was judged of a file's readings, and how it would be by another threshold.

use crate::cli::figures::instants::Evaluated;

/// What was judged of a file's readings.
pub(super) struct FileJudged {
    /// What messages call it.
    pub(super) name: String,
    /// The instants.
    pub(super) evaluated: Evaluated,
    /// The same by another threshold.
    pub(super) rethreshold: Box<dyn Fn(Evaluated, f64) -> Evaluated>,
}
