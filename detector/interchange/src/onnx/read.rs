//! A model as skl2onnx writes an `IsolationForest` in, the forest out; any other graph is refused.
//!
//! skl2onnx spells scikit-learn's formula out in arithmetic nodes around one `TreeEnsembleRegressor` a tree, which
//! gives the number of the leaf that a row falls into; two `LabelEncoder`s turn it into the leaf's samples and depth.
//! The reader takes the trees and checks that the arithmetic around them is that formula, node by node.

use std::collections::HashMap;

use forest::{Forest, ForestError, average_path_length};

use super::graph::{Attributes, Constant, Graph, shown};
use crate::Imported;
use crate::tree::{self, Arrays, TreeError};

/// The largest model that is read: 64 MiB, about 2500 trees of 256 samples.
pub const FILE_LIMIT: usize = 64 << 20;

/// Why an ONNX model was refused.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is longer than [`FILE_LIMIT`].
    #[error("an ONNX model must have at most {FILE_LIMIT} bytes, got {0}")]
    TooLarge(usize),
    /// It is no protobuf message, or a damaged one.
    #[error("the ONNX model is damaged")]
    Damaged(#[from] prost::DecodeError),
    /// It is not the graph of an isolation forest.
    #[error("the ONNX model must be an IsolationForest as skl2onnx writes it: {0}")]
    Foreign(&'static str),
    /// Another operator stands where skl2onnx has a certain one.
    #[error(
        "the ONNX model must be an IsolationForest as skl2onnx writes it: {output:?} is not given by {expected}"
    )]
    Operator {
        /// What should stand there.
        expected: &'static str,
        /// What it gives.
        output: String,
    },
    /// A tree lacks a part.
    #[error("a TreeEnsembleRegressor must have the attribute {0}")]
    Attribute(&'static str),
    /// A tree's lists do not make a tree.
    #[error("tree {index}: {source}")]
    Tree {
        /// Counted from 0.
        index: usize,
        /// What is wrong with it.
        source: TreeError,
    },
    /// The trees do not make a forest.
    #[error(transparent)]
    Forest(#[from] ForestError),
}

type Result<T> = std::result::Result<T, ReadError>;

/// Depth and average path length of one tree, less 1, as arithmetic over its two `LabelEncoder`s: 0 gives the nodes
/// on the path, 1 the leaf's samples.
const PATH_LENGTH: &str = "Add(Add(0,Add(Cast(Equal(1,=2)),Mul(Add(\
    Mul(Add(Log(Max(Add(Mul(Cast(Greater(1,=2)),1),=-1),=1)),=0.5772157),=2),\
    Mul(Div(Max(Add(Mul(Cast(Greater(1,=2)),1),=-1),=0),Max(Mul(Cast(Greater(1,=2)),1),=1)),=-2)),\
    Cast(Greater(1,=2))))),=-1)";

/// Whether `bytes` begin as an ONNX model does: with its IR version, a small number.
pub(crate) fn is_model(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 1..=100, ..])
}

/// The forest of a model.
pub(crate) fn read(bytes: &[u8]) -> Result<Imported> {
    if bytes.len() > FILE_LIMIT {
        return Err(ReadError::TooLarge(bytes.len()));
    }
    let graph = Graph::decode(bytes)?;
    let formula = Formula::of(&graph)?;
    let mut trees = Vec::with_capacity(formula.path_lengths.len());
    let mut columns = 0;
    for (index, output) in formula.path_lengths.iter().enumerate() {
        let (arrays, width) = tree(&graph, output)?;
        columns = columns.max(width);
        let nodes = tree::nodes(&arrays, width).map_err(|source| ReadError::Tree { index, source })?;
        trees.push(nodes);
    }
    let sample_size = sample_size(formula.divisor, trees.len())?;
    let forest = Forest::from_trees(columns as usize, sample_size, trees)?;
    let origin = format!("ONNX by {}", shown(&graph.producer));
    Ok(Imported { forest, cut: cut(formula.offset), columns: None, origin })
}

