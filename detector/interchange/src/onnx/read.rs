//! An `IsolationForest` model of skl2onnx in, the forest out; any other graph is refused.
//!
//! skl2onnx writes scikit-learn's formula as arithmetic nodes around one `TreeEnsembleRegressor` per tree,
//! which gives the number of the leaf that a row falls into; two `LabelEncoder`s map it to the leaf's samples
//! and depth. The reader takes the trees and checks that the arithmetic around them is that formula, node by
//! node ([`formula`](super::formula)).

use std::collections::HashSet;

use forest::{Forest, average_path_length};
use prost::Message;
use prost::bytes::Bytes;

use super::error::{FILE_LIMIT, ReadError};
use super::formula::{self, Encoder, Formula};
use super::graph::{Attributes, Constant, Graph};
use super::{cost, exported, proto, steps};
use crate::budget::Budget;
use crate::imported::Imported;
use crate::preprocessing::COLUMNS_LIMIT;
use crate::shown::shown;
use crate::tree::{self, Arrays};

type Result<T> = std::result::Result<T, ReadError>;

/// Whether `bytes` begin as an ONNX model does: with its IR version, a small number.
pub(crate) fn is_model(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 1..=100, ..])
}

/// The forest of a model.
pub(crate) fn read(bytes: &[u8], budget: &Budget) -> Result<Imported> {
    if bytes.len() > FILE_LIMIT {
        return Err(ReadError::TooLarge(bytes.len()));
    }
    budget.allocate(bytes.len().saturating_add(cost::of_model(bytes)?))?;
    let model = proto::Model::decode(Bytes::copy_from_slice(bytes))?;
    if exported::is_exported_here(&model) {
        return exported::read(model, budget);
    }
    let graph = Graph::of(model, budget)?;
    let formula = Formula::of(&graph)?;
    let (mut trees, mut seen, mut columns, mut cells) = (Vec::new(), HashSet::new(), 0, None);
    for (index, output) in formula.path_lengths.iter().enumerate() {
        let Named { name, input, arrays, columns: width } = tree(&graph, output)?;
        if *cells.get_or_insert(input) != input {
            return Err(ReadError::Foreign("all trees see the columns of one input"));
        }
        // skl2onnx writes each tree once. A small file that names one tree a thousand times is refused.
        if !seen.insert(name) {
            return Err(ReadError::Foreign("a tree is named more than once"));
        }
        columns = columns.max(width);
        budget.allocate(TREE_COST + NODE_COST * arrays.left.len())?;
        let nodes = tree::nodes(&arrays, width).map_err(|source| ReadError::Tree { index, source })?;
        trees.push(nodes);
    }
    let sample_size = sample_size(formula.divisor, trees.len())?;
    let forest = Forest::from_trees(columns as usize, sample_size, trees)?;
    let preprocessing = steps::before(&graph, cells.unwrap_or(&graph.input), columns as usize)?;
    let origin = format!("ONNX by {}", shown(&graph.producer));
    Ok(Imported {
        warnings: Vec::new(),
        ensemble: forest.into(),
        preprocessing,
        threshold: threshold(formula.offset),
        columns: None,
        origin,
    })
}

/// The threshold for an offset that was rounded to `f32`: the next `f32`, so that a row that sits on scikit-learn's own
/// threshold is normal here too.
fn threshold(offset: f32) -> f64 {
    (-offset).next_up().into()
}

/// The memory cost of a node in bytes, as it is read, as a node of a forest, and as one that was checked; and
/// the memory cost of a tree beside its nodes.
const NODE_COST: usize = 64;
const TREE_COST: usize = 1024;

/// A tree and its input.
struct Named<'g> {
    /// The name of the output that holds the number of the leaf.
    name: String,
    /// The name of the value whose columns the tree splits on.
    input: &'g str,
    arrays: Arrays,
    /// How many columns it sees.
    columns: u32,
}

/// The tree behind one path length.
fn tree<'g>(graph: &'g Graph<'_>, path_length: &str) -> Result<Named<'g>> {
    let [depth, samples] = formula::encoders(graph, path_length)?;
    let (node, [seen]) = graph.node(&depth.leaf, "TreeEnsembleRegressor")?;
    let (input, columns) = columns(graph, seen)?;
    let arrays = arrays(&Attributes::of(node, graph.budget)?, columns, &depth, &samples)?;
    let [Encoder { leaf, .. }, _] = [depth, samples];
    Ok(Named { name: leaf, input, arrays, columns: columns.len() as u32 })
}

