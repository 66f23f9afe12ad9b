//! A Python `IsolationForest`, or a `Pipeline` that ends in one, as data in; a forest, the steps before it, its threshold and
//! its columns out.
//!
//! Everything that differs between scikit-learn's versions is ignored: parameters, cached path lengths, names
//! of private attributes. A forest is its trees, the columns that each tree sees, the sample size and
//! `offset_`, which have not changed since 1.0.

mod error;
mod attributes;
mod steps;

use forest::Forest;
use forest::tree::Node;

use crate::arrays::pickled::{array, objects};
use crate::class::Class;
use crate::imported::{Imported, LEARNED_MISSING, threshold};
use crate::numpy::NumpyError;
use crate::numpy::array::Array;
use crate::object::{Graph, Id};
use crate::preprocessing::COLUMNS_LIMIT;
use crate::shown::shown;
use crate::tree::{self, Arrays};
use attributes::Attributes;
use error::NAME_LIMIT;
use steps::Steps;

pub use error::ModelError;

const NODES: &str = "estimators_.tree_.nodes";
const FEATURES: &str = "estimators_features_";

/// The least bytes that scikit-learn writes for a node (seven fields of 8 bytes), and for a column that a
/// tree sees.
const NODE_BYTES: usize = 56;
const FEATURE_BYTES: usize = 8;

/// The memory cost of a node in bytes, as it is read, as a node of a forest, and as one that was checked; and
/// the memory cost of a tree beside its nodes.
const NODE_COST: usize = 64;
const TREE_COST: usize = 512;

type Result<T> = std::result::Result<T, ModelError>;

/// Read the forest of a file. `bytes` is the file's unpacked length, which limits the number of nodes.
pub(crate) fn forest(graph: &Graph<'_>, bytes: usize) -> Result<Imported> {
    let steps = Steps::of(graph)?;
    let model = &steps.forest;
    let origin = origin(model)?;
    let columns = columns(model)?;
    let Trees { nodes, learned_missing } = trees(model, columns, bytes)?;
    let forest = Forest::from_trees(columns as usize, sample_size(model)?, nodes)?;
    let first = steps.first()?;
    let inputs = self::columns(&first)?;
    Ok(Imported {
        ensemble: forest.into(),
        preprocessing: steps.preprocessing(inputs, columns)?,
        threshold: threshold(offset(model)?),
        columns: names(&first, inputs)?,
        warnings: if learned_missing && takes_missing(&origin) {
            vec![LEARNED_MISSING.to_owned()]
        } else {
            Vec::new()
        },
        origin,
    })
}

/// The program and its version, from `_sklearn_version`, which every estimator has since 0.18.
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

/// Read `offset_`, which lies between -1 and 0: a row whose `score_samples` is lower is anomalous.
fn offset(model: &Attributes<'_, '_>) -> Result<f64> {
    let got = model.number("offset_")?;
    if (-1.0..=0.0).contains(&got) {
        return Ok(got);
    }
    Err(ModelError::Range { attribute: "offset_", expected: "between -1 and 0", got })
}

/// The number of rows that a tree learns from. The public `max_samples_` may be a share; `_max_samples` is
/// then the number.
fn sample_size(model: &Attributes<'_, '_>) -> Result<u32> {
    match model.find("_max_samples") {
        Some(_) => model.count("_max_samples"),
        None => model.count("max_samples_"),
    }
}

/// Read `feature_names_in_`, which exists if the training data had names.
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

/// The nodes of each tree.
struct Trees {
    nodes: Vec<Vec<Node>>,
    /// Whether the training data had missing cells.
    learned_missing: bool,
}

fn trees(model: &Attributes<'_, '_>, columns: u32, bytes: usize) -> Result<Trees> {
    let estimators = model.list("estimators_")?;
    let features = model.list("estimators_features_")?;
    if estimators.len() != features.len() {
        return Err(ModelError::Features { trees: estimators.len(), features: features.len() });
    }
    let (mut trees, mut learned_missing) = (Vec::new(), false);
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
        learned_missing |= has_learned_missing(&nodes, &arrays);
        trees.push(tree::nodes(&arrays, columns).map_err(|source| ModelError::Tree { index, source })?);
    }
    Ok(Trees { nodes: trees, learned_missing })
}

/// Whether forests of this version accept missing cells: 1.6 or later. In earlier ones, a split's side for
/// missing cells has no meaning.
fn takes_missing(origin: &str) -> bool {
    let version = origin.rsplit(' ').next().unwrap_or_default();
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(1), Some(6))
}

/// Whether a split has learned from missing cells. Since scikit-learn 1.3 each split has a side for them. A
/// split that saw none sends them to the side with more rows. A split that saw some draws the side, or
/// separates them from all other cells by an infinite threshold.
fn has_learned_missing(nodes: &Array<'_>, arrays: &Arrays) -> bool {
    let Ok(Ok(goes_left)) = nodes.field("missing_go_to_left").map(|column| column.ints()) else {
        return false;
    };
    let samples = |child: i64| usize::try_from(child).ok().and_then(|child| arrays.samples.get(child));
    let learned = |node: usize| {
        let (Some(left), Some(right)) = (samples(arrays.left[node]), samples(arrays.right[node])) else {
            return false;
        };
        arrays.threshold[node].is_infinite() || (goes_left[node] != 0) != (left > right)
    };
    (0..arrays.left.len()).any(learned)
}

/// The arrays of one tree, with the column numbers of the forest: with `max_features` below 1 a tree sees a
/// selection of columns and renumbers them.
fn arrays(nodes: &Array<'_>, features: &Array<'_>) -> Result<Arrays> {
    let ints = |name| nodes.field(name).and_then(|column| column.ints()).map_err(in_array(NODES));
    let column_of = features.numbers().and_then(|numbers| numbers.ints()).map_err(in_array(FEATURES))?;
    let column = |feature| usize::try_from(feature).ok().and_then(|at: usize| column_of.get(at)).copied();
    Ok(Arrays {
        left: ints("left_child")?,
        right: ints("right_child")?,
        // A leaf has feature -2, which is no column. It becomes -1, which is refused for a split.
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
    let tree = graph.entry(state, "tree_").ok_or(unfitted("tree_"))?;
    let state = graph.instance(tree, Class::Tree).and_then(|(_, state)| state);
    let state = state.ok_or_else(|| wrong("estimators_.tree_", "a Tree", tree))?;
    graph.entry(state, "nodes").ok_or(unfitted("nodes"))
}

fn in_array(attribute: &'static str) -> impl Fn(NumpyError) -> ModelError {
    move |source| ModelError::Array { attribute, source }
}

fn unfitted(attribute: &'static str) -> ModelError {
    ModelError::NotFitted { class: "ExtraTreeRegressor", attribute }
}
