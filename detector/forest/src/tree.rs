//! Nodes from anywhere in, a `Tree` out: one root, every node reached exactly once, in pre-order.

/// The nodes of a tree.
mod node;
/// The reasons why nodes are not a valid tree.
mod error;
/// Nodes in any order become checked nodes in pre-order.
mod preorder;
/// Depths and sample counts in, path lengths out.
pub(crate) mod path_length;

pub use error::TreeError;
pub use node::{Node, Plane, Term, threshold};

use path_length::PathLength;
use preorder::{check, depths, preorder};
use std::sync::Arc;

/// An isolation tree. Its nodes are in pre-order: a left child follows its parent. A clone shares the nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    nodes: Arc<[Node]>,
    planes: Arc<[Plane]>,
    /// The path length of the leaf at the same index; 0 at inner nodes.
    path_lengths: Arc<[PathLength]>,
    longest: PathLength,
    depth: u32,
}

impl Tree {
    /// Checks `nodes` and `planes` for rows of `columns` cells, and puts the nodes into pre-order.
    ///
    /// # Errors
    /// Anything that could let a walk leave the tree or never end, and numbers that are not finite or too
    /// large: see [`TreeError`].
    pub fn new(columns: usize, nodes: &[Node], planes: Vec<Plane>) -> Result<Self, TreeError> {
        if nodes.len() >= 1 << 31 {
            return Err(TreeError::TooManyNodes(nodes.len()));
        }
        for (at, node) in nodes.iter().enumerate() {
            check(columns, at as u32, node, nodes.len(), &planes)?;
        }
        let ordered = preorder(nodes)?;
        Ok(Self::of_preorder(&ordered, planes))
    }

    /// A tree of nodes that are known to be valid and in pre-order.
    pub(crate) fn of_preorder(nodes: &[Node], planes: Vec<Plane>) -> Self {
        let depths = depths(nodes);
        let length = |(node, &depth): (&Node, &u32)| match *node {
            Node::Leaf { samples } => path_length::path_length(depth, samples),
            Node::Split { .. } | Node::Plane { .. } => 0,
        };
        let path_lengths: Arc<[_]> = nodes.iter().zip(&depths).map(length).collect();
        let longest = path_lengths.iter().copied().max().unwrap_or(0);
        let depth = depths.into_iter().max().unwrap_or(0);
        Self { nodes: nodes.into(), planes: planes.into(), path_lengths, longest, depth }
    }

    /// The same tree with `lengths` as the values of its leaves, in the order of the leaves.
    pub(crate) fn with_lengths(mut self, lengths: impl IntoIterator<Item = PathLength>) -> Self {
        let mut lengths = lengths.into_iter();
        for (node, length) in self.nodes.iter().zip(Arc::make_mut(&mut self.path_lengths)) {
            if let Node::Leaf { .. } = node {
                *length = lengths.next().unwrap_or(*length);
            }
        }
        self.longest = self.path_lengths.iter().copied().max().unwrap_or(0);
        self
    }

    /// The nodes, in pre-order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The planes that [`Node::Plane`] refers to; none unless the forest is extended.
    pub fn planes(&self) -> &[Plane] {
        &self.planes
    }

