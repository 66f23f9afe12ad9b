//! Why a Python object is no isolation forest that can be imported: one sentence each.

use forest::ForestError;

use crate::budget::CostError;
use crate::class::FOREST_ALONE;
use crate::numpy::NumpyError;
use crate::preprocessing::PreprocessingError;
use crate::tree::TreeError;

/// The most letters of a column's name.
pub(super) const NAME_LIMIT: usize = 256;

/// Why an object is no isolation forest that can be imported.
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
        /// What `fit` would have given it.
        attribute: &'static str,
    },
    /// A step before the forest that does something that is not known.
    #[error("the {class} cannot be taken: {rule}. {FOREST_ALONE}")]
    Step {
        /// The step's class, or what stands in its place.
        class: &'static str,
        /// What it must be, and what it is.
        rule: String,
    },
    /// A step does not fit the columns that come to it.
    #[error("the {class} must have {expected} columns, got {got}")]
    Width {
        /// The step's class.
        class: &'static str,
        /// How many come.
        expected: usize,
        /// How many it was fitted with.
        got: usize,
    },
    /// Steps that no row can be taken through.
    #[error("the {class}: {source}")]
    Arithmetic {
        /// The class of the step.
        class: &'static str,
        /// What is wrong with it.
        source: PreprocessingError,
    },
    /// A version whose files are not known.
    #[error("scikit-learn must be 1.0 or newer, got {0}")]
    Version(String),
    /// An attribute is not of the kind that scikit-learn gives it.
    #[error("{attribute} must be {expected}, got {got}")]
    Attribute {
        /// Its name.
        attribute: &'static str,
        /// What scikit-learn writes.
        expected: &'static str,
        /// What stands there.
        got: &'static str,
    },
    /// An array is not as it should be.
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
    /// Two lists that go together do not.
    #[error("estimators_features_ must have one entry a tree: {trees} trees, got {features}")]
    Features {
        /// Length of `estimators_`.
        trees: usize,
        /// Length of `estimators_features_`.
        features: usize,
    },
    /// The trees are larger together than the file: one is named many times.
    #[error("the trees take more than the {0} bytes of the file, one must be named many times")]
    Repeated(usize),
    /// A tree's arrays do not make a tree.
    #[error("tree {index}: {source}")]
    Tree {
        /// Counted from 0.
        index: usize,
        /// What is wrong with it.
        source: TreeError,
    },
    /// A name that no column can have.
    #[error(
        "feature_names_in_ must be of at most {NAME_LIMIT} letters each, none of them a control character, got {0:?}"
    )]
    Name(String),
    /// It takes too much to read.
    #[error(transparent)]
    Cost(#[from] CostError),
    /// The trees do not make a forest.
    #[error(transparent)]
    Forest(#[from] ForestError),
}
