//! Forests of one or several modes over the same rows in, one score for each row out.
//!
//! Without labels nothing shows which mode will score best: Ma et al., "The need for unsupervised outlier model selection"
//! (SIGKDD Explorations 25(1), 2023), and `benches/RESULTS.md`. So three that see different things score each row, and the most
//! anomalous score counts: Aggarwal and Sathe, "Theoretical foundations and algorithms for outlier ensembles" (SIGKDD
//! Explorations 17(1), 2015), maximisation.

/// The parameters of training an ensemble.
mod params;
/// How rare a score is among the training rows.
pub(crate) mod rarity;
/// How much the members of an ensemble agree.
mod agreement;
/// The scores of training rows, with and without the trees that have seen them.
mod out_of_bag;

use crate::data::samples::Samples;
use crate::explain::explainer::Explained;
use crate::explain::gains::Contribution;
use crate::forest::{Forest, ForestError, TreePlan};
use crate::score::bags::Bags;
use crate::train::bag;
use crate::train::params::Params;
use crate::tree::Tree;
use rarity::Rarity;
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use params::EnsembleParams;

/// The most training rows from which the rarity of scores is learned.
const MAX_LEARNED_ROWS: usize = 512;

/// One or several forests over the same columns. A single forest gives its own score. With several, the score
/// comes from the member to which the row is rarest among the training rows: k / (1 + k) for a score that one
/// in 2ᵏ of them reaches.
#[derive(Debug, Clone, PartialEq)]
pub struct Ensemble {
    /// The forests: at least one.
    members: Vec<Forest>,
    /// The rarity of the scores of each member; empty if there is one member only.
    rarities: Vec<Rarity>,
}

/// The scores of the rows that an ensemble was trained on: see [`Ensemble::training_scores`].
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingScores {
    /// The score of each row in all trees.
    pub in_all: Vec<f64>,
    /// The score of each row in the trees that were grown without it, in the order of the rows. Rows without
    /// such trees are left out.
    pub out_of_bag: Vec<f64>,
}

/// A renewal: the oldest trees of each forest are replaced by new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal {
    /// The number of trees that are replaced in each forest: 1 or more. Replacing all of them is a training.
    pub trees: u32,
    /// The number of this renewal since the last training, counted from 1: each number grows different trees.
    pub number: u64,
}

/// The trees that are kept of each member, and the seeds of the trees to grow.
struct Plan<'a> {
    kept: Vec<&'a [Tree]>,
    seeds: Vec<u64>,
}

impl Plan<'_> {
    /// A plan that keeps no tree and grows all of them.
    fn training(params: &EnsembleParams) -> Self {
        Self { kept: Vec::new(), seeds: bag::seeds(params.trees(), params.seed()) }
    }
}

impl From<Forest> for Ensemble {
    fn from(forest: Forest) -> Self {
        Self { members: vec![forest], rarities: Vec::new() }
    }
}

impl Ensemble {
    /// Trains an ensemble. The same samples and parameters give the same ensemble to the bit, on any number
    /// of threads.
    ///
    /// # Errors
    /// As [`Forest::fit`].
    pub fn fit(samples: &Samples, params: &EnsembleParams) -> Result<Self, ForestError> {
        Self::fit_with_progress(samples, params, &|_| ())
    }

