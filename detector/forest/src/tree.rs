//! Nodes from anywhere in, a [`Tree`] out: one root, every node reached exactly once, in pre-order.

/// Path lengths, and the score that they make.
pub(crate) mod path_length;

use path_length::PathLength;
use thiserror::Error;

/// One node of a tree. Children are indices into the tree's nodes; the root is node 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Node {
    /// A question about one column.
    Split {
        /// Which cell of the row, counted from 0.
        column: u32,
        /// A cell that is greater goes right, any other left. (A threshold t in `f64` is the same, for `f32` cells, as
        /// the largest `f32` that is not greater than t: see [`threshold`].)
        threshold: f32,
        /// Where the smaller go.
        left: u32,
        /// Where the greater go.
        right: u32,
    },
    /// A question about several columns at once (extended forests only).
    Plane {
        /// Which of the tree's planes.
        plane: u32,
        /// Where rows behind the plane or on it go.
        left: u32,
        /// Where rows before the plane go.
        right: u32,
    },
    /// Where a path ends.
    Leaf {
        /// How many training rows ended here.
        samples: u32,
    },
}

/// A hyperplane: a row is before it when Σ weight · (cell − centre) > offset.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    /// The columns it looks at, in ascending order.
    pub terms: Vec<Term>,
    /// Its distance along the weights.
    pub offset: f64,
}

/// One column of a [`Plane`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// Which cell of the row, counted from 0.
    pub column: u32,
    /// The middle of the training rows' range here.
    pub centre: f32,
    /// How much this column turns the plane: from -1e100 to 1e100.
    pub weight: f64,
}

/// The largest weight: the distances of a plane add up to a number, whatever the cells. One over the least difference of two
/// cells is 1e45.
const HEAVIEST: f64 = 1e100;

/// Why nodes are not a tree.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum TreeError {
    /// No root.
    #[error("a tree must have at least 1 node, got 0")]
    Empty,
    /// More nodes than an index can tell apart.
    #[error("a tree must have fewer than 2^31 nodes, got {0}")]
    TooManyNodes(usize),
    /// A child index that names no node.
    #[error("node {node} must have children among the tree's {nodes} nodes, got {child}")]
    NoSuchChild {
        /// The parent.
        node: u32,
        /// The index.
        child: u32,
        /// How many nodes there are.
        nodes: usize,
    },
    /// A cycle, or two parents.
    #[error("node {0} must have one parent, got more")]
    ReachedTwice(u32),
    /// Nodes that no path leads to.
    #[error("every node must be reached from the root, got {0} that are not")]
    Unreachable(usize),
    /// A column index that the forest does not have.
    #[error("node {node} must ask for one of the {columns} columns, got column {column}")]
    NoSuchColumn {
        /// The node.
        node: u32,
        /// The index.
        column: u32,
        /// How many columns there are.
        columns: usize,
    },
    /// NaN or an infinity.
    #[error("node {0} must have finite numbers, got NaN or an infinity")]
    NotFinite(u32),
    /// A weight that makes distances overflow.
    #[error("node {node} must have weights from -1e100 to 1e100, got {weight:e}")]
    TooHeavy {
        /// The node.
        node: u32,
        /// The weight.
        weight: f64,
    },
    /// A plane index that names no plane, or a plane without columns.
    #[error("node {0} must have a plane of at least 1 column, got none")]
    NoSuchPlane(u32),
}

/// The `f32` threshold that sends every `f32` cell to the side on which the `f64` threshold `t` does: the largest
/// `f32` that is not greater than `t`.
///
/// ```
/// let t = forest::tree::threshold(0.1);
/// assert!(f64::from(t) <= 0.1 && f64::from(t.next_up()) > 0.1);
/// ```
pub fn threshold(t: f64) -> f32 {
    let nearest = t as f32;
    if f64::from(nearest) > t { nearest.next_down() } else { nearest }
}

/// An isolation tree. Its nodes stand in pre-order: a left child follows its parent.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    nodes: Vec<Node>,
    planes: Vec<Plane>,
    /// The path length of the leaf at the same index; 0 at inner nodes.
    path_lengths: Vec<PathLength>,
    longest: PathLength,
    depth: u32,
}

impl Tree {
    /// Checks `nodes` and `planes` for rows of `columns` cells, and brings the nodes into pre-order.
    ///
    /// # Errors
    /// Whatever would let a walk go astray: see [`TreeError`].
    pub fn new(columns: usize, nodes: &[Node], planes: Vec<Plane>) -> Result<Self, TreeError> {
        if nodes.len() >= 1 << 31 {
            return Err(TreeError::TooManyNodes(nodes.len()));
        }
        for (at, node) in nodes.iter().enumerate() {
            check(columns, at as u32, node, nodes.len(), &planes)?;
        }
        let ordered = preorder(nodes)?;
        Ok(Self::of_preorder(ordered, planes))
    }

    /// A tree of nodes that are known to be sound and in pre-order.
    pub(crate) fn of_preorder(nodes: Vec<Node>, planes: Vec<Plane>) -> Self {
        let depths = depths(&nodes);
        let length = |(node, &depth): (&Node, &u32)| match *node {
            Node::Leaf { samples } => path_length::path_length(depth, samples),
            Node::Split { .. } | Node::Plane { .. } => 0,
        };
        let path_lengths: Vec<_> = nodes.iter().zip(&depths).map(length).collect();
        let longest = path_lengths.iter().copied().max().unwrap_or(0);
        let depth = depths.into_iter().max().unwrap_or(0);
        Self { nodes, planes, path_lengths, longest, depth }
    }

