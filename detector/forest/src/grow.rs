//! Samples and a tree's seed in, a tree out: the training step of Liu, Ting and Zhou, "Isolation Forest" (ICDM 2008),
//! algorithm 2, with the columns chosen as scikit-learn does: uniformly among those that still differ in the node.

use crate::params::Params;
use crate::samples::Samples;
use crate::tree::{Node, Plane, Term, Tree};
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use std::ops::Range;

/// The rows that a tree of `samples` is grown from.
pub(crate) fn sample_size(samples: &Samples, params: &Params) -> u32 {
    params.sample_size().min(u32::try_from(samples.len()).unwrap_or(u32::MAX))
}

/// A seed for each tree. More trees of the same seed begin with the same trees.
pub(crate) fn seeds(params: &Params) -> Vec<u64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(params.seed());
    (0..params.trees()).map(|_| rng.next_u64()).collect()
}

/// Grows one tree.
pub(crate) fn tree(samples: &Samples, params: &Params, seed: u64) -> Tree {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let size = sample_size(samples, params);
    let rows = draw(samples.len(), size as usize, &mut rng);
    let end = rows.len();
    let mut grower = Grower {
        columns: (0..samples.columns() as u32).collect(),
        extension: params.extension() as usize,
        depth_limit: size.max(2).next_power_of_two().ilog2(),
        nodes: Vec::with_capacity(2 * end),
        planes: Vec::new(),
        samples,
        rows,
        rng,
    };
    grower.grow(0..end, 0, 0);
    Tree::of_preorder(grower.nodes, grower.planes)
}

/// `count` different numbers below `population` (R. W. Floyd, in Bentley, "Programming Pearls", CACM 30(9), 1987).
fn draw(population: usize, count: usize, rng: &mut Xoshiro256PlusPlus) -> Vec<usize> {
    if count == population {
        return (0..population).collect();
    }
    let mut drawn = std::collections::HashSet::with_capacity(count);
    let mut order = Vec::with_capacity(count);
    for last in population - count..population {
        let candidate = below(last + 1, rng);
        let row = if drawn.insert(candidate) { candidate } else { last };
        drawn.insert(row);
        order.push(row);
    }
    order
}

/// A number below `bound`, by multiplication: biased by less than `bound` / 2⁶⁴.
fn below(bound: usize, rng: &mut Xoshiro256PlusPlus) -> usize {
    ((u128::from(rng.next_u64()) * bound as u128) >> 64) as usize
}

/// A number in [0, 1) with 53 random bits.
fn unit(rng: &mut Xoshiro256PlusPlus) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// A tree that is growing.
struct Grower<'a> {
    samples: &'a Samples,
    /// Indices into `samples`; a node owns a range of them.
    rows: Vec<usize>,
    /// Every column once. The first few are constant in the node at hand.
    columns: Vec<u32>,
    extension: usize,
    depth_limit: u32,
    rng: Xoshiro256PlusPlus,
    nodes: Vec<Node>,
    planes: Vec<Plane>,
}