/// The cut for an offset that was rounded to `f32`: the next `f32`, so that a row that sits on scikit-learn's own cut
/// is normal here too.
fn cut(offset: f32) -> f64 {
    (-offset).next_up().into()
}

/// `scores = -2^-(sum of path lengths / divisor) - offset`, `label = 1 - 2 (scores < 0)`.
struct Formula<'g> {
    path_lengths: Vec<&'g str>,
    divisor: f64,
    offset: f32,
}

impl<'g> Formula<'g> {
    fn of(graph: &'g Graph) -> Result<Self> {
        const RULE: ReadError = ReadError::Foreign("a score is -2^-(path lengths / a number), plus a number");
        let [label, scores, ..] = &graph.outputs[..] else {
            return Err(ReadError::Foreign("it has no outputs for label and scores"));
        };
        check_label(graph, label, scores)?;
        let (_, [negative, offset]) = graph.node(scores, "Add")?;
        let (_, [power]) = graph.node(negative, "Neg")?;
        let (_, [two, exponent]) = graph.node(power, "Pow")?;
        let (_, [quotient]) = graph.node(exponent, "Neg")?;
        let (_, [sum, divisor]) = graph.node(quotient, "Div")?;
        if graph.number(two) != Some(2.0) {
            return Err(RULE);
        }
        let cut = graph.number(offset).filter(|cut| (0.0..=1.0).contains(cut)).ok_or(RULE)?;
        let divisor = graph.number(divisor).ok_or(RULE)?;
        let sum = graph.any(sum).filter(|node| node.op_type == "Sum").ok_or(RULE)?;
        Ok(Self {
            path_lengths: sum.input.iter().map(String::as_str).collect(),
            divisor,
            offset: -(cut as f32),
        })
    }
}

fn check_label(graph: &Graph, label: &str, scores: &str) -> Result<()> {
    let (_, [product, one]) = graph.node(label, "Add")?;
    let (_, [below, minus_two]) = graph.node(product, "Mul")?;
    let (_, [below]) = graph.node(below, "Cast")?;
    let (_, [compared, zero]) = graph.node(below, "Less")?;
    let numbers = [one, minus_two, zero].map(|name| graph.number(name));
    if compared == scores && numbers == [Some(1.0), Some(-2.0), Some(0.0)] {
        return Ok(());
    }
    Err(ReadError::Foreign("the label is -1 where the score is less than 0, else 1"))
}

/// The arrays of the tree behind one path length, and how many columns it sees.
fn tree(graph: &Graph, path_length: &str) -> Result<(Arrays, u32)> {
    let mut leaves = Leaves::default();
    let mut text = String::new();
    leaves.spell(graph, path_length, &mut text)?;
    let [depth, samples] = &leaves.encoders[..] else {
        return Err(ReadError::Foreign("a tree has other than two LabelEncoders"));
    };
    if text != PATH_LENGTH || depth.leaf != samples.leaf {
        return Err(ReadError::Foreign("a path length is computed in another way"));
    }
    let (node, [seen]) = graph.node(&depth.leaf, "TreeEnsembleRegressor")?;
    let columns = columns(graph, seen)?;
    let arrays = arrays(&Attributes::of(node)?, &columns, depth, samples)?;
    Ok((arrays, columns.len() as u32))
}

/// What a `LabelEncoder` makes of the number of a leaf.
struct Encoder {
    /// The output that gives the number of the leaf.
    leaf: String,
    values: HashMap<i64, f32>,
}

/// The `LabelEncoder`s of a tree, in the order in which they are met.
#[derive(Default)]
struct Leaves {
    names: Vec<String>,
    encoders: Vec<Encoder>,
}

