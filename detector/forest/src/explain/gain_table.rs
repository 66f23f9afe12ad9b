//! Trees in, the gains on the path to each of their leaves out: the gains of a row are the sum over its leaves.
//!
//! The gains on the path to a leaf are the same for all rows of the leaf, unless there are planes on the
//! path. Sums are made tree after tree, so they are the same on any number of threads and any processor.

use super::gains::{Gain, Gains};
use crate::score::step_table;
use crate::tree::{Node, Tree};

/// The most lines of a table, of 64 bytes and the columns' numbers each: 10 MiB. Without a table, rows walk.
const MAX_LINES: usize = 1 << 17;
/// The greatest depth of trees with a table: a table for deeper trees would take too long to build.
const MAX_DEPTH: u32 = 64;
/// The number of columns in a line. In a forest of no more columns, each leaf has one line, and a column's
/// place in the line is its number.
const COLUMNS_PER_LINE: usize = 8;
/// The number of lines that are fetched before they are added up, so that the processor waits for all of them
/// together.
const AHEAD: usize = 32;
/// The sides of steps are added up as whole numbers, in units of 2⁻³².
const UNIT: f64 = (1u64 << 32) as f64;

/// The gains on the paths to all leaves.
#[derive(Debug, Clone)]
pub(crate) enum GainTable {
    /// For one column: the side of each step of the kernel, as [`Gain`] defines it.
    StepTable(Vec<f64>),
    /// For several columns: the gains and sides of each leaf.
    Lines {
        /// For each tree, the number of leaves in the trees before it.
        first: Vec<u32>,
        /// The number of lines for each leaf.
        lines_per_leaf: usize,
        lines: Vec<Line>,
        /// For each line, the columns that are in it; empty unless there are more than [`COLUMNS_PER_LINE`]
        /// columns. Unused places have different numbers, greater than those of all columns: if they had one
        /// number, each sum would wait for the one before.
        columns: Vec<[u16; COLUMNS_PER_LINE]>,
    },
}

/// The gains and sides of [`COLUMNS_PER_LINE`] columns: one cache line.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
pub(crate) struct Line([[f32; 2]; COLUMNS_PER_LINE]);

/// How many leaves a tree has.
fn leaves(tree: &Tree) -> usize {
    tree.nodes().len() / 2 + 1
}

fn lines_per_leaf(columns: usize, trees: &[Tree]) -> usize {
    let deepest = trees.iter().map(Tree::depth).max().unwrap_or(0) as usize;
    if columns <= COLUMNS_PER_LINE { 1 } else { columns.min(deepest).div_ceil(COLUMNS_PER_LINE).max(1) }
}

fn lines(columns: usize, trees: &[Tree]) -> usize {
    trees.iter().map(leaves).sum::<usize>() * lines_per_leaf(columns, trees)
}

/// Whether these trees can have a table.
fn fits(columns: usize, trees: &[Tree]) -> bool {
    let fit = |tree: &Tree| tree.planes().is_empty() && tree.depth() <= MAX_DEPTH;
    trees.iter().all(fit)
        && lines(columns, trees) <= MAX_LINES
        && u16::try_from(columns + COLUMNS_PER_LINE).is_ok()
}

/// The gains of a row, found by a walk: the same to the bit as those from a table of several columns.
pub(crate) fn walked(columns: usize, trees: &[Tree], expected: &[Vec<f64>], row: &[f32]) -> Gains {
    let mut sums = vec![[0.0f32; 2]; columns];
    let mut gains: Vec<(u32, Gain)> = Vec::new();
    for (tree, expected) in trees.iter().zip(expected) {
        gains.clear();
        let mut at = 0;
        while let (Node::Split { column, right, .. }, Some(next)) = (tree.nodes()[at], tree.step(at, row)) {
            let gain = expected[at] - expected[next];
            place(&mut gains, column).add(gain, next == right as usize);
            at = next;
        }
        for (column, gain) in &gains {
            let sum = &mut sums[*column as usize];
            *sum = [sum[0] + gain.all as f32, sum[1] + gain.side as f32];
        }
    }
    Gains(sums.into_iter().map(gain).collect())
}

/// The gain of a column on a path; it is added to `gains` if it is not there yet.
fn place(gains: &mut Vec<(u32, Gain)>, column: u32) -> &mut Gain {
    let at = gains.iter().position(|(known, _)| *known == column).unwrap_or_else(|| {
        gains.push((column, Gain::default()));
        gains.len() - 1
    });
    &mut gains[at].1
}

impl GainTable {
    /// Whether a forest of `columns` columns has a table of several columns.
    pub(crate) fn is_for(columns: usize, trees: &[Tree]) -> bool {
        columns > 1 && fits(columns, trees)
    }

    /// Builds the table; `None` where rows have to walk: with planes, with trees that are too deep, or with
    /// too many lines or columns.
    pub(crate) fn new(columns: usize, trees: &[Tree]) -> Option<Self> {
        if !fits(columns, trees) {
            return None;
        }
        let (lines_per_leaf, lines) = (lines_per_leaf(columns, trees), lines(columns, trees));
        if columns == 1 {
            return Some(Self::StepTable(sides_of_steps(trees)));
        }
        let mut table = (Vec::with_capacity(lines), Vec::new());
        for gains in trees.iter().flat_map(gains_of_leaves) {
            add_lines(gains, columns, lines_per_leaf, &mut table);
        }
        let before =
            |before: &mut u32, tree: &Tree| Some(std::mem::replace(before, *before + leaves(tree) as u32));
        let first = trees.iter().scan(0, before).collect();
        Some(Self::Lines { first, lines_per_leaf, lines: table.0, columns: table.1 })
    }

