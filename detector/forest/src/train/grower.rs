//! Samples and a tree's seed in, a tree out: the training step of Liu, Ting and Zhou, "Isolation Forest" (ICDM 2008),
//! algorithm 2, with the columns chosen as scikit-learn does: uniformly among those that still differ in the node. Where
//! a mode requires it, the split value with the greatest gain takes the place of a random one.

use super::bag;
use super::draw::{Draw, below, unit};
use super::gain::{Criterion, Gain};
use super::leaf_value::LeafValue;
use super::normal::standard_normal;
use super::params::{Mode, Params};
use super::sampled_rows::SampledRows;
use crate::data::samples::Samples;
use crate::tree::path_length::PathLength;
use crate::tree::{Node, Plane, Term, Tree, threshold};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use std::ops::Range;

/// The number of columns or hyperplanes that the averaged gain chooses among: SCiForest's τ.
const TRIES: usize = 10;

/// The grower of one tree after the other; it keeps its buffers between them.
pub(crate) struct Grower<'a> {
    samples: &'a Samples,
    size: usize,
    mode: Mode,
    extension_level: usize,
    columns_per_tree: usize,
    depth_limit: u32,
    rng: Xoshiro256PlusPlus,
    draw: Draw,
    sampled: SampledRows<'a>,
    /// The columns that the tree sees, each once. Those that are constant in the current node come first.
    columns: Vec<u32>,
    nodes: Vec<Node>,
    planes: Vec<Plane>,
    /// The values of the leaves, in order, in a mode where they do not follow from depth and sample count.
    leaves: Vec<PathLength>,
    gain: Gain,
}

/// The column or hyperplane that a node splits on. Its values for the rows are in [`SampledRows::values`].
enum SplitOn {
    Column(u32),
    Plane(Vec<Term>),
}

/// The least and the greatest value.
type Span = (f64, f64);

/// A split that a node may have.
struct SplitCandidate {
    on: SplitOn,
    span: Span,
    /// Rows with a greater value go right.
    split_value: f64,
    /// 0 where split values are random.
    gain: f64,
}

impl<'a> Grower<'a> {
    pub(crate) fn new(samples: &'a Samples, params: &Params) -> Self {
        let size = bag::sample_size(samples, params);
        Self {
            samples,
            size: size as usize,
            mode: params.mode(),
            extension_level: params.extension_level() as usize,
            columns_per_tree: params.columns_per_tree(samples.columns()),
            depth_limit: size.max(2).next_power_of_two().ilog2(),
            rng: Xoshiro256PlusPlus::seed_from_u64(0),
            draw: Draw::new(samples.len(), size as usize),
            sampled: SampledRows::new(samples, size as usize),
            columns: Vec::with_capacity(samples.columns()),
            nodes: Vec::new(),
            planes: Vec::new(),
            leaves: Vec::new(),
            gain: Gain::default(),
        }
    }

    /// Grows the tree of `seed`.
    pub(crate) fn tree(&mut self, seed: u64) -> Tree {
        self.rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        self.sampled.sample(&mut self.draw, &mut self.rng);
        self.columns.clear();
        self.columns.extend(0..self.samples.columns() as u32);
        self.draw_columns();
        self.nodes.clear();
        self.leaves.clear();
        self.grow(0..self.size, LeafValue::new(self.mode), 0);
        let tree = Tree::of_preorder(&self.nodes, std::mem::take(&mut self.planes));
        if self.mode.counts_edges() { tree } else { tree.with_lengths(self.leaves.iter().copied()) }
    }

    /// The rows that the newest tree was grown from, with their path lengths in it.
    pub(crate) fn bag(&self, tree: &Tree) -> Vec<(usize, PathLength)> {
        let lengths = tree.leaves().flat_map(|(rows, length)| std::iter::repeat_n(length, rows as usize));
        self.sampled.by_leaf().zip(lengths).collect()
    }