    /// As [`Ensemble::fit`]; `progress` is called, from any thread, with the number of trees that are done: 1 to
    /// [`EnsembleParams::total_trees`], each once.
    ///
    /// # Errors
    /// As [`Forest::fit`].
    pub fn fit_with_progress(
        samples: &Samples,
        params: &EnsembleParams,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Self, ForestError> {
        let plan = Plan::training(params);
        Self::grown(samples, params, &plan, progress, false).map(|(ensemble, _)| ensemble)
    }

    /// As [`Ensemble::fit_with_progress`], and also returns the result of [`Ensemble::training_scores`]. This
    /// costs less than two calls.
    ///
    /// # Errors
    /// As [`Forest::fit`].
    pub fn fit_scored(
        samples: &Samples,
        params: &EnsembleParams,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<(Self, TrainingScores), ForestError> {
        let plan = Plan::training(params);
        let (ensemble, bags) = Self::grown(samples, params, &plan, progress, true)?;
        let scores = ensemble.scores_of_training(samples, bags, 0);
        Ok((ensemble, scores))
    }

    /// The same ensemble with the oldest trees of each forest replaced by trees that are grown from these
    /// samples. Trees are in the order in which they were grown, the oldest first. `None` when the forests
    /// differ from `params` or have other columns than `samples`; the extension level is not compared, since
    /// it is not known. The same ensemble, samples, parameters and renewal give the same result to the bit.
    ///
    /// # Errors
    /// As [`Forest::fit`].
    pub fn renewed(
        &self,
        samples: &Samples,
        params: &EnsembleParams,
        renewal: Renewal,
    ) -> Result<Option<Self>, ForestError> {
        let Some(plan) = self.renewal_plan(samples, params, renewal) else { return Ok(None) };
        Self::grown(samples, params, &plan, &|_| (), false).map(|(ensemble, _)| Some(ensemble))
    }

    /// As [`Ensemble::renewed`], and also returns the scores of the samples. Only rows from `known_from` on,
    /// from which no older tree has learned, have out-of-bag scores; all rows if all trees are replaced.
    ///
    /// # Errors
    /// As [`Forest::fit`].
    pub fn renewed_scored(
        &self,
        samples: &Samples,
        params: &EnsembleParams,
        renewal: Renewal,
        known_from: usize,
    ) -> Result<Option<(Self, TrainingScores)>, ForestError> {
        let Some(plan) = self.renewal_plan(samples, params, renewal) else { return Ok(None) };
        let (ensemble, bags) = Self::grown(samples, params, &plan, &|_| (), true)?;
        let known_from = if renewal.trees >= params.trees() { 0 } else { known_from };
        let scores = ensemble.scores_of_training(samples, bags, known_from);
        Ok(Some((ensemble, scores)))
    }

    /// The trees to keep, and the seeds of the trees to grow: those of a training where no tree is kept.
    /// `None` as in [`Ensemble::renewed`].
    fn renewal_plan(&self, samples: &Samples, params: &EnsembleParams, renewal: Renewal) -> Option<Plan<'_>> {
        let grown = renewal.trees.min(params.trees());
        let number = if grown == params.trees() { 0 } else { renewal.number };
        let members = params.members(samples.columns());
        let is_alike = |(forest, params): (&Forest, &Params)| {
            forest.mode() == params.mode()
                && forest.columns() == samples.columns()
                && forest.sample_size() == bag::sample_size(samples, params)
                && forest.trees().len() == params.trees() as usize
        };
        let are_alike =
            self.members.len() == members.len() && self.members.iter().zip(&members).all(is_alike);
        are_alike.then(|| Plan {
            kept: self.members.iter().map(|member| &member.trees()[grown as usize..]).collect(),
            seeds: bag::seeds_of_renewal(grown, params.seed(), number),
        })
    }

    /// Grows an ensemble by a plan. If `with_bags` is set, also returns the bags of the new trees of each
    /// member.
    fn grown(
        samples: &Samples,
        params: &EnsembleParams,
        plan: &Plan<'_>,
        progress: &(dyn Fn(usize) + Sync),
        with_bags: bool,
    ) -> Result<(Self, Vec<Bags>), ForestError> {
        let params = params.members(samples.columns());
        Forest::check_fit(samples, &params)?;
        let done = AtomicUsize::new(0);
        let tree_is_done = || progress(1 + done.fetch_add(1, Ordering::Relaxed));
        // Training puts a row with missing cells on a random side of a split: its path lengths need a walk.
        let from_growth = with_bags && !samples.has_missing();
        let grow = |(member, params): (usize, &Params)| {
            let kept = plan.kept.get(member).copied().unwrap_or_default();
            let mut bags = from_growth.then(|| Bags::new(samples.len()));
            let tree_plan = TreePlan { kept, seeds: &plan.seeds };
            let forest = Forest::grown(samples, params, tree_plan, &tree_is_done, bags.as_mut());
            let bags = bags.or_else(|| with_bags.then(|| out_of_bag::walked(&forest, samples, &plan.seeds)));
            (forest, bags)
        };
        let (members, bags): (Vec<Forest>, Vec<Option<Bags>>) = params.iter().enumerate().map(grow).unzip();
        let bags = bags.into_iter().flatten().collect();
        if members.len() == 1 {
            return Ok((Self { members, rarities: Vec::new() }, bags));
        }
        let learned = evenly_spaced(samples);
        let rarities = members.par_iter().map(|member| Rarity::of(member.scores(&learned))).collect();
        Ok((Self { members, rarities }, bags))
    }

    /// An ensemble of these members, each with the rarity of its scores.
    pub(crate) fn of_members(members: Vec<(Forest, Rarity)>) -> Self {
        let (members, rarities) = members.into_iter().unzip();
        Self { members, rarities }
    }

    /// The forests that score: one, or three of different modes.
    pub fn members(&self) -> &[Forest] {
        &self.members
    }

    /// The rarity of the scores of each member; empty if there is one member only.
    pub(crate) fn rarities(&self) -> &[Rarity] {
        &self.rarities
    }

    /// The only member; `None` if there are several.
    pub fn single(&self) -> Option<&Forest> {
        self.members.first().filter(|_| self.members.len() == 1)
    }

    /// How many cells a row must have: 1 or more.
    pub fn columns(&self) -> usize {
        self.members[0].columns()
    }

    /// The number of trees of all members together.
    pub fn total_trees(&self) -> usize {
        self.members.iter().map(|member| member.trees().len()).sum()
    }

    /// The reason for several members, and how much they agree on `samples`, which must be those that they
    /// were trained on, in a sentence; `None` if there is one member only.
    pub fn choice(&self, samples: &Samples) -> Option<String> {
        self.single().is_none().then(|| agreement::sentence(&self.members, &evenly_spaced(samples)))
    }

    /// The score of one row, in (0, 1], higher for more anomalous rows; see [`Ensemble`] and [`Forest::score`].
    ///
    /// # Panics
    /// When `row` does not have [`Ensemble::columns`] cells.
    pub fn score(&self, row: &[f32]) -> f64 {
        self.combined(self.members.iter().map(|member| member.score(row))).0
    }

    /// The score of each row, the same to the bit as [`Ensemble::score`] gives.
    ///
    /// # Panics
    /// When the rows do not have [`Ensemble::columns`] cells.
    pub fn scores(&self, samples: &Samples) -> Vec<f64> {
        let mut scores: Vec<_> = self.members.iter().map(|member| member.scores(samples)).collect();
        if scores.len() == 1 {
            return scores.swap_remove(0);
        }
        (0..samples.len()).map(|row| self.combined(scores.iter().map(|scores| scores[row])).0).collect()
    }

    /// The score of each row, as [`Ensemble::scores`] gives it, for rows in a slice of cells: see
    /// [`Forest::scores_of_cells`].
    ///
    /// # Panics
    /// When the number of cells is not a multiple of [`Ensemble::columns`].
    pub fn scores_of_cells(&self, cells: &[f32]) -> Vec<f64> {
        let mut scores: Vec<_> = self.members.iter().map(|member| member.scores_of_cells(cells)).collect();
        if scores.len() == 1 {
            return scores.swap_remove(0);
        }
        let rows = 0..cells.len() / self.columns();
        rows.map(|row| self.combined(scores.iter().map(|scores| scores[row])).0).collect()
    }

    /// The contribution of each column to the score of `row`, by the member that makes the score: see
    /// [`Forest::explain`].
    ///
    /// # Panics
    /// When `row` does not have [`Ensemble::columns`] cells.
    pub fn explain(&self, row: &[f32]) -> Vec<Contribution> {
        self.score_and_explain(row).contributions
    }

    /// The shares of [`Ensemble::explain`].
    ///
    /// # Panics
    /// When `row` does not have [`Ensemble::columns`] cells.
    pub fn contributions(&self, row: &[f32]) -> Vec<f64> {
        self.explain(row).into_iter().map(|contribution| contribution.share).collect()
    }

    /// [`Ensemble::score`] and [`Ensemble::explain`] at once, which costs less than one after the other.
    ///
    /// # Panics
    /// When `row` does not have [`Ensemble::columns`] cells.
    pub fn score_and_explain(&self, row: &[f32]) -> Explained {
        if let Some(forest) = self.single() {
            return forest.score_and_explain(row);
        }
        let (score, member) = self.combined(self.members.iter().map(|member| member.score(row)));
        Explained { score, ..self.members[member].score_and_explain(row) }
    }

    /// The scores of the rows that the ensemble was trained on: in all trees, as [`Ensemble::scores`] gives
    /// them, and out of bag, that is, in the trees that were grown without the row, as new rows of the same
    /// kind would score. (A tree knows its own rows a little too well.) Rows from which every tree has
    /// learned have no out-of-bag score and are left out: all rows, if there are no more rows than the sample
    /// size. The other rows keep their order. `samples` and `seed` must be those of the training. Both kinds
    /// of scores use the same walks, so that together they cost little more than the first alone.
    ///
    /// # Panics
    /// When the rows do not have [`Ensemble::columns`] cells.
    pub fn training_scores(&self, samples: &Samples, seed: u64) -> [Vec<f64>; 2] {
        let seeds = |member: &Forest| bag::seeds(member.trees().len() as u32, seed);
        let bags = self.members.iter().map(|member| out_of_bag::walked(member, samples, &seeds(member)));
        let TrainingScores { in_all, out_of_bag } = self.scores_of_training(samples, bags.collect(), 0);
        [in_all, out_of_bag]
    }

    /// The scores of the training rows; out-of-bag scores only for the rows from `known_from` on.
    fn scores_of_training(&self, samples: &Samples, bags: Vec<Bags>, known_from: usize) -> TrainingScores {
        let members = self.members.iter().zip(bags);
        let scores = members.map(|(member, bags)| out_of_bag::scores(member, samples, bags, known_from));
        let (all, out_of_bag): (Vec<_>, Vec<_>) = scores.unzip();
        let in_all = (0..samples.len()).map(|row| self.combined(all.iter().map(|scores| scores[row])).0);
        let unseen_by_all = |row: usize| {
            let scores = out_of_bag.iter().map(|scores: &Vec<Option<f64>>| scores[row]);
            scores.collect::<Option<Vec<f64>>>().map(|scores| self.combined(scores).0)
        };
        let in_all = in_all.collect();
        TrainingScores { in_all, out_of_bag: (0..samples.len()).filter_map(unseen_by_all).collect() }
    }

    /// The out-of-bag scores of [`Ensemble::training_scores`] alone.
    ///
    /// # Panics
    /// When the rows do not have [`Ensemble::columns`] cells.
    pub fn out_of_bag_scores(&self, samples: &Samples, seed: u64) -> Vec<f64> {
        let [_, out_of_bag] = self.training_scores(samples, seed);
        out_of_bag
    }

    /// The ensemble's score of a row, given the scores of the members in their order, and the index of the
    /// member that makes it. Of equally rare scores, the first counts.
    fn combined(&self, scores: impl IntoIterator<Item = f64>) -> (f64, usize) {
        let mut scores = scores.into_iter();
        if self.rarities.is_empty() {
            return (scores.next().expect("an ensemble has a member"), 0);
        }
        let bits = self.rarities.iter().zip(scores).map(|(rarity, score)| rarity.bits(score));
        let rarest = bits.enumerate().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        let (member, bits) = rarest.expect("an ensemble has members");
        (bits / (1.0 + bits), member)
    }
}

/// Up to [`MAX_LEARNED_ROWS`] rows, evenly spaced.
fn evenly_spaced(samples: &Samples) -> Samples {
    let count = samples.len().min(MAX_LEARNED_ROWS);
    let rows = (0..count).flat_map(|at| samples.row(at * samples.len() / count));
    let cells = rows.map(|&cell| f64::from(cell)).collect();
    Samples::with_missing(samples.columns(), cells).expect("rows of samples are samples")
}

#[cfg(test)]
mod tests;
/// Data that is hard to learn from.
#[cfg(test)]
mod hard_data;
