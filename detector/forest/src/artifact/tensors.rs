//! Trees in, flat arrays of little-endian numbers out, and back.

use super::error::ArtifactError;
use crate::ensemble::Ensemble;
use crate::forest::{Forest, ForestError};
use crate::train::params::Mode;
use crate::tree::path_length::{MAX_SUM, edges};
use crate::tree::{Node, Plane, Term, Tree};
use safetensors::Dtype;
use safetensors::tensor::{SafeTensorError, SafeTensors, TensorView};

const LEAF: i32 = -1;
/// A plane of n columns is `FIRST_PLANE - n`.
const FIRST_PLANE: i32 = -2;

/// A flat array with its name.
pub(super) struct Tensor {
    pub(super) name: &'static str,
    dtype: Dtype,
    bytes: Vec<u8>,
}

impl Tensor {
    pub(super) fn new<const N: usize>(
        name: &'static str,
        dtype: Dtype,
        numbers: impl Iterator<Item = [u8; N]>,
    ) -> Self {
        let mut bytes = Vec::with_capacity(N * numbers.size_hint().0);
        numbers.for_each(|number| bytes.extend_from_slice(&number));
        Self { name, dtype, bytes }
    }

    pub(super) fn view(&self) -> Result<TensorView<'_>, SafeTensorError> {
        let count = self.bytes.len() / (self.dtype.bitsize() / 8);
        TensorView::new(self.dtype, vec![count], &self.bytes)
    }
}

/// The arrays that hold the trees of an ensemble, the first member's, then the next's.
pub(super) fn of(ensemble: &Ensemble) -> Vec<Tensor> {
    let trees: Vec<&Tree> = ensemble.members().iter().flat_map(Forest::trees).collect();
    let nodes = || trees.iter().flat_map(|tree| tree.nodes().iter().map(move |node| (*tree, node)));
    let planes = || {
        nodes().filter_map(|(tree, node)| match *node {
            Node::Plane { plane, .. } => Some(&tree.planes()[plane as usize]),
            _ => None,
        })
    };
    let terms = || planes().flat_map(|plane| &plane.terms);
    let thresholds = nodes().filter_map(|(_, node)| match *node {
        Node::Split { threshold, .. } => Some(threshold.to_le_bytes()),
        _ => None,
    });
    let samples = nodes().filter_map(|(_, node)| match *node {
        Node::Leaf { samples } => Some(samples.to_le_bytes()),
        _ => None,
    });
    let mut tensors = vec![
        Tensor::new("trees", Dtype::U32, trees.iter().map(|tree| (tree.nodes().len() as u32).to_le_bytes())),
        Tensor::new("nodes", Dtype::I32, nodes().map(|(tree, node)| kind(tree, node).to_le_bytes())),
        Tensor::new("thresholds", Dtype::F32, thresholds),
        Tensor::new("samples", Dtype::U32, samples),
        Tensor::new("offsets", Dtype::F64, planes().map(|plane| plane.offset.to_le_bytes())),
        Tensor::new("terms.column", Dtype::U32, terms().map(|term| term.column.to_le_bytes())),
        Tensor::new("terms.centre", Dtype::F32, terms().map(|term| term.centre.to_le_bytes())),
        Tensor::new("terms.weight", Dtype::F64, terms().map(|term| term.weight.to_le_bytes())),
    ];
    let mut valued = ensemble.members().iter().filter(|member| !member.mode().counts_edges()).peekable();
    if valued.peek().is_some() {
        let lengths = valued.flat_map(Forest::trees).flat_map(Tree::leaf_lengths).map(u64::to_le_bytes);
        tensors.push(Tensor::new("lengths", Dtype::U64, lengths));
    }
    if let Some(ranges) = ensemble.members()[0].ranges() {
        let bounds = ranges.bounds().as_flattened().iter().map(|cell| cell.to_le_bytes());
        tensors.push(Tensor::new("ranges", Dtype::F32, bounds));
    }
    tensors
}