    /// Keeps as many random columns as the tree may see: a Fisher-Yates shuffle that ends early.
    fn draw_columns(&mut self) {
        if self.columns_per_tree < self.columns.len() {
            for place in 0..self.columns_per_tree {
                let choice = place + below(self.columns.len() - place, &mut self.rng);
                self.columns.swap(place, choice);
            }
            self.columns.truncate(self.columns_per_tree);
        }
    }

    /// Grows the node of `rows` and the nodes below it. `path` leads to the node; the first `constants`
    /// columns are known to be constant in the rows.
    fn grow(&mut self, rows: Range<usize>, path: LeafValue, mut constants: usize) {
        let at = self.nodes.len();
        self.nodes.push(Node::Leaf { samples: rows.len() as u32 });
        let may_split = rows.len() > 1 && path.depth() < self.depth_limit;
        let Some(candidate) = may_split.then(|| self.candidate(rows.clone(), &mut constants)).flatten()
        else {
            if !self.mode.counts_edges() {
                self.leaves.push(path.leaf(rows.len() as u32));
            }
            return;
        };
        if self.samples.has_missing() {
            self.sampled.place_missing(rows.len(), candidate.split_value, &mut self.rng);
        }
        let middle = self.sampled.partition(rows.clone(), candidate.split_value);
        let left_rows = (middle - rows.start) as f64 / rows.len() as f64;
        let left_range = (candidate.split_value - candidate.span.0) / (candidate.span.1 - candidate.span.0);
        let first_child = at as u32 + 1;
        let mut node = self.node(candidate);
        self.grow(rows.start..middle, path.step(left_rows, left_range), constants);
        let second_child = self.nodes.len() as u32;
        self.grow(middle..rows.end, path.step(1.0 - left_rows, 1.0 - left_range), constants);
        if let Node::Split { left, right, .. } | Node::Plane { left, right, .. } = &mut node {
            (*left, *right) = (first_child, second_child);
        }
        self.nodes[at] = node;
    }

    /// The node of this split. Its child indices are not known yet, and are 0.
    fn node(&mut self, SplitCandidate { on, split_value, .. }: SplitCandidate) -> Node {
        match on {
            SplitOn::Column(column) => {
                Node::Split { column, threshold: split_value as f32, left: 0, right: 0 }
            }
            SplitOn::Plane(terms) => {
                self.planes.push(Plane { terms, offset: split_value });
                Node::Plane { plane: self.planes.len() as u32 - 1, left: 0, right: 0 }
            }
        }
    }

    /// Chooses the split of `rows`; `None` when all are equal. The values of the rows are left in `sampled`.
    fn candidate(&mut self, rows: Range<usize>, constants: &mut usize) -> Option<SplitCandidate> {
        match self.mode {
            Mode::AveragedGain => self.best_candidate(&rows, constants, Criterion::Averaged, TRIES),
            Mode::PooledGain => self.best_candidate(&rows, constants, Criterion::Pooled, 1),
            Mode::Standard | Mode::AdjustedDepth | Mode::Density | Mode::AdjustedDensity => {
                let (on, span) = self.split_on(&rows, constants)?;
                let split_value = self.random_split_value(&on, span);
                Some(SplitCandidate { on, span, split_value, gain: 0.0 })
            }
        }
    }

    /// The split with the greatest gain among `tries` random columns or planes.
    fn best_candidate(
        &mut self,
        rows: &Range<usize>,
        constants: &mut usize,
        criterion: Criterion,
        tries: usize,
    ) -> Option<SplitCandidate> {
        let mut best: Option<SplitCandidate> = None;
        for _ in 0..tries {
            let (on, span) = self.split_on(rows, constants)?;
            let Some((split_value, gain)) = self.gain.best(&self.sampled.values[..rows.len()], criterion)
            else {
                continue;
            };
            if best.as_ref().is_none_or(|best| gain > best.gain) {
                best = Some(SplitCandidate { split_value: nearest(&on, split_value, span), on, span, gain });
            }
        }
        if let Some(candidate) = best.as_ref().filter(|_| tries > 1) {
            self.read(rows, &candidate.on);
        }
        best
    }

