//! A model that [`write`](super::write()) has written in, its forest, columns and threshold out.
//!
//! The forest that was read is written again, and the result must equal the file, so nothing is overlooked.

use std::collections::HashSet;

use forest::tree::{Node, threshold};
use forest::{Ensemble, Forest, average_path_length};
use prost::Message;

use super::cost;
use super::error::ReadError;
use super::graph::Attributes;
use super::proto;
use super::write::{self, PRODUCER};
use crate::budget::Budget;
use crate::imported::Imported;
use crate::preprocessing::COLUMNS_LIMIT;
use crate::shown::shown;

type Result<T> = std::result::Result<T, ReadError>;

const NOT_EXPORTED_HERE: ReadError = ReadError::Foreign("or as `detector export` writes it");

/// The memory cost of a node while it is read and checked, in bytes.
const NODE_COST: usize = 128;

/// Whether the model names this project as its producer.
pub(super) fn is_exported_here(model: &proto::Model) -> bool {
    model.producer_name == PRODUCER
}

/// Read the forest of a model that [`write`](super::write()) wrote.
pub(super) fn read(mut model: proto::Model, budget: &Budget) -> Result<Imported> {
    let columns: Vec<String> = property(&model, "columns", budget)?
        .and_then(|text| serde_json::from_str(&text).ok())
        .ok_or(NOT_EXPORTED_HERE)?;
    let cut: f64 =
        property(&model, "threshold", budget)?.and_then(|text| text.parse().ok()).ok_or(NOT_EXPORTED_HERE)?;
    if columns.len() > COLUMNS_LIMIT as usize || !(0.0..=1.0).contains(&cut) {
        return Err(NOT_EXPORTED_HERE);
    }
    let ensemble = ensemble(&model, columns.len(), budget)?;
    let origin = format!("ONNX by {} {}", PRODUCER, shown(&model.producer_version));
    env!("CARGO_PKG_VERSION").clone_into(&mut model.producer_version);
    budget.allocate(2 * model.encoded_len())?;
    let again = write::write(&ensemble, cut, &columns).map_err(|_| NOT_EXPORTED_HERE)?;
    if again != model.encode_to_vec() {
        return Err(NOT_EXPORTED_HERE);
    }
    Ok(Imported {
        ensemble,
        preprocessing: None,
        threshold: cut,
        columns: Some(columns),
        origin,
        warnings: Vec::new(),
    })
}

fn property(model: &proto::Model, key: &str, budget: &Budget) -> Result<Option<String>> {
    for bytes in &model.metadata_props {
        budget.allocate(4 * cost::of_node(bytes)?)?;
        let property = proto::Property::decode(bytes.clone())?;
        if property.key == key {
            return Ok(Some(property.value));
        }
    }
    Ok(None)
}

fn ensemble(model: &proto::Model, columns: usize, budget: &Budget) -> Result<Ensemble> {
    let graph = model.graph.as_ref().ok_or(NOT_EXPORTED_HERE)?;
    let mut trees = None;
    for bytes in &graph.node {
        budget.allocate(cost::of_node(bytes)?)?;
        let node = proto::Node::decode(bytes.clone())?;
        if node.op_type == "TreeEnsemble" {
            trees = Some(Lists::of(&Attributes::of(&node, budget)?)?.trees(budget)?);
        }
    }
    let trees = trees.ok_or(NOT_EXPORTED_HERE)?;
    let sample_size = sample_size(scale(graph, budget)?, trees.len())?;
    Ok(Forest::from_trees(columns, sample_size, trees)?.into())
}

/// The factor by which the model multiplies the sum of path lengths.
fn scale(graph: &proto::Graph, budget: &Budget) -> Result<f64> {
    for bytes in &graph.initializer {
        budget.allocate(cost::of_tensor(bytes)?)?;
        let tensor = proto::Tensor::decode(bytes.clone())?;
        if tensor.name == "scale" {
            let bytes = tensor.raw_data[..].try_into().map_err(|_| NOT_EXPORTED_HERE)?;
            return Ok(f64::from_le_bytes(bytes));
        }
    }
    Err(NOT_EXPORTED_HERE)
}

/// The sample size n for which the scale is -1 / (trees * c(n)).
fn sample_size(scale: f64, trees: usize) -> Result<u32> {
    samples(-1.0 / scale / trees as f64).ok_or(NOT_EXPORTED_HERE)
}