/// The input of a tree, and the indices of its columns in the tree's own order.
fn columns<'g>(graph: &'g Graph<'_>, seen: &str) -> Result<(&'g str, &'g [i64])> {
    let (gather, [input, chosen]) = graph.node(seen, "Gather")?;
    if Attributes::of(gather, graph.budget)?.int("axis") != Some(1) {
        return Err(ReadError::Foreign("a tree sees something else than columns of the input"));
    }
    match graph.constant(chosen) {
        Some(Constant::Ints(columns)) if columns.len() > COLUMNS_LIMIT as usize => {
            Err(ReadError::Foreign("a tree sees at most 65536 columns"))
        }
        Some(Constant::Ints(columns)) => Ok((input, columns)),
        _ => Err(ReadError::Foreign("the columns of a tree are a list of int64")),
    }
}

fn arrays(
    tree: &Attributes<'_>,
    columns: &[i64],
    depth: &Encoder<'_>,
    samples: &Encoder<'_>,
) -> Result<Arrays> {
    check_settings(tree)?;
    let modes = tree.texts("nodes_modes")?;
    let (left, right) = (tree.ints("nodes_truenodeids")?, tree.ints("nodes_falsenodeids")?);
    let (features, thresholds) = (tree.ints("nodes_featureids")?, tree.floats("nodes_values")?);
    if [left.len(), right.len(), features.len(), thresholds.len()].iter().any(|&length| length != modes.len())
    {
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
        let column = usize::try_from(features[node]).ok().and_then(|feature| columns.get(feature));
        arrays.left.push(if is_leaf { -1 } else { left[node] });
        arrays.right.push(if is_leaf { -1 } else { right[node] });
        arrays.column.push(column.copied().unwrap_or(-1));
        arrays.threshold.push(thresholds[node].into());
        arrays.samples.push(samples.values.get(&(node as i64)).map_or(0, |&samples| samples as i64));
    }
    check_depths(&arrays, depth)?;
    Ok(arrays)
}

/// Check that a tree gives the weight of a leaf: one target, nothing added, nothing transformed.
fn check_settings(tree: &Attributes<'_>) -> Result<()> {
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

/// Check that nodes are numbered from 0 in one tree, and that the weight of each leaf is its number.
fn check_numbers(tree: &Attributes<'_>, nodes: usize) -> Result<()> {
    let in_order = tree.ints("nodes_nodeids")?.iter().copied().eq(0..nodes as i64);
    let one_tree = tree.ints("nodes_treeids")?.iter().all(|&id| id == 0);
    let leaves = tree.ints("target_nodeids")?.iter().map(|&leaf| leaf as f32);
    if in_order && one_tree && leaves.eq(tree.floats("target_weights")?.iter().copied()) {
        return Ok(());
    }
    Err(ReadError::Foreign("the leaves of a tree are numbered in another way"))
}

/// Check that the depths in the model are those of the tree: nodes on the path to each leaf, with the leaf.
fn check_depths(arrays: &Arrays, depth: &Encoder<'_>) -> Result<()> {
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

/// The sample size n for which `trees * c(n)` is the divisor, to the precision of the divisor's `f32`.
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

    /// A model of scikit-learn in which the sum names the first tree `times` times.
    fn repeated(times: usize) -> Vec<u8> {
        let model = include_bytes!("../../tests/fixtures/1.9.1/plain.onnx");
        let mut model = proto::Model::decode(&model[..]).unwrap();
        for bytes in &mut model.graph.as_mut().unwrap().node {
            let mut node = proto::Node::decode(bytes.clone()).unwrap();
            if node.op_type == "Sum" {
                node.input = vec![node.input[0].clone(); times];
                *bytes = node.encode_to_vec().into();
            }
        }
        model.encode_to_vec()
    }

    #[test]
    fn a_tree_that_is_named_again_is_refused() {
        for times in [2, 100_000] {
            let bytes = repeated(times);
            let refusal = read(&bytes, &Budget::plain(bytes.len())).unwrap_err().to_string();
            assert!(refusal.ends_with("a tree is named more than once"), "{refusal}");
        }
    }

    #[test]
    fn a_divisor_of_no_sample_size_is_refused() {
        for divisor in [-1.0, f64::NAN, 6.7, 1e30] {
            assert!(sample_size(divisor, 2).is_err(), "{divisor}");
        }
    }
}