    /// A random column or plane in which `rows` differ, and the span of their values.
    fn split_on(&mut self, rows: &Range<usize>, constants: &mut usize) -> Option<(SplitOn, Span)> {
        if self.extension_level == 0 {
            let (column, low, high) = self.varying_column(rows.clone(), constants)?;
            return Some((SplitOn::Column(column), (f64::from(low), f64::from(high))));
        }
        let on = SplitOn::Plane(self.terms(rows.clone(), constants));
        let span = self.read(rows, &on);
        (span.0 < span.1).then_some((on, span))
    }

    /// Reads the values of `rows` into `sampled`, and returns the least and the greatest.
    fn read(&mut self, rows: &Range<usize>, on: &SplitOn) -> Span {
        match on {
            SplitOn::Column(column) => {
                let (low, high) = self.sampled.read_column(rows.clone(), *column);
                (f64::from(low), f64::from(high))
            }
            SplitOn::Plane(terms) => self.sampled.read_distances(rows.clone(), terms),
        }
    }

    /// A split value drawn uniformly from the span, with at least one row on either side.
    fn random_split_value(&mut self, on: &SplitOn, span: Span) -> f64 {
        let split_value = span.0 + (span.1 - span.0) * unit(&mut self.rng);
        nearest(on, split_value, span)
    }

    /// A random column that differs among `rows`, its smallest and its greatest cell. Columns that are found
    /// to be constant are moved to the front, so that no descendant reads them again.
    fn varying_column(&mut self, rows: Range<usize>, constants: &mut usize) -> Option<(u32, f32, f32)> {
        while *constants < self.columns.len() {
            let choice = *constants + below(self.columns.len() - *constants, &mut self.rng);
            let column = self.columns[choice];
            let (low, high) = self.sampled.read_column(rows.clone(), column);
            if low < high {
                return Some((column, low, high));
            }
            self.columns.swap(*constants, choice);
            *constants += 1;
        }
        None
    }

    /// The terms of a random hyperplane, over up to `extension_level` + 1 columns that differ among `rows`, in ascending order:
    /// Hariri, Kind and Brunner, "Extended Isolation Forest" (IEEE TKDE 33(4), 2021), but with every column measured in
    /// units of its range in the node (so that the choice of units changes nothing), and the offset chosen among the
    /// rows' own distances (so that no side is empty). With one column both are the same.
    fn terms(&mut self, rows: Range<usize>, constants: &mut usize) -> Vec<Term> {
        let mut terms = Vec::with_capacity(self.extension_level + 1);
        let mut tried = *constants;
        while tried < self.columns.len() && terms.len() <= self.extension_level {
            let choice = tried + below(self.columns.len() - tried, &mut self.rng);
            self.columns.swap(tried, choice);
            let column = self.columns[tried];
            let (low, high) = self.sampled.read_column(rows.clone(), column);
            if low < high {
                let weight = standard_normal(&mut self.rng) / (f64::from(high) - f64::from(low));
                terms.push(Term { column, centre: low / 2.0 + high / 2.0, weight });
            } else {
                self.columns.swap(*constants, tried);
                *constants += 1;
            }
            tried += 1;
        }
        terms.sort_unstable_by_key(|term| term.column);
        terms
    }
}

/// The number nearest to `split_value` that sends each value to the same side, except that the greatest value
/// of the span always goes right; for a column, a number that `f32` holds.
fn nearest(on: &SplitOn, split_value: f64, span: Span) -> f64 {
    match on {
        SplitOn::Column(_) => f64::from(threshold(split_value).min((span.1 as f32).next_down())),
        SplitOn::Plane(_) => split_value.min(span.1.next_down()),
    }
}