    /// How many edges the longest path from the root to a leaf has.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    pub(crate) fn longest(&self) -> PathLength {
        self.longest
    }

    /// The path length of the leaf at index `leaf`.
    pub(crate) fn path_length(&self, leaf: usize) -> PathLength {
        self.path_lengths[leaf]
    }

    /// The path length of the leaf at index `leaf`, in edges, or the leaf's value in a mode that does not
    /// count edges; 0 for an inner node.
    pub fn edges(&self, leaf: usize) -> f64 {
        path_length::edges(self.path_lengths[leaf])
    }

    /// The path lengths of the leaves, in the order of the leaves.
    pub(crate) fn leaf_lengths(&self) -> impl Iterator<Item = PathLength> {
        let lengths = self.nodes.iter().zip(&*self.path_lengths);
        lengths.filter_map(|(node, &length)| matches!(node, Node::Leaf { .. }).then_some(length))
    }

    /// The number of training rows and the path length of each leaf, in the order of the leaves.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = (u32, PathLength)> {
        let lengths = self.nodes.iter().zip(&*self.path_lengths);
        lengths.filter_map(|(node, &length)| match node {
            Node::Leaf { samples } => Some((*samples, length)),
            Node::Split { .. } | Node::Plane { .. } => None,
        })
    }

    /// For each node, the number of leaves before it. For a leaf, this is the leaf's number.
    pub(crate) fn leaf_numbers(&self) -> Vec<u32> {
        let before = |before: &mut u32, node: &Node| {
            let number = *before;
            *before += u32::from(matches!(node, Node::Leaf { .. }));
            Some(number)
        };
        self.nodes.iter().scan(0, before).collect()
    }

    /// The path length of `row`; missing cells get no special treatment.
    pub(crate) fn path_length_of(&self, row: &[f32]) -> PathLength {
        let mut at = 0;
        while let Some(next) = self.step(at, row) {
            at = next;
        }
        self.path_lengths[at]
    }

    /// The path length of a row with missing cells. At a split on a missing cell it follows both sides, each
    /// with the weight of the training rows that went there. `samples` is the result of [`Tree::samples`].
    pub(crate) fn path_length_with_missing(&self, samples: &[u32], row: &[f32]) -> PathLength {
        let mut edges = 0.0;
        let mut waiting = vec![(0, 1.0)];
        while let Some((at, weight)) = waiting.pop() {
            match self.nodes[at] {
                Node::Leaf { .. } => edges += weight * self.edges(at),
                Node::Split { column, left, right, .. } if row[column as usize].is_nan() => {
                    let (left, right) = (left as usize, right as usize);
                    let rows = f64::from(samples[left]) + f64::from(samples[right]);
                    let share = if rows > 0.0 { f64::from(samples[left]) / rows } else { 0.5 };
                    waiting.extend([(right, weight * (1.0 - share)), (left, weight * share)]);
                }
                Node::Split { .. } | Node::Plane { .. } => {
                    waiting.extend(self.step(at, row).map(|next| (next, weight)));
                }
            }
        }
        path_length::fixed(edges)
    }

    /// Whether the cell that node `at` splits on is missing.
    pub(crate) fn is_missing(&self, at: usize, row: &[f32]) -> bool {
        matches!(self.nodes[at], Node::Split { column, .. } if row[column as usize].is_nan())
    }

    /// The child that `row` goes to from node `at`; `None` at a leaf.
    pub(crate) fn step(&self, at: usize, row: &[f32]) -> Option<usize> {
        let (greater, left, right) = match self.nodes[at] {
            Node::Split { column, threshold, left, right } => (row[column as usize] > threshold, left, right),
            Node::Plane { plane, left, right } => (self.planes[plane as usize].is_before(row), left, right),
            Node::Leaf { .. } => return None,
        };
        Some(if greater { right } else { left } as usize)
    }

    /// The expected leaf value of a training row in each node: the mean of the leaves below, in edges.
    pub(crate) fn expected(&self) -> Vec<f64> {
        let samples = self.samples();
        let mut expected = vec![0.0; self.nodes.len()];
        for at in (0..self.nodes.len()).rev() {
            expected[at] = match self.nodes[at] {
                Node::Leaf { .. } => self.edges(at),
                Node::Split { left, right, .. } | Node::Plane { left, right, .. } => {
                    let (left, right) = (left as usize, right as usize);
                    let rows = [f64::from(samples[left]), f64::from(samples[right])];
                    let share = if rows[0] + rows[1] > 0.0 { rows[0] / (rows[0] + rows[1]) } else { 0.5 };
                    share * expected[left] + (1.0 - share) * expected[right]
                }
            };
        }
        expected
    }

    /// The number of training rows that passed through each node: the sum over the leaves below.
    pub(crate) fn samples(&self) -> Vec<u32> {
        let mut samples = vec![0u32; self.nodes.len()];
        for at in (0..self.nodes.len()).rev() {
            samples[at] = match self.nodes[at] {
                Node::Leaf { samples } => samples,
                Node::Split { left, right, .. } | Node::Plane { left, right, .. } => {
                    samples[left as usize].saturating_add(samples[right as usize])
                }
            };
        }
        samples
    }
}

#[cfg(test)]
mod tests;
