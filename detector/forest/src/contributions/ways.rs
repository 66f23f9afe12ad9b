//! Trees in, what the way to each of their leaves gained out: the gains of a row are the sum over its leaves.
//!
//! A column's gain is the same for all rows of a leaf, unless planes led to it. Sums go tree after tree, so they are the
//! same on any number of threads and any processor.

use super::{Gain, Gains};
use crate::kernel::steps;
use crate::tree::{Node, Tree};

/// A table has at most so many cells of 12 bytes: 12 MiB. Without one, rows walk.
const MOST: usize = 1 << 20;
/// As deep as trees may be: a table of deeper ones would take too long to make.
const DEEPEST: u32 = 64;
/// Up to so many columns each leaf has a cell for every column.
const FEW: usize = 8;
/// Units of a side on a step are 2⁻³².
const UNIT: f64 = (1u64 << 32) as f64;

/// What the ways gained.
#[derive(Debug, Clone)]
pub(crate) enum Ways {
    /// Of one column, for each step of the kernel: the side.
    Steps(Vec<f64>),
    /// Of few columns.
    Few {
        /// The first leaf of each tree.
        first: Vec<u32>,
        leaves: Vec<Line>,
    },
    /// Of many columns: for each leaf the columns on its way.
    Many {
        /// The first leaf of each tree.
        first: Vec<u32>,
        /// The first cell of each leaf, and the end.
        begins: Vec<u32>,
        cells: Vec<Cell>,
    },
}

/// The gains of [`FEW`] columns, then their sides: one line of the cache.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
pub(crate) struct Line([f32; 2 * FEW]);

/// The gain of one column on one way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    column: u32,
    all: f32,
    side: f32,
}

impl Ways {
    /// `None` where rows have to walk: with planes, in trees that are too deep, or too many.
    pub(crate) fn new(columns: usize, trees: &[Tree]) -> Option<Self> {
        let leaves = |tree: &Tree| tree.nodes().len() / 2 + 1;
        let cells = |tree: &Tree| {
            leaves(tree) * if columns <= FEW { FEW } else { columns.min(tree.depth() as usize) }
        };
        let fit = |tree: &Tree| tree.planes().is_empty() && tree.depth() <= DEEPEST;
        if !trees.iter().all(fit) || trees.iter().map(cells).sum::<usize>() > MOST {
            return None;
        }
        if columns == 1 {
            return Some(Self::Steps(sides_of_steps(trees)));
        }
        let before =
            |before: &mut u32, tree: &Tree| Some(std::mem::replace(before, *before + leaves(tree) as u32));
        let first = trees.iter().scan(0, before).collect();
        let ways = trees.iter().flat_map(ways);
        Some(if columns <= FEW { Self::few(first, ways) } else { Self::many(first, ways) })
    }

    fn few(first: Vec<u32>, ways: impl Iterator<Item = Vec<(u32, Gain)>>) -> Self {
        let line = |way: Vec<(u32, Gain)>| {
            let mut line = Line::default();
            for (column, gain) in way {
                line.0[column as usize] = gain.all as f32;
                line.0[FEW + column as usize] = gain.side as f32;
            }
            line
        };
        Self::Few { first, leaves: ways.map(line).collect() }
    }

    fn many(first: Vec<u32>, ways: impl Iterator<Item = Vec<(u32, Gain)>>) -> Self {
        let (mut begins, mut cells) = (vec![0], Vec::new());
        for way in ways {
            let cell =
                |(column, gain): (u32, Gain)| Cell { column, all: gain.all as f32, side: gain.side as f32 };
            cells.extend(way.into_iter().map(cell));
            begins.push(cells.len() as u32);
        }
        Self::Many { first, begins, cells }
    }

    /// What a row of so many columns gained that gets to these leaves, as [`crate::kernel::Kernel::score_and_leaves`] counts them.
    pub(crate) fn gains(&self, columns: usize, leaves: &[u32]) -> Gains {
        match self {
            Self::Steps(sides) => Gains(vec![Gain { all: 1.0, side: sides[leaves[0] as usize] }]),
            Self::Few { first, leaves: lines } => {
                let mut sum = Line::default();
                for (first, leaf) in first.iter().zip(leaves) {
                    let line = &lines[(first + leaf) as usize];
                    sum.0.iter_mut().zip(&line.0).for_each(|(sum, gain)| *sum += gain);
                }
                Gains((0..columns).map(|column| gain([sum.0[column], sum.0[FEW + column]])).collect())
            }
            Self::Many { first, begins, cells } => {
                let mut sums = vec![[0.0f32; 2]; columns];
                for (first, leaf) in first.iter().zip(leaves) {
                    let leaf = (first + leaf) as usize;
                    for cell in &cells[begins[leaf] as usize..begins[leaf + 1] as usize] {
                        let [all, side] = &mut sums[cell.column as usize];
                        *all += cell.all;
                        *side += cell.side;
                    }
                }
                Gains(sums.into_iter().map(gain).collect())
            }
        }
    }
}

fn gain([all, side]: [f32; 2]) -> Gain {
    Gain { all: f64::from(all), side: f64::from(side) }
}

/// For each step of one column, on which side its leaves are.
fn sides_of_steps(trees: &[Tree]) -> Vec<f64> {
    let sides: Vec<Vec<f64>> = trees.iter().map(sides).collect();
    let of = |tree: usize, leaf: usize| ((sides[tree][leaf] * UNIT) as i64).cast_unsigned();
    steps::sums(trees, of).into_iter().map(|sum| sum.cast_signed() as f64 / UNIT).collect()
}

/// For each node of a tree of one column its side.
fn sides(tree: &Tree) -> Vec<f64> {
    let expected = tree.expected();
    let mut gains = vec![Gain::default(); expected.len()];
    for (at, node) in tree.nodes().iter().enumerate() {
        if let Node::Split { left, right, .. } = *node {
            for child in [left, right] {
                gains[child as usize] = gains[at];
                gains[child as usize].add(expected[at] - expected[child as usize], child == right);
            }
        }
    }
    gains.into_iter().map(|gain| gain.side).collect()
}

/// For each leaf of a tree without planes what the columns on its way gained.
fn ways(tree: &Tree) -> Vec<Vec<(u32, Gain)>> {
    let expected = tree.expected();
    let mut ways: Vec<Vec<(u32, Gain)>> = vec![Vec::new(); expected.len()];
    let mut of_leaves = Vec::with_capacity(expected.len() / 2 + 1);
    for (at, node) in tree.nodes().iter().enumerate() {
        let way = std::mem::take(&mut ways[at]);
        let Node::Split { column, left, right, .. } = *node else {
            of_leaves.push(way);
            continue;
        };
        for child in [left, right] {
            let mut longer = way.clone();
            let known = longer.iter().position(|(known, _)| *known == column);
            let place = known.unwrap_or_else(|| {
                longer.push((column, Gain::default()));
                longer.len() - 1
            });
            longer[place].1.add(expected[at] - expected[child as usize], child == right);
            ways[child as usize] = longer;
        }
    }
    of_leaves
}
