//! Trees and a block of rows in, sums of path lengths out: one tree at a time over all rows, eight rows at once and
//! without branches, so that the tree stays in the nearest cache and the processor always has eight loads to wait for.

use crate::path::PathLength;
use crate::tree::{Node, Tree};

/// Rows that walk side by side.
const LANES: usize = 8;
/// Deeper trees are too lopsided for every row to go their whole depth.
const MAX_DEPTH: u32 = 32;

/// Trees for rows in blocks.
#[derive(Debug, Clone)]
pub(crate) struct Blocks {
    trees: Vec<Flat>,
}

/// A tree whose siblings stand side by side, and whose leaves lead to themselves.
#[derive(Debug, Clone)]
struct Flat {
    steps: Vec<Step>,
    path_lengths: Vec<PathLength>,
    depth: u32,
}

/// From here to `left`, or to the step after it when the cell is greater.
#[derive(Debug, Clone, Copy)]
struct Step {
    column: u32,
    threshold: f32,
    left: u32,
}

impl Blocks {
    /// `None` when a tree has planes or is too deep.
    pub(crate) fn new(trees: &[Tree]) -> Option<Self> {
        let fit = trees.iter().all(|tree| tree.planes().is_empty() && tree.depth() <= MAX_DEPTH);
        fit.then(|| Self { trees: trees.iter().map(Flat::new).collect() })
    }

    /// Adds the path lengths of rows of `columns` cells to `sums`, one for each row.
    pub(crate) fn path_lengths(&self, columns: usize, cells: &[f32], sums: &mut [PathLength]) {
        for tree in &self.trees {
            let mut rows = cells.chunks_exact(columns * LANES);
            let mut lanes = sums.chunks_exact_mut(LANES);
            for (rows, sums) in rows.by_ref().zip(lanes.by_ref()) {
                tree.walk::<LANES>(columns, rows, sums);
            }
            let rest = rows.remainder().chunks_exact(columns);
            for (row, sum) in rest.zip(lanes.into_remainder().chunks_exact_mut(1)) {
                tree.walk::<1>(columns, row, sum);
            }
        }
    }
}

impl Flat {
    fn new(tree: &Tree) -> Self {
        let leaf = Step { column: 0, threshold: f32::INFINITY, left: 0 };
        let count = tree.nodes().len();
        let mut flat = Self { steps: vec![leaf; count], path_lengths: vec![0; count], depth: tree.depth() };
        let mut waiting = vec![(0usize, 0u32)]; // a node, and where it goes
        let mut free = 1;
        while let Some((from, to)) = waiting.pop() {
            if let Node::Split { column, threshold, left, right } = tree.nodes()[from] {
                flat.steps[to as usize] = Step { column, threshold, left: free };
                waiting.extend([(left as usize, free), (right as usize, free + 1)]);
                free += 2;
            } else {
                flat.steps[to as usize].left = to;
                flat.path_lengths[to as usize] = tree.path_length(from);
            }
        }
        flat
    }

    #[inline]
    fn walk<const N: usize>(&self, columns: usize, rows: &[f32], sums: &mut [PathLength]) {
        let mut at = [0; N];
        for _ in 0..self.depth {
            for (lane, at) in at.iter_mut().enumerate() {
                let step = self.steps[*at];
                let greater = rows[lane * columns + step.column as usize] > step.threshold;
                *at = step.left as usize + usize::from(greater);
            }
        }
        for (sum, at) in sums.iter_mut().zip(at) {
            *sum += self.path_lengths[at];
        }
    }
}
