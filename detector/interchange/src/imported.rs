//! What every reader gives: a forest, the steps before it, and what the file says of it.

use forest::Ensemble;

use crate::preprocessing::Preprocessing;

/// An isolation forest that was trained elsewhere.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The forest.
    pub ensemble: Ensemble,
    /// What is done to a row before the forest sees it; none where it sees rows as they are.
    pub preprocessing: Option<Preprocessing>,
    /// A row is anomalous when its score is greater: scikit-learn's `-offset_`, raised by [`TIE`].
    pub threshold: f64,
    /// The names of a row's columns, where the training data had any.
    pub columns: Option<Vec<String>>,
    /// What wrote the file, such as `scikit-learn 1.9.1`.
    pub origin: String,
    /// What scores otherwise here than there, a sentence each.
    pub warnings: Vec<String>,
}

impl Imported {
    /// How many cells a row has, before the steps: 1 or more.
    pub fn inputs(&self) -> usize {
        self.preprocessing.as_ref().map_or(self.ensemble.columns(), Preprocessing::inputs)
    }

    /// The cells that the forest sees of these rows, row by row.
    ///
    /// # Panics
    /// When `rows` are not whole rows.
    pub fn cells(&self, rows: Vec<f64>) -> Vec<f64> {
        match &self.preprocessing {
            Some(preprocessing) => preprocessing.apply(&rows),
            None => rows,
        }
    }
}

/// How much a threshold is raised over `-offset_`. A `contamination` often lays the threshold on a training row's own
/// score, which scikit-learn then calls normal; the same score, added up in another order, must not end up above it.
pub const TIE: f64 = 1e-12;

/// What is said of a forest that has learned from missing cells: scikit-learn's trees learn a side for them, ours know none.
pub(crate) const LEARNED_MISSING: &str = "the forest has learned from missing cells: scikit-learn sends a missing cell down the side that each split \
     has chosen for it, here it goes down both, so rows with missing cells score otherwise than there; all other rows score the same";

/// The threshold for scikit-learn's `offset_`.
pub(crate) fn threshold(offset: f64) -> f64 {
    -offset + TIE
}