impl Leaves {
    /// Spells the arithmetic that gives `output`, as in [`PATH_LENGTH`].
    fn spell(&mut self, graph: &Graph, output: &str, text: &mut String) -> Result<()> {
        if text.len() > PATH_LENGTH.len() {
            return Err(ReadError::Foreign("a path length is computed in another way"));
        }
        if let Some(number) = graph.number(output) {
            text.push('=');
            text.push_str(&(number as f32).to_string());
            return Ok(());
        }
        let unknown = || ReadError::Operator { expected: "any node", output: shown(output) };
        let node = graph.any(output).ok_or_else(unknown)?;
        if node.op_type == "Reshape" {
            let place = self.place(graph, output)?;
            text.push_str(&place.to_string());
            return Ok(());
        }
        text.push_str(&node.op_type);
        for (index, input) in node.input.iter().enumerate() {
            text.push(if index == 0 { '(' } else { ',' });
            self.spell(graph, input, text)?;
        }
        text.push(')');
        Ok(())
    }

    /// The number of the encoder behind a `Reshape`.
    fn place(&mut self, graph: &Graph, reshape: &str) -> Result<usize> {
        if let Some(place) = self.names.iter().position(|name| name == reshape) {
            return Ok(place);
        }
        let (_, [encoded, shape]) = graph.node(reshape, "Reshape")?;
        if graph.constant(shape) != Some(&Constant::Ints(vec![-1, 1])) {
            return Err(ReadError::Foreign("a column is reshaped to another shape"));
        }
        let (encoder, [label]) = graph.node(encoded, "LabelEncoder")?;
        let (_, [leaf]) = graph.node(label, "Cast")?;
        let attributes = Attributes::of(encoder)?;
        let keys = attributes.ints("keys_int64s")?.iter().copied();
        let values = keys.zip(attributes.floats("values_floats")?.iter().copied()).collect();
        self.names.push(reshape.to_owned());
        self.encoders.push(Encoder { leaf: leaf.to_owned(), values });
        Ok(self.encoders.len() - 1)
    }
}

/// The columns that a tree sees: all, in an order of its own.
fn columns(graph: &Graph, seen: &str) -> Result<Vec<i64>> {
    let (gather, [input, chosen]) = graph.node(seen, "Gather")?;
    if input != graph.input || Attributes::of(gather)?.int("axis") != Some(1) {
        return Err(ReadError::Foreign("a tree sees something else than columns of the input"));
    }
    match graph.constant(chosen) {
        Some(Constant::Ints(columns)) => Ok(columns.clone()),
        _ => Err(ReadError::Foreign("the columns of a tree are a list of int64")),
    }
}

fn arrays(tree: &Attributes, columns: &[i64], depth: &Encoder, samples: &Encoder) -> Result<Arrays> {
    check_settings(tree)?;
    let modes = tree.texts("nodes_modes")?;
    let (left, right) = (tree.ints("nodes_truenodeids")?, tree.ints("nodes_falsenodeids")?);
    let (asked, thresholds) = (tree.ints("nodes_featureids")?, tree.floats("nodes_values")?);
    if [left.len(), right.len(), asked.len(), thresholds.len()].iter().any(|&length| length != modes.len()) {
        return Err(ReadError::Foreign("the lists of a tree have different lengths"));
    }
    check_numbers(tree, modes.len())?;
    let mut arrays = Arrays::default();
    for (node, mode) in modes.iter().enumerate() {
        let is_leaf = match &mode[..] {
            b"LEAF" => true,
            b"BRANCH_LEQ" => false,
            _ => return Err(ReadError::Foreign("a node is neither LEAF nor BRANCH_LEQ")),
        };
        let column = usize::try_from(asked[node]).ok().and_then(|asked| columns.get(asked));
        arrays.left.push(if is_leaf { -1 } else { left[node] });
        arrays.right.push(if is_leaf { -1 } else { right[node] });
        arrays.column.push(column.copied().unwrap_or(-1));
        arrays.threshold.push(thresholds[node].into());
        arrays.samples.push(samples.values.get(&(node as i64)).map_or(0, |&samples| samples as i64));
    }
    check_depths(&arrays, depth)?;
    Ok(arrays)
}

