//! A Python `IsolationForest` as data in, a forest, its threshold and its columns out.
//!
//! What differs between scikit-learn's versions is left aside: parameters, cached path lengths, names of private
//! attributes. A forest is its trees, the columns that each tree sees, the sample size and `offset_`, and those have
//! stood since 1.0.

use forest::tree::Node;
use forest::{Forest, ForestError};

use crate::arrays::pickled::{array, objects};
use crate::budget::CostError;
use crate::class::Class;
use crate::imported::{Imported, threshold};
use crate::numpy::NumpyError;
use crate::numpy::array::Array;
use crate::object::{Graph, Id, Object};
use crate::shown::shown;
use crate::tree::{self, Arrays, TreeError};

/// Why an object is no isolation forest that can be imported.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file holds something else.
    #[error("the file must hold an IsolationForest, got {0}")]
    NotAForest(&'static str),
    /// `fit` was never called.
    #[error("the IsolationForest was never fitted: it has no {0}")]
    NotFitted(&'static str),
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

const NODES: &str = "estimators_.tree_.nodes";
const FEATURES: &str = "estimators_features_";

/// What scikit-learn takes for a node at least (seven fields of 8 bytes), and for a column that a tree sees.
const NODE_BYTES: usize = 56;
const FEATURE_BYTES: usize = 8;

/// What a node takes while it is read, as a node of a forest and as one that was checked; and what a tree takes beside.
const NODE_COST: usize = 64;
const TREE_COST: usize = 512;

/// The most columns a forest may have: no room is made for more on a file's word.
pub(crate) const COLUMNS_LIMIT: u32 = 1 << 16;
/// The most letters of a column's name.
const NAME_LIMIT: usize = 256;

type Result<T> = std::result::Result<T, ModelError>;

/// The forest of a file. `bytes` is the file's length, unpacked: it bounds how many nodes there can honestly be.
pub(crate) fn forest(graph: &Graph<'_>, bytes: usize) -> Result<Imported> {
    let model = Attributes::of_forest(graph)?;
    let origin = origin(&model)?;
    let columns = columns(&model)?;
    let names = names(&model, columns)?;
    let trees = trees(&model, columns, bytes)?;
    let sample_size = sample_size(&model)?;
    let forest = Forest::from_trees(columns as usize, sample_size, trees)?;
    Ok(Imported { ensemble: forest.into(), threshold: threshold(offset(&model)?), columns: names, origin })
}

/// A Python object's `__dict__`.
struct Attributes<'g, 'a> {
    graph: &'g Graph<'a>,
    dict: Id,
}

impl<'g, 'a> Attributes<'g, 'a> {
    fn of_forest(graph: &'g Graph<'a>) -> Result<Self> {
        let state = graph.instance(graph.root, Class::IsolationForest);
        let (_, state) = state.ok_or_else(|| ModelError::NotAForest(graph.kind(graph.root)))?;
        let dict = state.ok_or(ModelError::NotFitted("attributes"))?;
        Ok(Self { graph, dict })
    }

    fn find(&self, name: &str) -> Option<Id> {
        self.graph.entry(self.dict, name)
    }

    fn get(&self, name: &'static str) -> Result<Id> {
        self.find(name).ok_or(ModelError::NotFitted(name))
    }

    fn wrong(&self, attribute: &'static str, expected: &'static str, id: Id) -> ModelError {
        ModelError::Attribute { attribute, expected, got: self.graph.kind(id) }
    }

    fn list(&self, name: &'static str) -> Result<&'g [Id]> {
        let id = self.get(name)?;
        self.graph.sequence(id).ok_or_else(|| self.wrong(name, "a list", id))
    }

    /// A number from Python or from numpy.
    fn number(&self, name: &'static str) -> Result<f64> {
        let id = self.get(name)?;
        match *self.graph.get(id) {
            Object::Int(value) => return Ok(value as f64),
            Object::Float(value) => return Ok(value),
            _ => {}
        }
        let array = array(self.graph, id).map_err(|_| self.wrong(name, "a number", id))?;
        let numbers = array.numbers().map_err(|source| ModelError::Array { attribute: name, source })?;
        let mut numbers = numbers.floats();
        match (numbers.next(), numbers.next()) {
            (Some(number), None) => Ok(number),
            _ => Err(self.wrong(name, "a number", id)),
        }
    }

    /// A whole number of at least 1 that fits in 31 bits.
    fn count(&self, name: &'static str) -> Result<u32> {
        const EXPECTED: &str = "a whole number between 1 and 2147483647";
        let got = self.number(name)?;
        if got.fract() == 0.0 && (1.0..=2_147_483_647.0).contains(&got) {
            return Ok(got as u32);
        }
        Err(ModelError::Range { attribute: name, expected: EXPECTED, got })
    }
}

/// `_sklearn_version` is written into every estimator since 0.18.
fn origin(model: &Attributes<'_, '_>) -> Result<String> {
    let version = model.find("_sklearn_version").and_then(|id| model.graph.text(id)).unwrap_or("0");
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if version.len() > 40 || version.contains(char::is_control) || major.is_none_or(|major| major < 1) {
        return Err(ModelError::Version(shown(version)));
    }
    Ok(format!("scikit-learn {version}"))
}

fn columns(model: &Attributes<'_, '_>) -> Result<u32> {
    let columns = model.count("n_features_in_")?;
    if columns <= COLUMNS_LIMIT {
        return Ok(columns);
    }
    let got = columns.into();
    Err(ModelError::Range { attribute: "n_features_in_", expected: "at most 65536", got })
}

/// `score_samples` below `offset_` is anomalous; it lies in [-1, 0).
fn offset(model: &Attributes<'_, '_>) -> Result<f64> {
    let got = model.number("offset_")?;
    if (-1.0..=0.0).contains(&got) {
        return Ok(got);
    }
    Err(ModelError::Range { attribute: "offset_", expected: "between -1 and 0", got })
}

/// `max_samples_` is public and counts the rows of a tree; where it is a share, `_max_samples` is the count.
fn sample_size(model: &Attributes<'_, '_>) -> Result<u32> {
    match model.find("_max_samples") {
        Some(_) => model.count("_max_samples"),
        None => model.count("max_samples_"),
    }
}

/// `feature_names_in_` is there when the training data had names.
fn names(model: &Attributes<'_, '_>, columns: u32) -> Result<Option<Vec<String>>> {
    const NAME: &str = "feature_names_in_";
    let Some(id) = model.find(NAME) else { return Ok(None) };
    let wrong = || model.wrong(NAME, "one text a column", id);
    let parts = objects(model.graph, id).ok_or_else(wrong)?;
    if parts.len() != columns as usize {
        return Err(wrong());
    }
    let mut names = Vec::with_capacity(parts.len());
    for &part in parts {
        let name = model.graph.text(part).ok_or_else(wrong)?;
        if name.chars().nth(NAME_LIMIT).is_some() || name.contains(char::is_control) {
            return Err(ModelError::Name(shown(name)));
        }
        model.graph.budget().allocate(size_of::<String>() + name.len())?;
        names.push(name.to_owned());
    }
    Ok(Some(names))
}

fn trees(model: &Attributes<'_, '_>, columns: u32, bytes: usize) -> Result<Vec<Vec<Node>>> {
    let estimators = model.list("estimators_")?;
    let features = model.list("estimators_features_")?;
    if estimators.len() != features.len() {
        return Err(ModelError::Features { trees: estimators.len(), features: features.len() });
    }
    let mut trees = Vec::new();
    let mut bytes_left = bytes;
    let budget = model.graph.budget();
    for (index, (&estimator, &features)) in estimators.iter().zip(features).enumerate() {
        let nodes = array(model.graph, nodes(model.graph, estimator)?).map_err(in_array(NODES))?;
        let features = array(model.graph, features).map_err(in_array(FEATURES))?;
        let taken = NODE_BYTES * nodes.len() + FEATURE_BYTES * features.len();
        bytes_left = bytes_left.checked_sub(taken).ok_or(ModelError::Repeated(bytes))?;
        budget.allocate(TREE_COST + NODE_COST * nodes.len())?;
        budget.work(TREE_COST + NODE_COST * nodes.len())?;
        let arrays = arrays(&nodes, &features)?;
        trees.push(tree::nodes(&arrays, columns).map_err(|source| ModelError::Tree { index, source })?);
    }
    Ok(trees)
}

/// The arrays of one tree, its columns counted as the forest counts them: with `max_features` below 1 a tree sees
/// a choice of columns, renumbered.
fn arrays(nodes: &Array<'_>, features: &Array<'_>) -> Result<Arrays> {
    let ints = |name| nodes.field(name).and_then(|column| column.ints()).map_err(in_array(NODES));
    let column_of = features.numbers().and_then(|numbers| numbers.ints()).map_err(in_array(FEATURES))?;
    let column = |feature| usize::try_from(feature).ok().and_then(|at: usize| column_of.get(at)).copied();
    Ok(Arrays {
        left: ints("left_child")?,
        right: ints("right_child")?,
        // A leaf's feature is -2: no column, as is -1, which a split must not have.
        column: ints("feature")?.into_iter().map(|feature| column(feature).unwrap_or(-1)).collect(),
        threshold: nodes.field("threshold").map_err(in_array(NODES))?.floats().collect(),
        samples: ints("n_node_samples")?,
    })
}

/// The nodes' array of an `ExtraTreeRegressor`.
fn nodes(graph: &Graph<'_>, estimator: Id) -> Result<Id> {
    let wrong = |attribute, expected, id| ModelError::Attribute { attribute, expected, got: graph.kind(id) };
    let state = graph.instance(estimator, Class::ExtraTreeRegressor).and_then(|(_, state)| state);
    let state = state.ok_or_else(|| wrong("estimators_", "a list of ExtraTreeRegressor", estimator))?;
    let tree = graph.entry(state, "tree_").ok_or(ModelError::NotFitted("tree_"))?;
    let state = graph.instance(tree, Class::Tree).and_then(|(_, state)| state);
    let state = state.ok_or_else(|| wrong("estimators_.tree_", "a Tree", tree))?;
    graph.entry(state, "nodes").ok_or(ModelError::NotFitted("nodes"))
}

fn in_array(attribute: &'static str) -> impl Fn(NumpyError) -> ModelError {
    move |source| ModelError::Array { attribute, source }
}