    /// The same tree with other values of its leaves, in their order.
    pub(crate) fn with_lengths(mut self, lengths: impl IntoIterator<Item = PathLength>) -> Self {
        let mut lengths = lengths.into_iter();
        for (node, length) in self.nodes.iter().zip(&mut self.path_lengths) {
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

    /// How many edges the longest way from the root to a leaf has.
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

    /// The path length of the leaf at index `leaf`, in edges (in the forest's mode, what stands for it); 0 for another
    /// node.
    pub fn edges(&self, leaf: usize) -> f64 {
        path_length::edges(self.path_lengths[leaf])
    }

    /// The leaves' path lengths, in their order.
    pub(crate) fn leaf_lengths(&self) -> impl Iterator<Item = PathLength> {
        let lengths = self.nodes.iter().zip(&self.path_lengths);
        lengths.filter_map(|(node, &length)| matches!(node, Node::Leaf { .. }).then_some(length))
    }

    /// For each node how many leaves stand before it: the number of a leaf.
    pub(crate) fn leaf_numbers(&self) -> Vec<u32> {
        let before = |before: &mut u32, node: &Node| {
            let number = *before;
            *before += u32::from(matches!(node, Node::Leaf { .. }));
            Some(number)
        };
        self.nodes.iter().scan(0, before).collect()
    }

    /// How far `row` gets.
    pub(crate) fn path_length_of(&self, row: &[f32]) -> PathLength {
        let mut at = 0;
        while let Some(next) = self.step(at, row) {
            at = next;
        }
        self.path_lengths[at]
    }

    /// How far a row with missing cells gets: at a split of a missing cell both ways, each with the weight of the training
    /// rows that went there. `samples` are [`Tree::samples`].
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

    /// Whether a row's way cannot be told at node `at`, since the cell that it asks for is missing.
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

    /// The value that a training row in each node is to expect of its leaf: the mean of the leaves below, in edges.
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

    /// How many training rows came through each node: the sums of the leaves below.
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

impl Plane {
    fn is_before(&self, row: &[f32]) -> bool {
        self.distance(row) > self.offset
    }

    /// Σ weight · (cell − centre).
    pub(crate) fn distance(&self, row: &[f32]) -> f64 {
        self.terms.iter().map(|term| term.distance(row)).sum()
    }
}

impl Term {
    #[inline]
    pub(crate) fn distance(&self, row: &[f32]) -> f64 {
        let distance = self.weight * (f64::from(row[self.column as usize]) - f64::from(self.centre));
        // A missing cell is as good as one in the middle.
        if distance.is_nan() { 0.0 } else { distance }
    }
}

fn check(columns: usize, at: u32, node: &Node, nodes: usize, planes: &[Plane]) -> Result<(), TreeError> {
    let column_exists = |column: u32| {
        let exists = (column as usize) < columns;
        exists.then_some(()).ok_or(TreeError::NoSuchColumn { node: at, column, columns })
    };
    let is_finite = |finite: bool| finite.then_some(()).ok_or(TreeError::NotFinite(at));
    let (left, right) = match *node {
        Node::Leaf { .. } => return Ok(()),
        Node::Split { column, threshold, left, right } => {
            column_exists(column)?;
            is_finite(threshold.is_finite())?;
            (left, right)
        }
        Node::Plane { plane, left, right } => {
            let plane = planes.get(plane as usize).filter(|plane| !plane.terms.is_empty());
            let plane = plane.ok_or(TreeError::NoSuchPlane(at))?;
            is_finite(plane.offset.is_finite())?;
            for term in &plane.terms {
                column_exists(term.column)?;
                is_finite(term.weight.is_finite() && term.centre.is_finite())?;
                if term.weight.abs() > HEAVIEST {
                    return Err(TreeError::TooHeavy { node: at, weight: term.weight });
                }
            }
            (left, right)
        }
    };
    for child in [left, right] {
        if child as usize >= nodes {
            return Err(TreeError::NoSuchChild { node: at, child, nodes });
        }
    }
    Ok(())
}

/// How many edges lead to each node of a tree in pre-order.
fn depths(nodes: &[Node]) -> Vec<u32> {
    let mut depths = vec![0u32; nodes.len()];
    for (at, node) in nodes.iter().enumerate() {
        if let Node::Split { left, right, .. } | Node::Plane { left, right, .. } = *node {
            depths[left as usize] = depths[at] + 1;
            depths[right as usize] = depths[at] + 1;
        }
    }
    depths
}

/// The nodes as a walk from the root meets them, left before right; their children renumbered.
fn preorder(nodes: &[Node]) -> Result<Vec<Node>, TreeError> {
    if nodes.is_empty() {
        return Err(TreeError::Empty);
    }
    let mut reached = vec![false; nodes.len()];
    let mut ordered: Vec<Node> = Vec::with_capacity(nodes.len());
    let mut waiting = vec![(0u32, None::<usize>)]; // a node, and the parent whose right child it is
    while let Some((old, parent)) = waiting.pop() {
        if std::mem::replace(&mut reached[old as usize], true) {
            return Err(TreeError::ReachedTwice(old));
        }
        let new = ordered.len();
        if let Some(Node::Split { right, .. } | Node::Plane { right, .. }) = parent.map(|at| &mut ordered[at])
        {
            *right = new as u32;
        }
        let mut node = nodes[old as usize];
        if let Node::Split { left, right, .. } | Node::Plane { left, right, .. } = &mut node {
            waiting.extend([(*right, Some(new)), (*left, None)]);
            *left = new as u32 + 1;
        }
        ordered.push(node);
    }
    match nodes.len() - ordered.len() {
        0 => Ok(ordered),
        unreachable => Err(TreeError::Unreachable(unreachable)),
    }
}

#[cfg(test)]
mod tests;