    /// The number of leaves that [`GainTable::gains`] takes.
    pub(crate) fn leaves(&self) -> usize {
        match self {
            Self::StepTable(_) => 1,
            Self::Lines { first, .. } => first.len(),
        }
    }

    /// The gains of a row of `columns` cells that reaches these leaves, with the numbers that
    /// [`crate::score::kernel::Kernel::score_and_leaves`] gives them.
    pub(crate) fn gains(&self, columns: usize, leaves: &[u32]) -> Gains {
        match self {
            Self::StepTable(sides) => Gains(vec![Gain { all: 1.0, side: sides[leaves[0] as usize] }]),
            Self::Lines { first, lines, .. } if columns <= COLUMNS_PER_LINE => {
                let mut sum = Line::default();
                for (first, leaf) in first.iter().zip(leaves) {
                    let line = &lines[(first + leaf) as usize];
                    let (sum, line) = (sum.0.as_flattened_mut(), line.0.as_flattened());
                    sum.iter_mut().zip(line).for_each(|(sum, gain)| *sum += gain);
                }
                Gains(sum.0[..columns].iter().copied().map(gain).collect())
            }
            Self::Lines { first, lines_per_leaf, lines, columns: of } => {
                let mut sums = vec![[0.0f32; 2]; columns + COLUMNS_PER_LINE];
                let mut near = [(Line::default(), [0; COLUMNS_PER_LINE]); AHEAD];
                for (first, leaves) in first.chunks(AHEAD).zip(leaves.chunks(AHEAD)) {
                    for line in 0..*lines_per_leaf {
                        for (near, (first, leaf)) in near.iter_mut().zip(first.iter().zip(leaves)) {
                            let at = (first + leaf) as usize * lines_per_leaf + line;
                            *near = (lines[at], of[at]);
                        }
                        near[..leaves.len()].iter().for_each(|(line, of)| add_line(line, of, &mut sums));
                    }
                }
                Gains(sums[..columns].iter().copied().map(gain).collect())
            }
        }
    }
}

/// Adds a line to the sums of the columns that are in it. The loop is as long as a line, so that the compiler unrolls it.
#[inline]
fn add_line(line: &Line, of: &[u16; COLUMNS_PER_LINE], sums: &mut [[f32; 2]]) {
    for at in 0..COLUMNS_PER_LINE {
        let sum = &mut sums[usize::from(of[at])];
        *sum = [sum[0] + line.0[at][0], sum[1] + line.0[at][1]];
    }
}

fn gain([all, side]: [f32; 2]) -> Gain {
    Gain { all: f64::from(all), side: f64::from(side) }
}

/// Adds the lines of a leaf to a table and, if there are more than [`COLUMNS_PER_LINE`] columns, the columns
/// that are in them.
fn add_lines(
    gains: Vec<(u32, Gain)>,
    columns: usize,
    lines_per_leaf: usize,
    (lines, of): &mut (Vec<Line>, Vec<[u16; COLUMNS_PER_LINE]>),
) {
    let first = lines.len();
    lines.resize(first + lines_per_leaf, Line::default());
    let pair = |gain: Gain| [gain.all as f32, gain.side as f32];
    if columns <= COLUMNS_PER_LINE {
        for (column, gain) in gains {
            lines[first].0[column as usize] = pair(gain);
        }
        return;
    }
    let empty: [u16; COLUMNS_PER_LINE] = std::array::from_fn(|at| (columns + at) as u16);
    of.resize(first + lines_per_leaf, empty);
    let places = lines[first..].iter_mut().flat_map(|line| &mut line.0);
    let numbers = of[first..].as_flattened_mut();
    for ((place, number), (column, gain)) in places.zip(numbers).zip(gains) {
        *place = pair(gain);
        *number = column as u16;
    }
}

/// For each step of one column, the sum of the sides of its leaves.
fn sides_of_steps(trees: &[Tree]) -> Vec<f64> {
    let sides: Vec<Vec<f64>> = trees.iter().map(sides).collect();
    let of = |tree: usize, leaf: usize| ((sides[tree][leaf] * UNIT) as i64).cast_unsigned();
    step_table::sums(trees, of).into_iter().map(|sum| sum.cast_signed() as f64 / UNIT).collect()
}

/// For each node of a tree of one column, its side, as [`Gain`] defines it.
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

/// For each leaf of a tree without planes, the gains of the columns on its path.
fn gains_of_leaves(tree: &Tree) -> Vec<Vec<(u32, Gain)>> {
    let expected = tree.expected();
    let mut of_nodes: Vec<Vec<(u32, Gain)>> = vec![Vec::new(); expected.len()];
    let mut of_leaves = Vec::with_capacity(expected.len() / 2 + 1);
    for (at, node) in tree.nodes().iter().enumerate() {
        let gains = std::mem::take(&mut of_nodes[at]);
        let Node::Split { column, left, right, .. } = *node else {
            of_leaves.push(gains);
            continue;
        };
        for child in [left, right] {
            let mut longer = gains.clone();
            place(&mut longer, column).add(expected[at] - expected[child as usize], child == right);
            of_nodes[child as usize] = longer;
        }
    }
    of_leaves
}
