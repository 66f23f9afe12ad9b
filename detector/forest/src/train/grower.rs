//! Samples and a tree's seed in, a tree out: the training step of Liu, Ting and Zhou, "Isolation Forest" (ICDM 2008),
//! algorithm 2, with the columns chosen as scikit-learn does: uniformly among those that still differ in the node. Where
//! a mode asks for it, the border with the greatest gain takes the place of a random one.

use super::draw::{Draw, below, unit};
use super::gain::{Criterion, Gain};
use crate::data::samples::Samples;
use crate::train::leaf_value::Way;
use crate::train::params::{Mode, Params};
use crate::tree::path_length::PathLength;
use crate::tree::{Node, Plane, Term, Tree};
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use std::ops::Range;

/// Hyperplanes that the averaged gain chooses among: SCiForest's τ.
const TRIES: usize = 10;
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
    mode: Mode,
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
    /// The leaves' values, in order, where they are not path lengths.
    leaves: Vec<PathLength>,
    gain: Gain,
}

/// What a node asks of its rows; the answers stand in [`Grower::values`].
enum Question {
    Column(u32),
    Plane(Vec<Term>),
}

/// The least and the greatest answer.
type Span = (f64, f64);

/// A question, and the border between its answers.
struct Cut {
    question: Question,
    span: Span,
    border: f64,
    /// 0 where borders are random.
    gain: f64,
}

impl<'a> Grower<'a> {
    pub(crate) fn new(samples: &'a Samples, params: &Params) -> Self {
        let size = sample_size(samples, params);
        Self {
            samples,
            size: size as usize,
            mode: params.mode(),
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
            leaves: Vec::new(),
            gain: Gain::default(),
        }
    }

