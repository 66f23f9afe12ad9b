//! The result of every reader: a forest, the steps before it, its threshold, column names and origin.

use forest::Ensemble;

use crate::preprocessing::Preprocessing;

/// An isolation forest that was trained elsewhere.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The forest.
    pub ensemble: Ensemble,
    /// The steps that turn a row into the forest's cells; `None` if the forest scores rows unchanged.
    pub preprocessing: Option<Preprocessing>,
    /// A row is anomalous when its score is greater: scikit-learn's `-offset_`, raised by [`TIE`].
    pub threshold: f64,
    /// The names of a row's columns, if the training data had any.
    pub columns: Option<Vec<String>>,
    /// The program that wrote the file, such as `scikit-learn 1.9.1`.
    pub origin: String,
    /// The differences between scores here and in the original system, one sentence each.
    pub warnings: Vec<String>,
}

impl Imported {
    /// How many cells a row has, before the steps: 1 or more.
    pub fn inputs(&self) -> usize {
        self.preprocessing.as_ref().map_or(self.ensemble.columns(), Preprocessing::inputs)
    }

    /// Apply the steps to `rows`, and return the cells that the forest scores, row by row.
    ///
    /// # Panics
    /// If there are steps and the length of `rows` is not a multiple of [`inputs`](Self::inputs).
    pub fn cells(&self, rows: Vec<f64>) -> Vec<f64> {
        match &self.preprocessing {
            Some(preprocessing) => preprocessing.apply(&rows),
            None => rows,
        }
    }
}

/// The amount by which a threshold is raised above `-offset_`. With `contamination`, the threshold is often
/// exactly the score of a training row, which scikit-learn then calls normal. Here the same score is added up
/// in another order, and its rounding error must not put it above the threshold.
pub const TIE: f64 = 1e-12;

/// The warning for a forest that was trained on missing cells: each split of scikit-learn's trees learns a
/// side for them, the splits here do not.
pub(crate) const LEARNED_MISSING: &str = "the forest was trained with missing values: scikit-learn sends a missing value to the side \
     that the split chose for it, here it goes to both, so rows \
     with missing values have other scores than in scikit-learn; all other rows have the same";

/// The threshold for scikit-learn's `offset_`.
pub(crate) fn threshold(offset: f64) -> f64 {
    -offset + TIE
}