/// One target, nothing added, nothing transformed: the output is the leaf's weight.
fn check_settings(tree: &Attributes) -> Result<()> {
    let plain = tree.int("n_targets") == Some(1)
        && tree.text("post_transform").is_none_or(|transform| transform == b"NONE")
        && tree.text("aggregate_function").is_none_or(|function| function == b"SUM")
        && !tree.has("base_values");
    if plain {
        Ok(())
    } else {
        Err(ReadError::Foreign("a tree gives something else than the weight of a leaf"))
    }
}

/// Nodes are numbered from 0 in one tree, and the weight of each leaf is its number.
fn check_numbers(tree: &Attributes, nodes: usize) -> Result<()> {
    let in_order = tree.ints("nodes_nodeids")?.iter().copied().eq(0..nodes as i64);
    let one_tree = tree.ints("nodes_treeids")?.iter().all(|&id| id == 0);
    let leaves = tree.ints("target_nodeids")?.iter().map(|&leaf| leaf as f32);
    if in_order && one_tree && leaves.eq(tree.floats("target_weights")?.iter().copied()) {
        return Ok(());
    }
    Err(ReadError::Foreign("the leaves of a tree are numbered in another way"))
}

/// The depths that the model would add up are those of the tree: nodes on the way to each leaf, the leaf included.
fn check_depths(arrays: &Arrays, depth: &Encoder) -> Result<()> {
    let mut depths = vec![0_u32; arrays.left.len()];
    if let Some(root) = depths.first_mut() {
        *root = 1;
    }
    for node in 0..depths.len() {
        let (below, children) = (depths[node] + 1, [arrays.left[node], arrays.right[node]]);
        for child in children.into_iter().filter(|&child| child != -1) {
            let child = usize::try_from(child).ok().filter(|&child| child > node);
            let place = child.and_then(|child| depths.get_mut(child));
            *place.ok_or(ReadError::Foreign("a child stands before its parent"))? = below;
        }
        let is_leaf = arrays.left[node] == -1;
        if is_leaf && depth.values.get(&(node as i64)) != Some(&(depths[node] as f32)) {
            return Err(ReadError::Foreign("a leaf is said to be at another depth than it is"));
        }
    }
    Ok(())
}

/// The n for which `trees * c(n)` is the divisor, to the precision of the `f32` that it was written as.
fn sample_size(divisor: f64, trees: usize) -> Result<u32> {
    let divisor_of = |samples: u32| trees as f64 * average_path_length(samples);
    let (mut low, mut high) = (1, 1 << 24);
    while low < high {
        let middle = low + (high - low) / 2;
        if divisor_of(middle) < divisor { low = middle + 1 } else { high = middle }
    }
    let fits = |&samples: &u32| samples > 0 && divisor_of(samples) as f32 == divisor as f32;
    let candidates: Vec<u32> = [low - 1, low].into_iter().filter(fits).collect();
    match candidates[..] {
        [samples] => Ok(samples),
        _ => {
            Err(ReadError::Foreign("path lengths are divided by something else than trees * c(sample size)"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_size_is_found_in_the_divisor() {
        for trees in [1, 7, 100, 1000] {
            for samples in [1, 2, 3, 8, 255, 256, 257, 4096, 100_000] {
                let divisor = f64::from((trees as f64 * average_path_length(samples)) as f32);
                assert_eq!(sample_size(divisor, trees).ok(), Some(samples), "{trees} trees");
            }
        }
    }

    #[test]
    fn a_divisor_of_no_sample_size_is_refused() {
        for divisor in [-1.0, f64::NAN, 6.7, 1e30] {
            assert!(sample_size(divisor, 2).is_err(), "{divisor}");
        }
    }
}
