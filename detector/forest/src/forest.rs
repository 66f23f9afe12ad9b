//! Samples and parameters in, a [`Forest`] out; rows in, scores out.

/// What may be wrong.
mod error;
/// A forest that would not fit is refused.
mod memory;
/// What made a score.
mod explained;

use crate::data::ranges::Ranges;
use crate::data::samples::Samples;
use crate::ensemble::{self, Committee, agreement, out_of_bag};
use crate::explain::gain_table::Ways;
use crate::score::kernel::{BLOCK, Kernel};
use crate::train::grower::{self as grow, Grower};
use crate::train::params::{Mode, Params};
use crate::tree::path_length::{MAX_SUM, PathLength, Scale};
use crate::tree::{Node, Tree};
use rayon::prelude::*;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use error::ForestError;
pub use explained::Explained;

/// The largest number of columns.
pub const MAX_COLUMNS: usize = i32::MAX as usize;

/// Less is done before another thread has woken up.
const BLOCKS_A_THREAD: usize = 8;

/// Isolation trees, and what turns a row's way through them into a score.
#[derive(Debug, Clone)]
pub struct Forest {
    mode: Mode,
    columns: usize,
    sample_size: u32,
    trees: Vec<Tree>,
    scale: Scale,
    /// Of the rows that it was grown from, where they are known.
    ranges: Option<Ranges>,
    /// How rows are scored; made when the first is.
    kernel: OnceLock<Kernel>,
    /// How many training rows came through each node of each tree; made when a row with missing cells is first scored.
    samples: OnceLock<Vec<Vec<u32>>>,
    /// What the ways to the leaves gained; made when a row is first explained.
    ways: OnceLock<Option<Ways>>,
    /// What a training row in each node of each tree is to expect; made when a row is first explained that has to walk.
    expected: OnceLock<Vec<Vec<f64>>>,
    /// Who else judges, if anybody.
    committee: Option<Committee>,
}

impl Forest {
    /// Grows a forest. Same samples, same parameters: the same forest to the bit, on any number of threads. It takes
    /// as many threads as the current rayon pool has, and time that does not depend on how many rows there are.
    ///
    /// # Errors
    /// [`ForestError::Extension`], and [`ForestError::Memory`] before anything is allocated.
    pub fn fit(samples: &Samples, params: &Params) -> Result<Self, ForestError> {
        Self::fit_with_progress(samples, params, &|_| ())
    }

    /// As [`Forest::fit`]; `progress` hears, from any thread, how many trees are done: 1 to all of them, each once.
    ///
    /// # Errors
    /// As [`Forest::fit`].
    pub fn fit_with_progress(
        samples: &Samples,
        params: &Params,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Self, ForestError> {
        let members = ensemble::members(samples, params);
        for member in &members {
            let extension = member.extension();
            if extension as usize >= samples.columns() {
                return Err(ForestError::Extension { extension, columns: samples.columns() });
            }
        }
        memory::check(samples, &members)?;
        let done = AtomicUsize::new(0);
        let progress = || progress(1 + done.fetch_add(1, Ordering::Relaxed));
        let mut forests = members.iter().map(|member| Self::grown(samples, member, &progress));
        let first = forests.next().expect("there is at least one member");
        Ok(first.with(forests.collect(), samples))
    }

    fn grown(samples: &Samples, params: &Params, tree_is_done: &(dyn Fn() + Sync)) -> Self {
        let grower = || Grower::new(samples, params);
        let trees = grow::seeds(params).into_par_iter().with_min_len(4).map_init(grower, |grower, seed| {
            let tree = grower.tree(seed);
            tree_is_done();
            tree
        });
        let size = grow::sample_size(samples, params);
        Self::of_trees(params.mode(), samples.columns(), size, trees.collect())
            .with_ranges(Some(Ranges::of(samples)))
    }

    /// A committee of this forest and others, if there are others; `samples` are those that all were grown from.
    fn with(mut self, others: Vec<Self>, samples: &Samples) -> Self {
        if !others.is_empty() {
            self.committee = Some(Committee::of(&self, others, samples));
        }
        self
    }

    /// A forest in [`Mode::Standard`] of trees that were grown elsewhere, each of `sample_size` rows with `columns` cells.
    ///
    /// # Errors
    /// When a walk through the nodes could go astray, and when there is nothing to walk through.
    pub fn from_trees(columns: usize, sample_size: u32, trees: Vec<Vec<Node>>) -> Result<Self, ForestError> {
        let trees = trees.into_iter().enumerate().map(|(at, nodes)| {
            Tree::new(columns, &nodes, Vec::new()).map_err(|error| ForestError::Tree { tree: at, error })
        });
        Self::from_sound_trees(Mode::Standard, columns, sample_size, trees.collect::<Result<_, _>>()?)
    }

    /// A forest of trees that were checked for `columns` columns.
    pub(crate) fn from_sound_trees(
        mode: Mode,
        columns: usize,
        sample_size: u32,
        trees: Vec<Tree>,
    ) -> Result<Self, ForestError> {
        if !(1..=MAX_COLUMNS).contains(&columns) {
            return Err(ForestError::Columns(columns));
        }
        if sample_size == 0 {
            return Err(ForestError::NoSamples);
        }
        if trees.is_empty() {
            return Err(ForestError::NoTrees);
        }
        let longest: f64 = trees.iter().map(|tree| crate::tree::path_length::edges(tree.longest())).sum();
        if longest >= MAX_SUM {
            return Err(ForestError::TooDeep(longest));
        }
        Ok(Self::of_trees(mode, columns, sample_size, trees))
    }

    fn of_trees(mode: Mode, columns: usize, sample_size: u32, trees: Vec<Tree>) -> Self {
        let scale = Scale::new(mode, trees.len(), sample_size);
        Self {
            mode,
            columns,
            sample_size,
            trees,
            scale,
            ranges: None,
            kernel: OnceLock::new(),
            samples: OnceLock::new(),
            ways: OnceLock::new(),
            expected: OnceLock::new(),
            committee: None,
        }
    }

    /// Those that judge: this forest, and with [`Params::auto`] others beside it, each in its own mode. The score is then
    /// that of the one to which the row is rarest among the training rows: k / (1 + k) for a score that one in 2ᵏ of them
    /// reaches.
    pub fn members(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.committee.iter().flat_map(|committee| &committee.others))
    }