/// The pairs of the tensor `ranges`; `None` where there is no such tensor.
pub(super) fn ranges(tensors: &SafeTensors) -> Result<Option<Vec<[f32; 2]>>, ArtifactError> {
    if tensors.tensor("ranges").is_err() {
        return Ok(None);
    }
    let mut numbers = Numbers::<4>::of(tensors, "ranges", Dtype::F32)?;
    let mut bounds = Vec::with_capacity(numbers.left() / 2);
    while numbers.left() > 0 {
        bounds.push([f32::from_le_bytes(numbers.next()?), f32::from_le_bytes(numbers.next()?)]);
    }
    Ok(Some(bounds))
}

/// The memory that the trees take while they are read and checked, in bytes. It is an upper bound, from the
/// sizes of the tensors alone.
pub(super) fn needed(tensors: &SafeTensors) -> u64 {
    let cost = |name: &str, each: u64, bytes: u64| {
        tensors.tensor(name).map_or(0, |tensor| tensor.data().len() as u64 / each * bytes)
    };
    let planes = cost("offsets", 8, 96) + cost("terms.weight", 8, 48);
    cost("trees", 4, 256) + cost("nodes", 4, 64) + planes + cost("lengths", 8, 16)
}

fn kind(tree: &Tree, node: &Node) -> i32 {
    match *node {
        Node::Leaf { .. } => LEAF,
        Node::Split { column, .. } => column.cast_signed(),
        Node::Plane { plane, .. } => {
            FIRST_PLANE - (tree.planes()[plane as usize].terms.len() as u32).cast_signed()
        }
    }
}

/// The trees in `tensors`, for rows of `columns` cells. Each member gets the number of trees that it asks
/// for, or all that are left.
pub(super) fn trees(
    tensors: &SafeTensors,
    columns: usize,
    members: &[(Mode, usize)],
) -> Result<Vec<Vec<Tree>>, ArtifactError> {
    let mut trees = Numbers::<4>::of(tensors, "trees", Dtype::U32)?;
    let mut source = Source {
        nodes: Numbers::of(tensors, "nodes", Dtype::I32)?,
        thresholds: Numbers::of(tensors, "thresholds", Dtype::F32)?,
        samples: Numbers::of(tensors, "samples", Dtype::U32)?,
        offsets: Numbers::of(tensors, "offsets", Dtype::F64)?,
        term_columns: Numbers::of(tensors, "terms.column", Dtype::U32)?,
        term_centres: Numbers::of(tensors, "terms.centre", Dtype::F32)?,
        term_weights: Numbers::of(tensors, "terms.weight", Dtype::F64)?,
    };
    let mut lengths = if members.iter().all(|(mode, _)| mode.counts_edges()) {
        Numbers::none("lengths")
    } else {
        Numbers::<8>::of(tensors, "lengths", Dtype::U64)?
    };
    let mut forests = Vec::with_capacity(members.len());
    for (mode, count) in members {
        let mut grown = Vec::new();
        while trees.left() > 0 && grown.len() < *count {
            let (nodes, planes) = source.tree(u32::from_le_bytes(trees.next()?) as usize)?;
            let tree = Tree::new(columns, &nodes, planes);
            let tree = tree.map_err(|error| ForestError::Tree { tree: grown.len(), error })?;
            grown.push(if mode.counts_edges() { tree } else { with_lengths(tree, &mut lengths)? });
        }
        forests.push(grown);
    }
    trees.end()?;
    source.end()?;
    lengths.end()?;
    Ok(forests)
}

/// The tree with the next of `lengths` as the values of its leaves.
fn with_lengths(tree: Tree, lengths: &mut Numbers<8>) -> Result<Tree, ArtifactError> {
    let count = tree.leaf_lengths().count();
    let lengths = (0..count).map(|_| match u64::from_le_bytes(lengths.next()?) {
        length if edges(length) < MAX_SUM => Ok(length),
        _ => {
            Err(ArtifactError::Tensor { name: "lengths", rule: "of path lengths, got one that is too long" })
        }
    });
    Ok(tree.with_lengths(lengths.collect::<Result<Vec<_>, _>>()?))
}

/// The numbers of one tensor that have not been read yet.
pub(super) struct Numbers<'a, const N: usize> {
    name: &'static str,
    rest: &'a [[u8; N]],
}

