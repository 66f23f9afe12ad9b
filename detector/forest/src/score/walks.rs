//! Trees and rows in, sums of path lengths out: eight walks side by side and without branches, so that the processor
//! always has eight loads to wait for. A block of rows goes through one tree after the other, which stays in the nearest
//! cache; a single row goes through eight trees at once.

use crate::tree::path_length::PathLength;
use crate::tree::{Node, Term, Tree};

/// The number of walks that run side by side.
const LANES: usize = 8;
/// The most levels between two checks whether all walks have arrived: a lopsided tree is deeper than most
/// paths through it.
const ROUND: u32 = 8;
/// A term that adds 0 to every distance.
const ZERO_TERM: Term = Term { column: 0, centre: 0.0, weight: 0.0 };

/// Trees in the form for walks.
#[derive(Debug, Clone)]
pub(crate) enum Walks {
    /// Trees that have splits only.
    Splits(Vec<Flat<Split>>),
    /// Trees with planes.
    Planes(Vec<Flat<Planar>>),
}

/// A tree in which the children of a node are next to each other, and the next node of a leaf is the leaf
/// itself.
#[derive(Debug, Clone)]
pub(crate) struct Flat<S> {
    steps: Vec<S>,
    /// The terms of a leaf, then those of each plane, filled up with [`ZERO_TERM`] to `width`.
    terms: Vec<Term>,
    width: usize,
    path_lengths: Vec<PathLength>,
    /// The number of the leaf at the same index among the tree's leaves; 0 at inner nodes.
    leaves: Vec<u32>,
    depth: u32,
}

/// A node of a [`Flat`] tree: the step to its left child, or to its right child, which is next to the left.
pub(crate) trait Step: Copy {
    /// The step of `tree`'s node at index `from`. Its children are at `left` and `left` + 1; a leaf has
    /// itself at `left`.
    fn of(tree: &Tree, from: usize, left: u32, flat: &mut Flat<Self>) -> Self;
    /// The index of the node that `row` goes to.
    fn next(self, flat: &Flat<Self>, row: &[f32]) -> u32;
    fn left(self) -> u32;
}

/// A step to the right when the cell is greater than the threshold, to the left otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Split {
    column: u32,
    threshold: f32,
    left: u32,
}

/// A step to the right when the row is before the plane, to the left otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planar {
    offset: f64,
    left: u32,
    /// The index of the first of its terms.
    terms: u32,
}

impl Step for Split {
    fn of(tree: &Tree, from: usize, left: u32, _: &mut Flat<Self>) -> Self {
        match tree.nodes()[from] {
            Node::Split { column, threshold, .. } => Self { column, threshold, left },
            Node::Plane { .. } | Node::Leaf { .. } => Self { column: 0, threshold: f32::INFINITY, left },
        }
    }

    #[inline]
    fn next(self, _: &Flat<Self>, row: &[f32]) -> u32 {
        self.left + u32::from(row[self.column as usize] > self.threshold)
    }

    fn left(self) -> u32 {
        self.left
    }
}

impl Step for Planar {
    /// A split is a plane of one term.
    fn of(tree: &Tree, from: usize, left: u32, flat: &mut Flat<Self>) -> Self {
        let terms = flat.terms.len() as u32;
        let offset = match tree.nodes()[from] {
            Node::Split { column, threshold, .. } => {
                flat.terms.push(Term { column, centre: 0.0, weight: 1.0 });
                f64::from(threshold)
            }
            Node::Plane { plane, .. } => {
                let plane = &tree.planes()[plane as usize];
                flat.terms.extend(&plane.terms);
                plane.offset
            }
            Node::Leaf { .. } => return Self { offset: f64::INFINITY, left, terms: 0 },
        };
        flat.terms.resize(terms as usize + flat.width, ZERO_TERM);
        Self { offset, left, terms }
    }

    #[inline]
    fn next(self, flat: &Flat<Self>, row: &[f32]) -> u32 {
        let terms = &flat.terms[self.terms as usize..][..flat.width];
        let distance: f64 = terms.iter().map(|term| term.distance(row)).sum();
        self.left + u32::from(distance > self.offset)
    }

    fn left(self) -> u32 {
        self.left
    }
}

impl Walks {
    pub(crate) fn new(trees: &[Tree]) -> Self {
        let planes = trees.iter().flat_map(Tree::planes);
        match planes.map(|plane| plane.terms.len()).max() {
            None => Self::Splits(trees.iter().map(|tree| Flat::new(tree, 0)).collect()),
            Some(width) => Self::Planes(trees.iter().map(|tree| Flat::new(tree, width)).collect()),
        }
    }

    /// The sum of path lengths of one row without missing cells.
    pub(crate) fn path_length(&self, row: &[f32]) -> PathLength {
        match self {
            Self::Splits(trees) => through_all(trees, row),
            Self::Planes(trees) => through_all(trees, row),
        }
    }