    /// Why the members are these, in a sentence; none of a forest alone. `samples` are those that it was grown from.
    pub fn choice(&self, samples: &Samples) -> Option<String> {
        agreement::sentence(self, samples)
    }

    pub(crate) fn committee(&self) -> Option<&Committee> {
        self.committee.as_ref()
    }

    pub(crate) fn with_committee(self, committee: Committee) -> Self {
        Self { committee: Some(committee), ..self }
    }

    pub(crate) fn ranges(&self) -> Option<&Ranges> {
        self.ranges.as_ref()
    }

    /// The same forest, not yet part of a committee, over rows of these ranges.
    pub(crate) fn with_ranges(self, ranges: Option<Ranges>) -> Self {
        Self { ranges, ..self }
    }

    /// How the trees were split, and what their leaves say; of a committee, the first member's.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// How many cells a row must have.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How many rows each tree was grown from; of a committee, the first member's.
    pub fn sample_size(&self) -> u32 {
        self.sample_size
    }

    /// The trees; of a committee, the first member's.
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// The paper's s(x) of one row, in (0, 1]: about 0.5 for a row like the others, towards 1 for a strange one.
    /// scikit-learn's `score_samples` is its negative.
    ///
    /// A row with a cell beyond the range of the rows that the forest was grown from scores higher than the edge does, the more
    /// the further: a cut in between would isolate it at once (see the crate's documentation). In a forest of foreign trees, and
    /// one of an older file, the ranges are not known: there it scores as the edge.
    ///
    /// A cell that is NaN is missing: see [`Samples::with_missing`]. [`crate::data::samples::cell`] keeps NaN out.
    ///
    /// # Panics
    /// When `row` does not have [`Forest::columns`] cells.
    pub fn score(&self, row: &[f32]) -> f64 {
        self.check(row.len());
        match &self.committee {
            None => self.own_score(row),
            Some(committee) => committee.score(self.members().map(|member| member.own_score(row))).0,
        }
    }

    fn own_score(&self, row: &[f32]) -> f64 {
        self.cut_off(self.score_within(row), row)
    }

    /// What the row's leaves say.
    fn score_within(&self, row: &[f32]) -> f64 {
        if row.iter().any(|cell| cell.is_nan()) {
            return self.scale.score(self.path_length_with_missing(row));
        }
        self.kernel().score(self.scale, row)
    }

    /// The score of a row that may be beyond the ranges, given what its leaves say.
    fn cut_off(&self, score: f64, row: &[f32]) -> f64 {
        let chance = self.ranges.as_ref().map_or(0.0, |ranges| ranges.chance(row));
        self.scale.cut_off(score, chance).score
    }

    /// The sum of path lengths of a row with missing cells.
    fn path_length_with_missing(&self, row: &[f32]) -> PathLength {
        (0..self.trees.len()).map(|tree| self.path_length_in(tree, row)).sum()
    }

    /// The path length in one tree, counted from 0, whether or not cells are missing.
    pub(crate) fn path_length_in(&self, tree: usize, row: &[f32]) -> PathLength {
        if !row.iter().any(|cell| cell.is_nan()) {
            return self.trees[tree].path_length_of(row);
        }
        let samples = self.samples.get_or_init(|| self.trees.iter().map(Tree::samples).collect());
        self.trees[tree].path_length_with_missing(&samples[tree], row)
    }

