//! A forest and its threshold in, an ONNX model out that gives `score` and `anomaly` for rows of `float`.
//!
//! One `TreeEnsemble` (ai.onnx.ml 5) adds up the path lengths in `double`, so that ONNX Runtime's scores
//! equal [`Forest::score`] to 1e-12; with a sum in `float` they would equal it only to 1e-6.

use forest::tree::{Node as TreeNode, Tree};
use forest::{Ensemble, Forest, Mode, average_path_length};
use prost::Message;
use prost::bytes::Bytes;

use super::proto::{
    Attribute, DOUBLE, Dimension, FLOAT, Graph, INT64, Model, Node, OperatorSet, Property, Shape, Tensor,
    TensorType, Type, UINT8, ValueInfo,
};
use crate::imported::TIE;

/// The IR and operator versions of ONNX 1.16, the first that knows `TreeEnsemble`.
const IR_VERSION: i64 = 10;
const OPERATORS: i64 = 21;
const TREE_OPERATORS: i64 = 5;

/// The name of the producer that is written into the model.
pub(super) const PRODUCER: &str = "anomaly-operator";

/// `aggregate_function` of a `TreeEnsemble`.
const SUM: i64 = 1;

/// Why a forest cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A split over several columns: ONNX's trees compare one column at a time.
    #[error("ONNX has no splits over several columns: train with extension 0 to export")]
    Planes,
    /// A forest in mode Density: its score is not a power of a sum.
    #[error("a model in mode Density has no ONNX form: train in another mode to export")]
    Density,
    /// An ensemble of several forests.
    #[error("a model in mode Auto has no ONNX form: train in another mode to export")]
    Ensemble,
    /// The number of names differs from the forest's number of columns.
    #[error("columns must be as many as the forest's, {forest}, got {names}")]
    Columns {
        /// The number of columns of the forest.
        forest: usize,
        /// The number of names given.
        names: usize,
    },
}

/// Writes a model of one input, `input`: `float[rows, columns]`, and two outputs of `[rows, 1]`: `score`, a `double` in
/// (0, 1] that is higher for more anomalous rows, and `anomaly`, an `int64` that is 1 where the score is over `threshold`,
/// else 0. The metadata has `columns`, their names as a JSON list, and `threshold`.
///
/// The model's own threshold is higher by [`TIE`], so that a score that equals the threshold stays normal.
///
/// # Errors
/// An extended forest, one in [`Mode::Density`], an ensemble of several forests, or a wrong number of names.
///
/// ```
/// # use forest::{Ensemble, Params, Samples};
/// let samples = Samples::new(1, vec![0.1, 0.2, 0.3, 9.0]).expect("finite cells");
/// let ensemble = Ensemble::fit(&samples, &Params::default().into()).expect("a small forest");
/// let model = interchange::onnx::write(&ensemble, 0.6, &["pressure".to_owned()]).expect("one name, one column");
/// assert!(interchange::onnx::write(&ensemble, 0.6, &[]).is_err());
/// # assert!(model.len() > 1000);
/// ```
pub fn write(ensemble: &Ensemble, threshold: f64, columns: &[String]) -> Result<Vec<u8>, WriteError> {
    let forest = ensemble.single().ok_or(WriteError::Ensemble)?;
    if columns.len() != forest.columns() {
        return Err(WriteError::Columns { forest: forest.columns(), names: columns.len() });
    }
    if forest.mode() == Mode::Density {
        return Err(WriteError::Density);
    }
    let model = Model {
        ir_version: IR_VERSION,
        producer_name: PRODUCER.to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string:
            "Isolation forest. score: in (0, 1], higher is more anomalous. anomaly: 1 where score > threshold."
                .to_owned(),
        graph: Some(graph(forest, threshold)?),
        opset_import: vec![operator_set("", OPERATORS), operator_set("ai.onnx.ml", TREE_OPERATORS)],
        metadata_props: vec![
            property("columns", serde_json::Value::from(columns).to_string()),
            property("threshold", threshold.to_string()),
        ],
    };
    Ok(model.encode_to_vec())
}

fn graph(forest: &Forest, threshold: f64) -> Result<Graph, WriteError> {
    let nodes = [
        node("Cast", &["input"], "cells", &[int("to", DOUBLE.into())]),
        TreeEnsemble::of(forest)?.node("cells", "length"),
        node("Mul", &["length", "scale"], "exponent", &[]),
        node("Pow", &["two", "exponent"], "score", &[]),
        node("Greater", &["score", "threshold"], "over", &[]),
        node("Cast", &["over"], "anomaly", &[int("to", INT64.into())]),
    ];
    let constants = [("scale", scale(forest)), ("two", 2.0), ("threshold", threshold + TIE)];
    let constant = |(name, value)| Tensor { name: String::from(name), dims: vec![], ..doubles(&[value]) };
    Ok(Graph {
        name: "isolation forest".to_owned(),
        node: nodes.iter().map(encoded).collect(),
        initializer: constants.map(constant).iter().map(encoded).collect(),
        input: vec![value("input", FLOAT, forest.columns())],
        output: vec![value("score", DOUBLE, 1), value("anomaly", INT64, 1)],
    })
}

/// The factor for the sum of path lengths. Trees of one sample have no splits: their path length counts as 1,
/// so that every score is 0.5.
fn scale(forest: &Forest) -> f64 {
    let longest = average_path_length(forest.sample_size());
    let longest = if longest > 0.0 { longest } else { 1.0 };
    -1.0 / (forest.trees().len() as f64 * longest)
}