impl<'a, const N: usize> Numbers<'a, N> {
    pub(super) fn of(
        tensors: &SafeTensors<'a>,
        name: &'static str,
        dtype: Dtype,
    ) -> Result<Self, ArtifactError> {
        let tensor = tensors.tensor(name).map_err(|_| ArtifactError::Tensor { name, rule: "there" })?;
        if tensor.dtype() != dtype || tensor.shape().len() != 1 {
            return Err(ArtifactError::Tensor { name, rule: "a flat array of its format's type" });
        }
        Ok(Self { name, rest: tensor.data().as_chunks().0 })
    }

    /// The numbers of a tensor that the file need not have: none.
    fn none(name: &'static str) -> Self {
        Self { name, rest: &[] }
    }

    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn next(&mut self) -> Result<[u8; N], ArtifactError> {
        let (first, rest) = self
            .rest
            .split_first()
            .ok_or(ArtifactError::Tensor { name: self.name, rule: "as long as the nodes need, got less" })?;
        self.rest = rest;
        Ok(*first)
    }

    fn end(&self) -> Result<(), ArtifactError> {
        let rule = "as long as the nodes need, got more";
        if self.rest.is_empty() { Ok(()) } else { Err(ArtifactError::Tensor { name: self.name, rule }) }
    }
}

/// The tensors that nodes are read from.
struct Source<'a> {
    nodes: Numbers<'a, 4>,
    thresholds: Numbers<'a, 4>,
    samples: Numbers<'a, 4>,
    offsets: Numbers<'a, 8>,
    term_columns: Numbers<'a, 4>,
    term_centres: Numbers<'a, 4>,
    term_weights: Numbers<'a, 8>,
}

impl Source<'_> {
    /// The next tree's parts: `count` nodes in pre-order, the children of each following from the order.
    fn tree(&mut self, count: usize) -> Result<(Vec<Node>, Vec<Plane>), ArtifactError> {
        let whole = ArtifactError::Tensor { name: "nodes", rule: "whole trees in pre-order" };
        if count == 0 || count > self.nodes.left() {
            return Err(whole);
        }
        let mut nodes: Vec<Node> = Vec::with_capacity(count);
        let mut planes = Vec::new();
        let mut open = Vec::new(); // inner nodes that wait for their right child
        for at in 0..count as u32 {
            let node = self.node(at, &mut planes)?;
            nodes.push(node);
            if !matches!(node, Node::Leaf { .. }) {
                open.push(at as usize);
            } else if at as usize + 1 < count {
                let parent = open
                    .pop()
                    .ok_or(ArtifactError::Tensor { name: "nodes", rule: "whole trees in pre-order" })?;
                if let Node::Split { right, .. } | Node::Plane { right, .. } = &mut nodes[parent] {
                    *right = at + 1;
                }
            }
        }
        if open.is_empty() { Ok((nodes, planes)) } else { Err(whole) }
    }

    /// The node at index `at`, its right child not yet known.
    fn node(&mut self, at: u32, planes: &mut Vec<Plane>) -> Result<Node, ArtifactError> {
        let (left, right) = (at + 1, 0);
        Ok(match i32::from_le_bytes(self.nodes.next()?) {
            LEAF => Node::Leaf { samples: u32::from_le_bytes(self.samples.next()?) },
            kind if kind <= FIRST_PLANE => {
                planes.push(self.plane(FIRST_PLANE.abs_diff(kind))?);
                Node::Plane { plane: planes.len() as u32 - 1, left, right }
            }
            column => {
                let threshold = f32::from_le_bytes(self.thresholds.next()?);
                Node::Split { column: column as u32, threshold, left, right }
            }
        })
    }

    fn plane(&mut self, terms: u32) -> Result<Plane, ArtifactError> {
        let offset = f64::from_le_bytes(self.offsets.next()?);
        let terms = (0..terms).map(|_| {
            Ok(Term {
                column: u32::from_le_bytes(self.term_columns.next()?),
                centre: f32::from_le_bytes(self.term_centres.next()?),
                weight: f64::from_le_bytes(self.term_weights.next()?),
            })
        });
        Ok(Plane { terms: terms.collect::<Result<_, ArtifactError>>()?, offset })
    }

    fn end(&self) -> Result<(), ArtifactError> {
        self.nodes.end()?;
        self.thresholds.end()?;
        self.samples.end()?;
        self.offsets.end()?;
        self.term_columns.end()?;
        self.term_centres.end()?;
        self.term_weights.end()
    }
}