    /// The score of each row, the same to the bit as [`Forest::score`] gives.
    ///
    /// # Panics
    /// When the rows do not have [`Forest::columns`] cells.
    pub fn scores(&self, samples: &Samples) -> Vec<f64> {
        self.check(samples.columns());
        let Some(committee) = &self.committee else { return self.own_scores(samples) };
        let members: Vec<_> = self.members().map(|member| member.own_scores(samples)).collect();
        (0..samples.len()).map(|row| committee.score(members.iter().map(|scores| scores[row])).0).collect()
    }

    pub(crate) fn own_scores(&self, samples: &Samples) -> Vec<f64> {
        if samples.has_missing() {
            let rows = samples.cells().par_chunks(self.columns);
            return rows.map(|row| self.own_score(row)).collect();
        }
        let kernel = self.kernel();
        let mut scores = vec![0.0; samples.len()];
        let score = |(scores, cells): (&mut [f64], &[f32])| {
            kernel.scores(&self.trees, self.scale, cells, scores);
            for (score, row) in scores.iter_mut().zip(cells.chunks_exact(self.columns)) {
                *score = self.cut_off(*score, row);
            }
        };
        let cells = samples.cells();
        if samples.len() <= BLOCKS_A_THREAD * BLOCK {
            scores.chunks_mut(BLOCK).zip(cells.chunks(BLOCK * self.columns)).for_each(score);
        } else {
            let blocks = scores.par_chunks_mut(BLOCK).zip(cells.par_chunks(BLOCK * self.columns));
            blocks.with_min_len(BLOCKS_A_THREAD).for_each(score);
        }
        scores
    }

    /// The scores of the rows that the forest was grown from, as [`Forest::scores`] gives them; and
    /// [`Forest::out_of_bag_scores`], which ask for the same walks.
    ///
    /// # Panics
    /// When the rows do not have [`Forest::columns`] cells.
    pub fn seen_and_unseen_scores(&self, samples: &Samples, params: &Params) -> [Vec<f64>; 2] {
        out_of_bag::scores(self, samples, params)
    }

    /// What each of the rows that the forest was grown from scores in the trees that were grown without it: what new rows
    /// of the kind would score. (A tree knows its own rows a little too well.) Rows that every tree has learned from
    /// are left out: all of them, where there are no more rows than the sample size. `samples` and `params` are those
    /// that the forest was grown with. The other rows keep their order.
    ///
    /// # Panics
    /// When the rows do not have [`Forest::columns`] cells.
    pub fn out_of_bag_scores(&self, samples: &Samples, params: &Params) -> Vec<f64> {
        let [_, unseen] = self.seen_and_unseen_scores(samples, params);
        unseen
    }

    /// The scores of rows with these sums of path lengths.
    pub(crate) fn scores_of(&self, sums: &[PathLength], samples: &Samples) -> Vec<f64> {
        let rows = sums.par_iter().zip(samples.cells().par_chunks(self.columns));
        let rows = rows.with_min_len(BLOCKS_A_THREAD * BLOCK);
        rows.map(|(sum, row)| self.cut_off(self.scale.score(*sum), row)).collect()
    }

    /// The sums of path lengths that the scores are made of, of a committee the first member's.
    pub(crate) fn path_lengths(&self, samples: &Samples) -> Vec<PathLength> {
        self.check(samples.columns());
        if samples.has_missing() {
            let rows = samples.cells().par_chunks(self.columns);
            return rows
                .map(|row| (0..self.trees.len()).map(|tree| self.path_length_in(tree, row)).sum())
                .collect();
        }
        let mut sums = vec![0; samples.len()];
        let blocks = sums.par_chunks_mut(BLOCK).zip(samples.cells().par_chunks(BLOCK * self.columns));
        blocks.with_min_len(BLOCKS_A_THREAD).for_each(|(sums, cells)| {
            self.kernel().add_path_lengths(&self.trees, self.columns, cells, sums);
        });
        sums
    }

    fn kernel(&self) -> &Kernel {
        self.kernel.get_or_init(|| Kernel::new(self.columns, &self.trees, self.scale))
    }

    fn check(&self, cells: usize) {
        assert_eq!(cells, self.columns, "a row must have as many cells as the forest has columns");
    }
}

impl PartialEq for Forest {
    fn eq(&self, other: &Self) -> bool {
        self.mode == other.mode
            && self.columns == other.columns
            && self.sample_size == other.sample_size
            && self.trees == other.trees
            && self.ranges == other.ranges
            && self.committee == other.committee
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod hard_data;
