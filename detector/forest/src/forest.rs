//! Samples and parameters in, a [`Forest`] of one mode out; rows in, scores out.

/// The reasons why a forest cannot be built.
mod error;
/// The check that forests fit the available memory.
pub(crate) mod memory;

use crate::data::ranges::Ranges;
use crate::data::samples::Samples;
use crate::explain::explainer::{Explainable, Explained, Explainer};
use crate::explain::gains::Contribution;
use crate::score::bags::Bags;
use crate::score::block::{BLOCK, BLOCKS_PER_THREAD};
use crate::score::kernel::Kernel;
use crate::score::scale::Scale;
use crate::train::bag;
use crate::train::grower::Grower;
use crate::train::params::{Mode, Params};
use crate::tree::path_length::{MAX_SUM, PathLength, edges};
use crate::tree::{Node, Tree};
use rayon::prelude::*;
use std::sync::OnceLock;

pub use error::{ForestError, MAX_COLUMNS};

/// The trees that a new forest takes over as they are, and the seeds of the trees to grow after them.
#[derive(Clone, Copy)]
pub(crate) struct TreePlan<'a> {
    pub(crate) kept: &'a [Tree],
    pub(crate) seeds: &'a [u64],
}

/// Isolation trees of one mode, with the scale that turns a row's path lengths in them into a score.
#[derive(Debug, Clone)]
pub struct Forest {
    mode: Mode,
    columns: usize,
    sample_size: u32,
    trees: Vec<Tree>,
    scale: Scale,
    /// The ranges of the training rows; `None` where they are not known.
    ranges: Option<Ranges>,
    /// The kernel that scores rows, built when it is first used.
    kernel: OnceLock<Kernel>,
    /// The number of training rows that passed through each node of each tree, built when a row with missing
    /// cells is first scored.
    samples: OnceLock<Vec<Vec<u32>>>,
    explainer: Explainer,
}

impl Forest {
    /// Trains a forest. The same samples and parameters give the same forest to the bit, on any number of
    /// threads. Training uses all threads of the current rayon pool; its time does not depend on the number
    /// of rows.
    ///
    /// # Errors
    /// [`ForestError::ExtensionLevel`], and [`ForestError::Memory`] before anything is allocated.
    pub fn fit(samples: &Samples, params: &Params) -> Result<Self, ForestError> {
        Self::check_fit(samples, std::slice::from_ref(params))?;
        let seeds = bag::seeds(params.trees(), params.seed());
        Ok(Self::grown(samples, params, TreePlan { kept: &[], seeds: &seeds }, &|| (), None))
    }

    /// Checks that each extension level is less than the number of columns, and that all forests together fit
    /// the available memory.
    pub(crate) fn check_fit(samples: &Samples, forests: &[Params]) -> Result<(), ForestError> {
        for params in forests {
            let extension_level = params.extension_level();
            if extension_level as usize >= samples.columns() {
                return Err(ForestError::ExtensionLevel { extension_level, columns: samples.columns() });
            }
        }
        memory::check(samples, forests)
    }

    /// Grows a forest whose parameters are already checked. `tree_is_done` is called once for each new tree,
    /// from any thread. `bags`, if given, receives the bags of the new trees.
    pub(crate) fn grown(
        samples: &Samples,
        params: &Params,
        plan: TreePlan<'_>,
        tree_is_done: &(dyn Fn() + Sync),
        mut bags: Option<&mut Bags>,
    ) -> Self {
        /// Trees are grown in batches whose bags together have at most this many rows.
        const MAX_BATCH_ROWS: usize = 1 << 20;
        let size = bag::sample_size(samples, params);
        let wanted = bags.is_some();
        let grow = |grower: &mut Grower, seed: &u64| {
            let tree = grower.tree(*seed);
            tree_is_done();
            let bag = if wanted { grower.bag(&tree) } else { Vec::new() };
            (tree, bag)
        };
        let mut trees = plan.kept.to_vec();
        for seeds in plan.seeds.chunks((MAX_BATCH_ROWS / size as usize).max(1)) {
            let seeds = seeds.par_iter().with_min_len(4);
            let grown: Vec<_> = seeds.map_init(|| Grower::new(samples, params), grow).collect();
            for (tree, bag) in grown {
                if let Some(bags) = &mut bags {
                    bags.add(&bag);
                }
                trees.push(tree);
            }
        }
        Self::of_trees(params.mode(), samples.columns(), size, trees).with_ranges(Some(Ranges::of(samples)))
    }