    /// The tree of `seed`.
    pub(crate) fn tree(&mut self, seed: u64) -> Tree {
        self.rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        self.sample();
        self.columns.clear();
        self.columns.extend(0..self.samples.columns() as u32);
        self.nodes.clear();
        self.leaves.clear();
        self.grow(0..self.size, Way::new(self.mode), 0);
        let tree = Tree::of_preorder(self.nodes.as_slice().into(), std::mem::take(&mut self.planes));
        if self.mode.counts_edges() { tree } else { tree.with_lengths(self.leaves.iter().copied()) }
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

    /// Grows the node of `rows`, which `way` led to; the first `constants` columns are known to be constant in them.
    fn grow(&mut self, rows: Range<usize>, way: Way, mut constants: usize) {
        let at = self.nodes.len();
        self.nodes.push(Node::Leaf { samples: rows.len() as u32 });
        let may_split = rows.len() > 1 && way.depth() < self.depth_limit;
        let Some(cut) = may_split.then(|| self.cut(rows.clone(), &mut constants)).flatten() else {
            if !self.mode.counts_edges() {
                self.leaves.push(way.leaf(rows.len() as u32));
            }
            return;
        };
        if self.samples.has_missing() {
            self.place_missing(rows.len(), cut.border);
        }
        let middle = self.part(rows.clone(), cut.border);
        let left_rows = (middle - rows.start) as f64 / rows.len() as f64;
        let left_range = (cut.border - cut.span.0) / (cut.span.1 - cut.span.0);
        let first_child = at as u32 + 1;
        let mut node = self.node(cut);
        self.grow(rows.start..middle, way.step(left_rows, left_range), constants);
        let second_child = self.nodes.len() as u32;
        self.grow(middle..rows.end, way.step(1.0 - left_rows, 1.0 - left_range), constants);
        if let Node::Split { left, right, .. } | Node::Plane { left, right, .. } = &mut node {
            (*left, *right) = (first_child, second_child);
        }
        self.nodes[at] = node;
    }

    /// The node that asks the cut's question, its children not yet known.
    fn node(&mut self, Cut { question, border, .. }: Cut) -> Node {
        match question {
            Question::Column(column) => Node::Split { column, threshold: border as f32, left: 0, right: 0 },
            Question::Plane(terms) => {
                self.planes.push(Plane { terms, offset: border });
                Node::Plane { plane: self.planes.len() as u32 - 1, left: 0, right: 0 }
            }
        }
    }

    /// Where to part `rows`; `None` when all are equal. Their answers are left in `values`.
    fn cut(&mut self, rows: Range<usize>, constants: &mut usize) -> Option<Cut> {
        match self.mode {
            Mode::AveragedGain => self.best_cut(&rows, constants, Criterion::Averaged, TRIES),
            Mode::PooledGain => self.best_cut(&rows, constants, Criterion::Pooled, 1),
            Mode::Standard | Mode::AdjustedDepth | Mode::Density | Mode::AdjustedDensity => {
                let (question, span) = self.question(&rows, constants)?;
                let border = self.random_border(&question, span);
                Some(Cut { question, span, border, gain: 0.0 })
            }
        }
    }

    /// Of so many random questions the one, with its border, that gains most.
    fn best_cut(
        &mut self,
        rows: &Range<usize>,
        constants: &mut usize,
        criterion: Criterion,
        tries: usize,
    ) -> Option<Cut> {
        let mut best: Option<Cut> = None;
        for _ in 0..tries {
            let (question, span) = self.question(rows, constants)?;
            let Some((border, gain)) = self.gain.best(&self.values[..rows.len()], criterion) else {
                continue;
            };
            if best.as_ref().is_none_or(|best| gain > best.gain) {
                best = Some(Cut { border: borders(&question, border, span), question, span, gain });
            }
        }
        if let Some(cut) = best.as_ref().filter(|_| tries > 1) {
            self.read(rows, &cut.question);
        }
        best
    }

    /// A random question that `rows` answer differently, and the span of their answers.
    fn question(&mut self, rows: &Range<usize>, constants: &mut usize) -> Option<(Question, Span)> {
        if self.extension == 0 {
            let (column, low, high) = self.varying_column(rows.clone(), constants)?;
            return Some((Question::Column(column), (f64::from(low), f64::from(high))));
        }
        let question = Question::Plane(self.terms(rows.clone(), constants));
        let span = self.read(rows, &question);
        (span.0 < span.1).then_some((question, span))
    }

    fn read(&mut self, rows: &Range<usize>, question: &Question) -> Span {
        match question {
            Question::Column(column) => {
                let (low, high) = self.read_column(rows.clone(), *column);
                (f64::from(low), f64::from(high))
            }
            Question::Plane(terms) => self.read_distances(rows.clone(), terms),
        }
    }

    /// Uniform in the span: at least one row on either side.
    fn random_border(&mut self, question: &Question, span: Span) -> f64 {
        let border = span.0 + (span.1 - span.0) * unit(&mut self.rng);
        borders(question, border, span)
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

    /// The terms of a random hyperplane, over up to `extension` + 1 columns that differ among `rows`, in ascending order:
    /// Hariri, Kind and Brunner, "Extended Isolation Forest" (IEEE TKDE 33(4), 2021), but with every column measured in
    /// units of its range in the node (so that the choice of units changes nothing), and the offset chosen among the
    /// rows' own distances (so that no side is empty). With one column both are the same.
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

    /// Reads the distances along `terms` into `values`; the smallest and the greatest.
    fn read_distances(&mut self, rows: Range<usize>, terms: &[Term]) -> Span {
        let cells = if self.copied.is_empty() { self.samples.cells() } else { &self.copied };
        let columns = self.samples.columns();
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for (&row, value) in self.rows[rows].iter().zip(&mut self.values) {
            let row = &cells[row..][..columns];
            *value = terms.iter().map(|term| term.distance(row)).sum();
            low = if *value < low { *value } else { low };
            high = if *value > high { *value } else { high };
        }
        (low, high)
    }

    /// Gives each missing answer a side at random, by how many of the others are there.
    fn place_missing(&mut self, count: usize, border: f64) {
        let values = &mut self.values[..count];
        let there = values.iter().filter(|value| !value.is_nan()).count();
        let greater = values.iter().filter(|value| **value > border).count();
        let share = greater as f64 / there.max(1) as f64;
        for value in values.iter_mut().filter(|value| value.is_nan()) {
            *value = if unit(&mut self.rng) < share { f64::INFINITY } else { f64::NEG_INFINITY };
        }
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

/// The border that parts a question's answers as `border` does, or the next that leaves the greatest on its right: for a
/// column a number that `f32` holds.
fn borders(question: &Question, border: f64, span: Span) -> f64 {
    match question {
        Question::Column(_) => f64::from(crate::tree::threshold(border).min((span.1 as f32).next_down())),
        Question::Plane(_) => border.min(span.1.next_down()),
    }
}