/// The number of samples whose average path length is nearest to `length`.
fn samples(length: f64) -> Option<u32> {
    if length.is_nan() || length < 0.0 {
        return None;
    }
    let (mut low, mut high) = (1, 1 << 31);
    while low < high {
        let middle = low + (high - low) / 2;
        if average_path_length(middle) < length { low = middle + 1 } else { high = middle }
    }
    let distance = |samples: &u32| (average_path_length(*samples) - length).abs();
    [low, low.saturating_sub(1).max(1)].into_iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

/// The lists of a `TreeEnsemble`.
struct Lists {
    roots: Vec<i64>,
    columns: Vec<i64>,
    thresholds: Vec<f64>,
    sides: [Vec<i64>; 2],
    are_leaves: [Vec<i64>; 2],
    lengths: Vec<f64>,
}

impl Lists {
    fn of(attributes: &Attributes<'_>) -> Result<Self> {
        let ints = |name| attributes.ints(name).map(<[i64]>::to_vec);
        let lists = Self {
            roots: ints("tree_roots")?,
            columns: ints("nodes_featureids")?,
            thresholds: attributes.doubles("nodes_splits")?,
            sides: [ints("nodes_truenodeids")?, ints("nodes_falsenodeids")?],
            are_leaves: [ints("nodes_trueleafs")?, ints("nodes_falseleafs")?],
            lengths: attributes.doubles("leaf_weights")?,
        };
        let count = lists.columns.len();
        let as_many = [&lists.sides[0], &lists.sides[1], &lists.are_leaves[0], &lists.are_leaves[1]];
        let fits = lists.thresholds.len() == count && as_many.iter().all(|list| list.len() == count);
        if fits { Ok(lists) } else { Err(NOT_EXPORTED_HERE) }
    }

    fn trees(&self, budget: &Budget) -> Result<Vec<Vec<Node>>> {
        let mut met = HashSet::new();
        self.roots.iter().map(|&root| self.tree(root, &mut met, budget)).collect()
    }

    /// Read the nodes of a tree in pre-order. A split that was visited before is in a cycle or in two trees.
    fn tree(&self, root: i64, met: &mut HashSet<usize>, budget: &Budget) -> Result<Vec<Node>> {
        let mut nodes: Vec<Node> = Vec::new();
        let split = place_in(root, self.columns.len())?;
        if self.is_lone(split) {
            met.insert(split);
            return Ok(vec![self.leaf(self.sides[0][split], 0)?]);
        }
        // Places to visit: parent node, side of the parent, index of the place, whether it is a leaf, depth.
        let mut waiting = vec![(None, 0, root, false, 0_u32)];
        while let Some((parent, side, place, is_leaf, depth)) = waiting.pop() {
            budget.allocate(NODE_COST)?;
            let at = nodes.len() as u32;
            match parent.map(|parent: usize| &mut nodes[parent]) {
                Some(Node::Split { left, .. }) if side == 0 => *left = at,
                Some(Node::Split { right, .. }) => *right = at,
                _ => {}
            }
            if is_leaf {
                nodes.push(self.leaf(place, depth)?);
                continue;
            }
            let split = place_in(place, self.columns.len())?;
            if !met.insert(split) {
                return Err(NOT_EXPORTED_HERE);
            }
            let column = u32::try_from(self.columns[split]).map_err(|_| NOT_EXPORTED_HERE)?;
            nodes.push(Node::Split {
                column,
                threshold: threshold(self.thresholds[split]),
                left: 0,
                right: 0,
            });
            for side in [1, 0] {
                let is_leaf = self.are_leaves[side][split] != 0;
                waiting.push((Some(at as usize), side, self.sides[side][split], is_leaf, depth + 1));
            }
        }
        Ok(nodes)
    }

    /// Whether a split stands for a tree of one leaf, written as a split with that leaf on both sides.
    fn is_lone(&self, split: usize) -> bool {
        self.sides[0][split] == self.sides[1][split]
            && self.are_leaves.iter().all(|leaves| leaves[split] != 0)
    }

    fn leaf(&self, place: i64, depth: u32) -> Result<Node> {
        let length = self.lengths[place_in(place, self.lengths.len())?] - f64::from(depth);
        // Lengths are rounded sums: the length of a leaf of one sample may come out slightly below 0.
        Ok(Node::Leaf { samples: samples(length.max(0.0)).ok_or(NOT_EXPORTED_HERE)? })
    }
}

/// Return `place` as an index into a list of `count` entries, or an error if it is outside.
fn place_in(place: i64, count: usize) -> Result<usize> {
    usize::try_from(place).ok().filter(|&place| place < count).ok_or(NOT_EXPORTED_HERE)
}