/// The lists of a `TreeEnsemble`: splits and leaves of all trees, numbered separately.
#[derive(Default)]
struct TreeEnsemble {
    roots: Vec<i64>,
    columns: Vec<i64>,
    thresholds: Vec<f64>,
    /// Where a cell of at most the threshold goes, and whether that is a leaf.
    at_most: Vec<(i64, bool)>,
    /// Where a greater cell goes, and whether that is a leaf.
    greater: Vec<(i64, bool)>,
    /// Path lengths.
    leaves: Vec<f64>,
}

impl TreeEnsemble {
    fn of(forest: &Forest) -> Result<Self, WriteError> {
        let mut ensemble = Self::default();
        for tree in forest.trees() {
            ensemble.add(tree, forest.sample_size())?;
        }
        Ok(ensemble)
    }

    fn add(&mut self, tree: &Tree, sample_size: u32) -> Result<(), WriteError> {
        let places = self.places(tree.nodes());
        for (at, node) in tree.nodes().iter().enumerate() {
            match *node {
                TreeNode::Split { column, threshold, left, right } => {
                    self.columns.push(column.into());
                    self.thresholds.push(threshold.into());
                    self.at_most.push(places[left as usize]);
                    self.greater.push(places[right as usize]);
                }
                TreeNode::Leaf { .. } if sample_size < 2 => self.leaves.push(1.0),
                TreeNode::Leaf { .. } => self.leaves.push(tree.edges(at)),
                TreeNode::Plane { .. } => return Err(WriteError::Planes),
            }
        }
        self.add_root(places[0]);
        Ok(())
    }

    /// The number that each node will have, and whether it is a leaf.
    fn places(&self, nodes: &[TreeNode]) -> Vec<(i64, bool)> {
        let (mut split, mut leaf) = (self.columns.len() as i64, self.leaves.len() as i64);
        let place = |node: &TreeNode| {
            let is_leaf = matches!(node, TreeNode::Leaf { .. });
            let next = if is_leaf { &mut leaf } else { &mut split };
            *next += 1;
            (*next - 1, is_leaf)
        };
        nodes.iter().map(place).collect()
    }

    /// Add a root. It must be a split: a tree of one leaf gets a split with that leaf on both sides.
    fn add_root(&mut self, (place, is_leaf): (i64, bool)) {
        if !is_leaf {
            return self.roots.push(place);
        }
        self.roots.push(self.columns.len() as i64);
        self.columns.push(0);
        self.thresholds.push(0.0);
        self.at_most.push((place, true));
        self.greater.push((place, true));
    }

    fn node(&self, input: &str, output: &str) -> Node {
        let places = |sides: &[(i64, bool)]| sides.iter().map(|side| side.0).collect();
        let leaves = |sides: &[(i64, bool)]| sides.iter().map(|side| side.1.into()).collect();
        // Mode 0 is BRANCH_LEQ.
        let modes = Tensor {
            dims: vec![self.columns.len() as i64],
            data_type: UINT8,
            raw_data: vec![0; self.columns.len()].into(),
            ..Tensor::default()
        };
        let attributes = [
            int("n_targets", 1),
            int("aggregate_function", SUM),
            int("post_transform", 0),
            ints("tree_roots", self.roots.clone()),
            ints("nodes_featureids", self.columns.clone()),
            tensor("nodes_modes", modes),
            tensor("nodes_splits", doubles(&self.thresholds)),
            ints("nodes_truenodeids", places(&self.at_most)),
            ints("nodes_trueleafs", leaves(&self.at_most)),
            ints("nodes_falsenodeids", places(&self.greater)),
            ints("nodes_falseleafs", leaves(&self.greater)),
            ints("leaf_targetids", vec![0; self.leaves.len()]),
            tensor("leaf_weights", doubles(&self.leaves)),
        ];
        Node { domain: "ai.onnx.ml".to_owned(), ..node("TreeEnsemble", &[input], output, &attributes) }
    }
}

fn node(op_type: &str, input: &[&str], output: &str, attributes: &[Attribute]) -> Node {
    Node {
        op_type: op_type.to_owned(),
        input: input.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        attribute: attributes.iter().map(encoded).collect(),
        domain: String::new(),
    }
}

fn int(name: &str, value: i64) -> Attribute {
    Attribute { name: name.to_owned(), i: Some(value), kind: 2, ..Attribute::default() }
}

fn ints(name: &str, ints: Vec<i64>) -> Attribute {
    Attribute { name: name.to_owned(), ints, kind: 7, ..Attribute::default() }
}

fn tensor(name: &str, tensor: Tensor) -> Attribute {
    Attribute { name: name.to_owned(), t: Some(tensor), kind: 4, ..Attribute::default() }
}

fn doubles(values: &[f64]) -> Tensor {
    let raw_data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor {
        dims: vec![values.len() as i64],
        data_type: DOUBLE,
        raw_data: raw_data.into(),
        ..Tensor::default()
    }
}

/// An input or an output of `[rows, width]`.
fn value(name: &str, elem_type: i32, width: usize) -> Bytes {
    let rows = Dimension { dim_param: Some("rows".to_owned()), dim_value: None };
    let width = Dimension { dim_param: None, dim_value: Some(width as i64) };
    let tensor = TensorType { elem_type, shape: Some(Shape { dim: vec![rows, width] }) };
    encoded(&ValueInfo { name: name.to_owned(), kind: Some(Type { tensor: Some(tensor) }) })
}

fn operator_set(domain: &str, version: i64) -> Bytes {
    encoded(&OperatorSet { domain: domain.to_owned(), version })
}

fn property(key: &str, value: String) -> Bytes {
    encoded(&Property { key: key.to_owned(), value })
}

fn encoded(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}
