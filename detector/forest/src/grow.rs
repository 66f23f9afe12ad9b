//! Samples and a tree's seed in, a tree out: the training step of Liu, Ting and Zhou, "Isolation Forest" (ICDM 2008),
//! algorithm 2, with the columns chosen as scikit-learn does: uniformly among those that still differ in the node.

mod draw;

use crate::params::Params;
use crate::samples::Samples;
use crate::tree::{Node, Plane, Term, Tree};
use draw::{Draw, below, unit};
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use std::ops::Range;

/// Rows of at most so many columns are copied before a tree is grown from them. Of wider ones a tree sees too little.
const MAX_COPIED: usize = 128;

/// The rows that a tree of `samples` is grown from.
pub(crate) fn sample_size(samples: &Samples, params: &Params) -> u32 {
    params.sample_size().min(u32::try_from(samples.len()).unwrap_or(u32::MAX))
}

/// A seed for each tree. More trees of the same seed begin with the same trees.
pub(crate) fn seeds(params: &Params) -> Vec<u64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(params.seed());
    (0..params.trees()).map(|_| rng.next_u64()).collect()
}

/// The rows that each tree is grown from, tree by tree: what [`Grower::tree`] draws, drawn again.
pub(crate) fn bags<'a>(samples: &'a Samples, params: &'a Params) -> impl Iterator<Item = Vec<usize>> + 'a {
    let mut draw = Draw::new(samples.len(), sample_size(samples, params) as usize);
    seeds(params).into_iter().map(move |seed| {
        let mut bag = Vec::new();
        draw.rows(&mut Xoshiro256PlusPlus::seed_from_u64(seed), &mut bag);
        bag
    })
}

/// What grows one tree after the other, and keeps its buffers between them.
pub(crate) struct Grower<'a> {
    samples: &'a Samples,
    size: usize,
    extension: usize,
    depth_limit: u32,
    rng: Xoshiro256PlusPlus,
    draw: Draw,
    /// The sampled rows, copied together; empty where rows are too wide.
    copied: Vec<f32>,
    /// Where each sampled row begins, in `copied` or in the samples. A node owns a range of them.
    rows: Vec<usize>,
    /// The cells of one column, or the distances from a plane, in the order of the node's rows.
    values: Vec<f64>,
    /// The rows that go right, while a node is parted.
    right: Vec<usize>,
    /// Every column once. The first few are constant in the node at hand.
    columns: Vec<u32>,
    nodes: Vec<Node>,
    planes: Vec<Plane>,
}

impl<'a> Grower<'a> {
    pub(crate) fn new(samples: &'a Samples, params: &Params) -> Self {
        let size = sample_size(samples, params);
        Self {
            samples,
            size: size as usize,
            extension: params.extension() as usize,
            depth_limit: size.max(2).next_power_of_two().ilog2(),
            rng: Xoshiro256PlusPlus::seed_from_u64(0),
            draw: Draw::new(samples.len(), size as usize),
            copied: Vec::new(),
            rows: Vec::with_capacity(size as usize),
            values: vec![0.0; size as usize],
            right: vec![0; size as usize],
            columns: Vec::with_capacity(samples.columns()),
            nodes: Vec::new(),
            planes: Vec::new(),
        }
    }

    /// The tree of `seed`.
    pub(crate) fn tree(&mut self, seed: u64) -> Tree {
        self.rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        self.sample();
        self.columns.clear();
        self.columns.extend(0..self.samples.columns() as u32);
        self.nodes.clear();
        self.grow(0..self.size, 0, 0);
        Tree::of_preorder(self.nodes.as_slice().into(), std::mem::take(&mut self.planes))
    }

    fn sample(&mut self) {
        let columns = self.samples.columns();
        self.draw.rows(&mut self.rng, &mut self.rows);
        if columns <= MAX_COPIED {
            self.copied.clear();
            for (at, row) in self.rows.iter_mut().enumerate() {
                self.copied.extend_from_slice(self.samples.row(*row));
                *row = at * columns;
            }
        } else {
            self.rows.iter_mut().for_each(|row| *row *= columns);
        }
    }