impl Grower<'_> {
    /// Grows the node of `rows`; `constants` of the columns are known to be constant in them.
    fn grow(&mut self, rows: Range<usize>, depth: u32, mut constants: usize) {
        let at = self.nodes.len();
        self.nodes.push(Node::Leaf { samples: rows.len() as u32 });
        if rows.len() <= 1 || depth == self.depth_limit {
            return;
        }
        let Some((mut split, border)) = self.split(rows.clone(), &mut constants) else { return };
        let first_child = at as u32 + 1;
        self.grow(rows.start..border, depth + 1, constants);
        let second_child = self.nodes.len() as u32;
        self.grow(border..rows.end, depth + 1, constants);
        if let Node::Split { left, right, .. } | Node::Plane { left, right, .. } = &mut split {
            (*left, *right) = (first_child, second_child);
        }
        self.nodes[at] = split;
    }

    /// A random split, its children not yet known, and where `rows` is parted by it; `None` when all rows are equal.
    fn split(&mut self, rows: Range<usize>, constants: &mut usize) -> Option<(Node, usize)> {
        if self.extension > 0 {
            return self.plane(rows, constants);
        }
        let (column, low, high) = self.varying_column(rows.clone(), constants)?;
        let threshold = threshold(low, high, &mut self.rng);
        let border = self.part(rows, |row| row[column as usize] > threshold);
        Some((Node::Split { column, threshold, left: 0, right: 0 }, border))
    }

    /// A random hyperplane instead: Hariri, Kind and Brunner, "Extended Isolation Forest" (IEEE TKDE 33(4), 2021), but
    /// with every column measured in units of its range in the node (so that the choice of units changes nothing), and
    /// the offset uniform over the rows' own distances (so that no side is empty). With one column both are the same.
    fn plane(&mut self, rows: Range<usize>, constants: &mut usize) -> Option<(Node, usize)> {
        let plane = Plane { terms: self.terms(rows.clone(), constants), offset: 0.0 };
        let distances = self.rows[rows.clone()].iter().map(|&row| plane.distance(self.samples.row(row)));
        let (low, high) = distances.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), distance| {
            (low.min(distance), high.max(distance))
        });
        if low >= high {
            return None;
        }
        let offset = (low + (high - low) * unit(&mut self.rng)).min(high.next_down());
        let border = self.part(rows, |row| plane.distance(row) > offset);
        self.planes.push(Plane { offset, ..plane });
        Some((Node::Plane { plane: self.planes.len() as u32 - 1, left: 0, right: 0 }, border))
    }

    /// Up to `extension` + 1 random columns that differ among `rows`, in ascending order.
    fn terms(&mut self, rows: Range<usize>, constants: &mut usize) -> Vec<Term> {
        let mut terms = Vec::with_capacity(self.extension + 1);
        let mut asked = *constants;
        while asked < self.columns.len() && terms.len() <= self.extension {
            let choice = asked + below(self.columns.len() - asked, &mut self.rng);
            self.columns.swap(asked, choice);
            let column = self.columns[asked];
            let (low, high) = self.range_of(rows.clone(), column);
            if low < high {
                let normal: f64 = StandardNormal.sample(&mut self.rng);
                let weight = normal / (f64::from(high) - f64::from(low));
                terms.push(Term { column, centre: low / 2.0 + high / 2.0, weight });
            } else {
                self.columns.swap(*constants, asked);
                *constants += 1;
            }
            asked += 1;
        }
        terms.sort_unstable_by_key(|term| term.column);
        terms
    }

    /// A random column that differs among `rows`, its smallest and its greatest cell. Those found constant are put to
    /// the front of the columns, so that no descendant asks again.
    fn varying_column(&mut self, rows: Range<usize>, constants: &mut usize) -> Option<(u32, f32, f32)> {
        while *constants < self.columns.len() {
            let choice = *constants + below(self.columns.len() - *constants, &mut self.rng);
            let column = self.columns[choice];
            let (low, high) = self.range_of(rows.clone(), column);
            if low < high {
                return Some((column, low, high));
            }
            self.columns.swap(*constants, choice);
            *constants += 1;
        }
        None
    }

    fn range_of(&self, rows: Range<usize>, column: u32) -> (f32, f32) {
        let cells = self.rows[rows].iter().map(|&row| self.samples.row(row)[column as usize]);
        cells.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), cell| (low.min(cell), high.max(cell)))
    }

    /// Moves the rows that go right behind those that go left; where they begin.
    fn part(&mut self, rows: Range<usize>, goes_right: impl Fn(&[f32]) -> bool) -> usize {
        let mut border = rows.start;
        for at in rows {
            if !goes_right(self.samples.row(self.rows[at])) {
                self.rows.swap(at, border);
                border += 1;
            }
        }
        border
    }
}

/// Uniform in [low, high), as `f32`: at least one row on either side.
fn threshold(low: f32, high: f32, rng: &mut Xoshiro256PlusPlus) -> f32 {
    let (low, width) = (f64::from(low), f64::from(high) - f64::from(low));
    crate::tree::threshold(low + width * unit(rng)).min(high.next_down())
}
