//! What every reader gives: a forest, and what the file says of it.

use forest::Ensemble;

/// An isolation forest that was trained elsewhere.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The forest.
    pub ensemble: Ensemble,
    /// A row is anomalous when its score is greater: scikit-learn's `-offset_`, raised by [`TIE`].
    pub threshold: f64,
    /// The columns' names, where the training data had any.
    pub columns: Option<Vec<String>>,
    /// What wrote the file, such as `scikit-learn 1.9.1`.
    pub origin: String,
}

/// How much a threshold is raised over `-offset_`. A `contamination` often lays the threshold on a training row's own
/// score, which scikit-learn then calls normal; the same score, added up in another order, must not end up above it.
pub const TIE: f64 = 1e-12;

/// The threshold for scikit-learn's `offset_`.
pub(crate) fn threshold(offset: f64) -> f64 {
    -offset + TIE
}
