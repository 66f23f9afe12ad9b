//! Why a Python object is not an isolation forest that can be imported: one sentence each.

use forest::ForestError;

use crate::budget::CostError;
use crate::class::FOREST_ALONE;
use crate::numpy::NumpyError;
use crate::preprocessing::PreprocessingError;
use crate::tree::TreeError;

/// The most characters of a column's name.
pub(super) const NAME_LIMIT: usize = 256;

/// Why an object is not an isolation forest that can be imported.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file holds something else.
    #[error("the file must hold an IsolationForest, got {0}")]
    NotAForest(&'static str),
    /// A pipeline ends in something else.
    #[error("the last step of the Pipeline must be an IsolationForest, got {0}")]
    LastStep(&'static str),
    /// `fit` was never called.
    #[error("the {class} was never fitted: it has no {attribute}")]
    NotFitted {
        /// The estimator's class.
        class: &'static str,
        /// The attribute that `fit` would have set.
        attribute: &'static str,
    },
    /// A step before the forest that is not supported.
    #[error("the {class} is not supported: {rule}. {FOREST_ALONE}")]
    Step {
        /// The step's class, or `step` if it is not an estimator.
        class: &'static str,
        /// The rule that the step breaks.
        rule: String,
    },
    /// A step was fitted with another number of columns than it gets.
    #[error("the {class} must have {expected} columns, got {got}")]
    Width {
        /// The step's class.
        class: &'static str,
        /// The number of columns that it gets.
        expected: usize,
        /// The number of columns that it was fitted with.
        got: usize,
    },
    /// The arithmetic of a step is refused.
    #[error("the {class}: {source}")]
    Arithmetic {
        /// The class of the step.
        class: &'static str,
        /// What is wrong with it.
        source: PreprocessingError,
    },
    /// A version that is not supported.
    #[error("scikit-learn must be 1.0 or newer, got {0}")]
    Version(String),
    /// An attribute is not of the kind that scikit-learn gives it.
    #[error("{attribute} must be {expected}, got {got}")]
    Attribute {
        /// Its name.
        attribute: &'static str,
        /// What scikit-learn writes.
        expected: &'static str,
        /// The kind of the object that the file has.
        got: &'static str,
    },
    /// An array cannot be read.
    #[error("{attribute}: {source}")]
    Array {
        /// The attribute that holds it.
        attribute: &'static str,
        /// What is wrong with it.
        source: NumpyError,
    },
    /// A number is out of its range.
    #[error("{attribute} must be {expected}, got {got}")]
    Range {
        /// The attribute's name.
        attribute: &'static str,
        /// The rule.
        expected: &'static str,
        /// The value.
        got: f64,
    },
    /// `estimators_` and `estimators_features_` have different lengths.
    #[error("estimators_features_ must have one entry a tree: {trees} trees, got {features}")]
    Features {
        /// Length of `estimators_`.
        trees: usize,
        /// Length of `estimators_features_`.
        features: usize,
    },
    /// The trees together are larger than the file, so one tree is named many times.
    #[error("the trees take more than the {0} bytes of the file: a tree is referenced more than once")]
    Repeated(usize),
    /// A tree's arrays do not make a tree.
    #[error("tree {index}: {source}")]
    Tree {
        /// The tree's index, counted from 0.
        index: usize,
        /// What is wrong with it.
        source: TreeError,
    },
    /// A column name that is too long or has control characters.
    #[error(
        "feature_names_in_ must be of at most {NAME_LIMIT} characters each, none of them a control character, got {0:?}"
    )]
    Name(String),
    /// Reading it takes too much memory or time.
    #[error(transparent)]
    Cost(#[from] CostError),
    /// The trees do not make a forest.
    #[error(transparent)]
    Forest(#[from] ForestError),
}