    /// The same sum; writes the number of the row's leaf in each tree to `leaves`.
    pub(crate) fn leaves(&self, row: &[f32], leaves: &mut [u32]) -> PathLength {
        match self {
            Self::Splits(trees) => leaves_in_all(trees, row, leaves),
            Self::Planes(trees) => leaves_in_all(trees, row, leaves),
        }
    }

    /// Adds the path lengths of rows of `columns` cells, none missing, to `sums`, one for each row.
    pub(crate) fn path_lengths(&self, columns: usize, cells: &[f32], sums: &mut [PathLength]) {
        match self {
            Self::Splits(trees) => through_each(trees, columns, cells, sums),
            Self::Planes(trees) => through_each(trees, columns, cells, sums),
        }
    }
}

/// The sum of path lengths of one row, which walks through several trees at a time.
fn through_all<S: Step>(trees: &[Flat<S>], row: &[f32]) -> PathLength {
    ends(trees, row).map(|(tree, at)| tree.path_lengths[at as usize]).sum()
}

/// The same sum; writes the number of the row's leaf in each tree to `leaves`.
fn leaves_in_all<S: Step>(trees: &[Flat<S>], row: &[f32], leaves: &mut [u32]) -> PathLength {
    let number = |((tree, at), leaf): ((&Flat<S>, u32), &mut u32)| {
        *leaf = tree.leaves[at as usize];
        tree.path_lengths[at as usize]
    };
    ends(trees, row).zip(leaves).map(number).sum()
}

/// The index of the leaf that one row reaches in each tree.
fn ends<'a, S: Step>(trees: &'a [Flat<S>], row: &'a [f32]) -> impl Iterator<Item = (&'a Flat<S>, u32)> {
    let (groups, rest) = trees.as_chunks::<LANES>();
    let groups = groups.iter().flat_map(move |group| walk::<S, LANES>(|lane| &group[lane], |_| row));
    let rest = rest.iter().flat_map(move |tree| walk::<S, 1>(|_| tree, |_| row));
    trees.iter().zip(groups.chain(rest))
}

/// Adds the path lengths of rows to `sums`; several rows walk through one tree at a time.
fn through_each<S: Step>(trees: &[Flat<S>], columns: usize, cells: &[f32], sums: &mut [PathLength]) {
    for tree in trees {
        let mut rows = cells.chunks_exact(columns * LANES);
        let (lanes, rest) = sums.as_chunks_mut::<LANES>();
        for (rows, sums) in rows.by_ref().zip(lanes) {
            let ends = walk::<S, LANES>(|_| tree, |lane| &rows[lane * columns..]);
            sums.iter_mut().zip(ends).for_each(|(sum, at)| *sum += tree.path_lengths[at as usize]);
        }
        for (row, sum) in rows.remainder().chunks_exact(columns).zip(rest) {
            let [at] = walk::<S, 1>(|_| tree, |_| row);
            *sum += tree.path_lengths[at as usize];
        }
    }
}

/// For each lane, the index of the leaf that its row reaches in its tree.
#[inline]
fn walk<'a, S: Step + 'a, const N: usize>(
    tree: impl Fn(usize) -> &'a Flat<S>,
    row: impl Fn(usize) -> &'a [f32],
) -> [u32; N] {
    let depth = (0..N).map(|lane| tree(lane).depth).max().unwrap_or(0);
    let rounds = depth.div_ceil(ROUND);
    let mut at = [0u32; N];
    for _ in 0..rounds {
        for _ in 0..depth.div_ceil(rounds) {
            for (lane, at) in at.iter_mut().enumerate() {
                *at = tree(lane).steps[*at as usize].next(tree(lane), row(lane));
            }
        }
        if rounds > 1 && at.iter().enumerate().all(|(lane, &at)| tree(lane).steps[at as usize].left() == at) {
            break;
        }
    }
    at
}

impl<S: Step> Flat<S> {
    fn new(tree: &Tree, width: usize) -> Self {
        let count = tree.nodes().len();
        let mut flat = Self {
            steps: Vec::with_capacity(count),
            terms: vec![ZERO_TERM; width],
            width,
            path_lengths: Vec::with_capacity(count),
            leaves: Vec::with_capacity(count),
            depth: tree.depth(),
        };
        let numbers = tree.leaf_numbers();
        let mut order = vec![0];
        for place in 0..count as u32 {
            let from = order[place as usize];
            let left = match tree.nodes()[from] {
                Node::Split { left, right, .. } | Node::Plane { left, right, .. } => {
                    order.extend([left as usize, right as usize]);
                    order.len() as u32 - 2
                }
                Node::Leaf { .. } => place,
            };
            let step = S::of(tree, from, left, &mut flat);
            flat.steps.push(step);
            flat.path_lengths.push(tree.path_length(from));
            flat.leaves.push(numbers[from]);
        }
        flat
    }
}