    fn cells(&self) -> &[f32] {
        if self.copied.is_empty() { self.samples.cells() } else { &self.copied }
    }

    /// Grows the node of `rows`; the first `constants` columns are known to be constant in them.
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
        let border = self.part(rows, f64::from(threshold));
        Some((Node::Split { column, threshold, left: 0, right: 0 }, border))
    }

    /// A random column that differs among `rows`, its smallest and its greatest cell. Those found constant are put to
    /// the front of the columns, so that no descendant asks again.
    fn varying_column(&mut self, rows: Range<usize>, constants: &mut usize) -> Option<(u32, f32, f32)> {
        while *constants < self.columns.len() {
            let choice = *constants + below(self.columns.len() - *constants, &mut self.rng);
            let column = self.columns[choice];
            let (low, high) = self.read_column(rows.clone(), column);
            if low < high {
                return Some((column, low, high));
            }
            self.columns.swap(*constants, choice);
            *constants += 1;
        }
        None
    }

    /// A random hyperplane instead: Hariri, Kind and Brunner, "Extended Isolation Forest" (IEEE TKDE 33(4), 2021), but
    /// with every column measured in units of its range in the node (so that the choice of units changes nothing), and
    /// the offset uniform over the rows' own distances (so that no side is empty). With one column both are the same.
    fn plane(&mut self, rows: Range<usize>, constants: &mut usize) -> Option<(Node, usize)> {
        let plane = Plane { terms: self.terms(rows.clone(), constants), offset: 0.0 };
        let (low, high) = self.read_distances(rows.clone(), &plane);
        if low >= high {
            return None;
        }
        let offset = (low + (high - low) * unit(&mut self.rng)).min(high.next_down());
        let border = self.part(rows, offset);
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
            let (low, high) = self.read_column(rows.clone(), column);
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

    /// Reads the cells of `column` into `values`; the smallest and the greatest.
    fn read_column(&mut self, rows: Range<usize>, column: u32) -> (f32, f32) {
        let cells = if self.copied.is_empty() { self.samples.cells() } else { &self.copied };
        let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
        for (&row, value) in self.rows[rows].iter().zip(&mut self.values) {
            let cell = cells[row + column as usize];
            low = if cell < low { cell } else { low };
            high = if cell > high { cell } else { high };
            *value = f64::from(cell);
        }
        (low, high)
    }

    /// Reads the distances from `plane` into `values`; the smallest and the greatest.
    fn read_distances(&mut self, rows: Range<usize>, plane: &Plane) -> (f64, f64) {
        let columns = self.samples.columns();
        let count = rows.len();
        for (at, row) in rows.enumerate() {
            let row = &self.cells()[self.rows[row]..][..columns];
            self.values[at] = plane.distance(row);
        }
        let values = &self.values[..count];
        values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)))
    }

    /// Moves the rows whose values are greater than `border` behind the others; where they begin. Without branches,
    /// since nothing could foretell them.
    fn part(&mut self, rows: Range<usize>, border: f64) -> usize {
        let start = rows.start;
        let rows = &mut self.rows[rows];
        let values = &self.values[..rows.len()];
        let right = &mut self.right[..rows.len()];
        let (mut lesser, mut greater) = (0, 0);
        for at in 0..rows.len() {
            let row = rows[at];
            rows[lesser] = row;
            right[greater] = row;
            let is_greater = usize::from(values[at] > border);
            greater += is_greater;
            lesser += 1 - is_greater;
        }
        rows[lesser..].copy_from_slice(&right[..greater]);
        start + lesser
    }
}

/// Uniform in [low, high), as `f32`: at least one row on either side.
fn threshold(low: f32, high: f32, rng: &mut Xoshiro256PlusPlus) -> f32 {
    let (low, width) = (f64::from(low), f64::from(high) - f64::from(low));
    crate::tree::threshold(low + width * unit(rng)).min(high.next_down())
}