    /// Builds a forest in [`Mode::Standard`] from trees that were grown elsewhere, each from `sample_size`
    /// rows of `columns` cells. Each tree is a list of its nodes, the root first.
    ///
    /// # Errors
    /// `columns` outside 1 to [`MAX_COLUMNS`], a `sample_size` of 0, no trees, a tree that is not valid (see
    /// [`TreeError`](crate::tree::TreeError)), or path lengths that add up to too much for exact scores.
    pub fn from_trees(columns: usize, sample_size: u32, trees: Vec<Vec<Node>>) -> Result<Self, ForestError> {
        let trees = trees.into_iter().enumerate().map(|(at, nodes)| {
            Tree::new(columns, &nodes, Vec::new()).map_err(|error| ForestError::Tree { tree: at, error })
        });
        Self::from_checked_trees(Mode::Standard, columns, sample_size, trees.collect::<Result<_, _>>()?)
    }

    /// A forest of trees that were checked for `columns` columns.
    pub(crate) fn from_checked_trees(
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
        let longest: f64 = trees.iter().map(|tree| edges(tree.longest())).sum();
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
            explainer: Explainer::default(),
        }
    }

    pub(crate) fn ranges(&self) -> Option<&Ranges> {
        self.ranges.as_ref()
    }

    /// The same forest, with these ranges of its training rows.
    pub(crate) fn with_ranges(self, ranges: Option<Ranges>) -> Self {
        Self { ranges, ..self }
    }

    /// How the trees were split, and what value their leaves have.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// How many cells a row must have: 1 to [`MAX_COLUMNS`].
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How many rows each tree was grown from: 1 or more.
    pub fn sample_size(&self) -> u32 {
        self.sample_size
    }

    /// The trees: 1 or more.
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// The anomaly score s(x) of one row, in (0, 1]: about 0.5 for a row like most training rows, towards 1
    /// for an anomalous one (Liu, Ting and Zhou 2008, equation 2). scikit-learn's `score_samples` is its
    /// negative.
    ///
    /// A cell outside the range of the training rows raises the score, the more the further outside it is: a
    /// random cut between the range and the cell would isolate the row at once (see the crate's
    /// documentation). The ranges are not known in a forest from [`Forest::from_trees`] or from a file
    /// without ranges; there such a cell scores as a cell at the edge of the range.
    ///
    /// A cell that is NaN is missing: see [`Samples::with_missing`]. [`crate::cell`] returns `None` for NaN.
    ///
    /// # Panics
    /// When `row` does not have [`Forest::columns`] cells.
    pub fn score(&self, row: &[f32]) -> f64 {
        self.check(row.len());
        self.cut_off(self.score_within(row), row)
    }

    /// The score from the leaf values alone, without the ranges.
    fn score_within(&self, row: &[f32]) -> f64 {
        if row.iter().any(|cell| cell.is_nan()) {
            return self.scale.score(self.path_length_with_missing(row));
        }
        self.kernel().score(self.scale, row)
    }

    /// Raises `score`, a row's score from the leaf values alone, if the row has cells outside the ranges.
    fn cut_off(&self, score: f64, row: &[f32]) -> f64 {
        let chance = self.ranges.as_ref().map_or(0.0, |ranges| ranges.chance(row));
        self.scale.cut_off(score, chance).score
    }

    /// The sum of path lengths of a row with missing cells.
    fn path_length_with_missing(&self, row: &[f32]) -> PathLength {
        (0..self.trees.len()).map(|tree| self.path_length_in(tree, row)).sum()
    }

    /// The path length of `row` in the tree at index `tree`. Cells may be missing.
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
        self.scores_in(samples.cells(), samples.has_missing())
    }

    /// The score of each row, as [`Forest::scores`] gives it, for rows in a slice of cells in row-major
    /// order. The cells are not copied; each must be finite, or NaN where it is missing.
    ///
    /// # Panics
    /// When the number of cells is not a multiple of [`Forest::columns`].
    pub fn scores_of_cells(&self, cells: &[f32]) -> Vec<f64> {
        assert!(cells.len().is_multiple_of(self.columns), "cells must be whole rows");
        self.scores_in(cells, cells.iter().any(|cell| cell.is_nan()))
    }

    fn scores_in(&self, cells: &[f32], has_missing: bool) -> Vec<f64> {
        if has_missing {
            let rows = cells.par_chunks(self.columns);
            return rows.map(|row| self.score(row)).collect();
        }
        let kernel = self.kernel();
        let mut scores = vec![0.0; cells.len() / self.columns];
        let score = |(scores, cells): (&mut [f64], &[f32])| {
            kernel.scores(&self.trees, self.scale, cells, scores);
            for (score, row) in scores.iter_mut().zip(cells.chunks_exact(self.columns)) {
                *score = self.cut_off(*score, row);
            }
        };
        if scores.len() <= BLOCKS_PER_THREAD * BLOCK {
            scores.chunks_mut(BLOCK).zip(cells.chunks(BLOCK * self.columns)).for_each(score);
        } else {
            let blocks = scores.par_chunks_mut(BLOCK).zip(cells.par_chunks(BLOCK * self.columns));
            blocks.with_min_len(BLOCKS_PER_THREAD).for_each(score);
        }
        scores
    }

    /// The score of each row of `samples`, given its sum of path lengths.
    pub(crate) fn scores_of(&self, sums: &[PathLength], samples: &Samples) -> Vec<f64> {
        let rows = sums.par_iter().zip(samples.cells().par_chunks(self.columns));
        let rows = rows.with_min_len(BLOCKS_PER_THREAD * BLOCK);
        rows.map(|(sum, row)| self.cut_off(self.scale.score(*sum), row)).collect()
    }

    /// The sum of path lengths of each row, from which its score is computed.
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
        blocks.with_min_len(BLOCKS_PER_THREAD).for_each(|(sums, cells)| {
            self.kernel().add_path_lengths(&self.trees, self.columns, cells, sums);
        });
        sums
    }

    /// The contribution of each column to the score of `row`: its share, 0 or more, and the side of the
    /// training rows on which the cell is. The shares add up to 1; they are all equal where no column has a
    /// positive gain.
    ///
    /// Each node has an expected path length (in other modes, an expected leaf value): the mean over the
    /// training rows that passed through it. At each step of a row's path, the gain of the column that the
    /// node splits on is the expected value of the node less that of the child (negative where the row stays
    /// with the majority). The gains of a whole path add up to the root's expected value less the leaf's
    /// value, and the leaves' values make the score. A column's share is in proportion to the sum of its
    /// gains, where that is positive. (Saabas, "Interpreting random forests", 2014.) Cells outside the ranges
    /// of the training rows lower the value further; this difference is a gain of their columns, divided by
    /// how far outside each cell is.
    ///
    /// # Panics
    /// When `row` does not have [`Forest::columns`] cells.
    pub fn explain(&self, row: &[f32]) -> Vec<Contribution> {
        self.score_and_explain(row).contributions
    }

    /// The shares of [`Forest::explain`].
    ///
    /// # Panics
    /// When `row` does not have [`Forest::columns`] cells.
    pub fn contributions(&self, row: &[f32]) -> Vec<f64> {
        self.explain(row).into_iter().map(|contribution| contribution.share).collect()
    }

    /// [`Forest::score`] and [`Forest::explain`] at once, which costs less than one after the other.
    ///
    /// # Panics
    /// When `row` does not have [`Forest::columns`] cells.
    pub fn score_and_explain(&self, row: &[f32]) -> Explained {
        self.check(row.len());
        let forest = Explainable {
            columns: self.columns,
            trees: &self.trees,
            scale: self.scale,
            ranges: self.ranges.as_ref(),
        };
        self.explainer.explained(forest, || self.kernel(), || self.score_within(row), row)
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
    }
}

#[cfg(test)]
mod tests;
