//! Forests of one or several modes over the same rows in, one score for each row out.
//!
//! Without labels nothing shows which mode will score best: Ma et al., "The need for unsupervised outlier model selection"
//! (SIGKDD Explorations 25(1), 2023), and `benches/RESULTS.md`. So three that see different things score each row, and the most
//! anomalous score counts: Aggarwal and Sathe, "Theoretical foundations and algorithms for outlier ensembles" (SIGKDD
//! Explorations 17(1), 2015), maximisation.

/// What an ensemble is trained with.
mod params;
/// How rare a score is among the training rows.
pub(crate) mod rarity;
/// How much members agree.
mod agreement;
/// The scores of training rows, with and without the trees that have seen them.
mod out_of_bag;

use crate::data::samples::Samples;
use crate::explain::explainer::Explained;
use crate::explain::gains::Contribution;
use crate::forest::{Forest, ForestError, Planting};
use crate::score::bags::Bags;
use crate::train::bag;
use crate::train::params::Params;
use crate::tree::Tree;
use rarity::Rarity;
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use params::EnsembleParams;

/// Training rows that rarities are learned from, at most.
const MAX_LEARNED_ROWS: usize = 512;

/// One or several forests over the same columns. The score of one forest alone is its own. Of several, it is that of the member
/// to which the row is rarest among the training rows: k / (1 + k) for a score that one in 2ᵏ of them reaches.
#[derive(Debug, Clone, PartialEq)]
pub struct Ensemble {
    /// At least one.
    members: Vec<Forest>,
    /// How rare the scores of each member are; empty of a forest alone.
    rarities: Vec<Rarity>,
}

/// What the rows that an ensemble was trained on score: see [`Ensemble::training_scores`].
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingScores {
    /// In all trees.
    pub in_all: Vec<f64>,
    /// In the trees that were grown without the row, where there are any; in the order of the rows.
    pub out_of_bag: Vec<f64>,
}

/// How trees are replaced in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal {
    /// How many of the oldest trees of each forest: 1 or more. All of them: a training.
    pub trees: u32,
    /// Which renewal since the last training it is, counted from 1: each grows other trees.
    pub number: u64,
}

/// Which trees are kept of each member, and with which seeds others are grown.
struct Plan<'a> {
    kept: Vec<&'a [Tree]>,
    seeds: Vec<u64>,
}

impl Plan<'_> {
    /// All trees are grown.
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
    /// Trains an ensemble. Same samples, same parameters: the same ensemble to the bit, on any number of threads.
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

    /// As [`Ensemble::fit_with_progress`], with what [`Ensemble::training_scores`] gives, which costs less than one after the
    /// other.
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

    /// The same ensemble, of which each forest has its oldest trees replaced by trees that are grown from these samples. Trees
    /// stand in the order in which they were grown, the oldest first. `None` where it is not of these parameters: of the
    /// extension level that is not known. Same ensemble, samples, parameters and renewal: the same result to the bit.
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

    /// As [`Ensemble::renewed`], with the scores of the samples. Out of bag are those from row `known_from` on, which no older
    /// tree has learned from.
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

    /// Which trees stay; all that are to come where none does, so with the seeds of a training.
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

    /// The ensemble, and for each member the bags of the trees that were grown, where they are wanted.
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
        // A row with missing cells was put on one side of a split at random: only a walk scores it.
        let from_growth = with_bags && !samples.has_missing();
        let grow = |(member, params): (usize, &Params)| {
            let kept = plan.kept.get(member).copied().unwrap_or_default();
            let mut bags = from_growth.then(|| Bags::new(samples.len()));
            let planting = Planting { kept, seeds: &plan.seeds };
            let forest = Forest::grown(samples, params, planting, &tree_is_done, bags.as_mut());
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

    /// Members with the rarity of their scores, as many as there are members.
    pub(crate) fn of_members(members: Vec<(Forest, Rarity)>) -> Self {
        let (members, rarities) = members.into_iter().unzip();
        Self { members, rarities }
    }

    /// The forests that score: one, or three of different modes.
    pub fn members(&self) -> &[Forest] {
        &self.members
    }

    /// How rare the scores of each member are; empty of a forest alone.
    pub(crate) fn rarities(&self) -> &[Rarity] {
        &self.rarities
    }

    /// The only member; `None` of several.
    pub fn single(&self) -> Option<&Forest> {
        self.members.first().filter(|_| self.members.len() == 1)
    }

    /// How many cells a row must have: 1 or more.
    pub fn columns(&self) -> usize {
        self.members[0].columns()
    }

    /// How many trees all members have.
    pub fn total_trees(&self) -> usize {
        self.members.iter().map(|member| member.trees().len()).sum()
    }

    /// Why there are several members, and how much they agree on the samples that they were trained on, in a sentence; `None`
    /// of a forest alone.
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

    /// The same of cells that are somebody else's: see [`Forest::scores_of_cells`].
    ///
    /// # Panics
    /// When the cells are not whole rows.
    pub fn scores_of_cells(&self, cells: &[f32]) -> Vec<f64> {
        let mut scores: Vec<_> = self.members.iter().map(|member| member.scores_of_cells(cells)).collect();
        if scores.len() == 1 {
            return scores.swap_remove(0);
        }
        let rows = 0..cells.len() / self.columns();
        rows.map(|row| self.combined(scores.iter().map(|scores| scores[row])).0).collect()
    }

    /// How much each column did to set `row` apart, by the member that makes the score: see [`Forest::explain`].
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

    /// The scores of the rows that the ensemble was trained on: in all trees, as [`Ensemble::scores`] gives them, and
    /// out of bag, in the trees that were grown without the row, as new rows of the kind would score. (A tree knows its own rows a
    /// little too well.) Out of bag, rows that every tree has learned from are left out: all of them, where there are no
    /// more rows than the sample size. The other rows keep their order. `samples` and `seed` are those of the training. Both
    /// take the same walks, so that together they cost little more than the first alone.
    ///
    /// # Panics
    /// When the rows do not have [`Ensemble::columns`] cells.
    pub fn training_scores(&self, samples: &Samples, seed: u64) -> [Vec<f64>; 2] {
        let seeds = |member: &Forest| bag::seeds(member.trees().len() as u32, seed);
        let bags = self.members.iter().map(|member| out_of_bag::walked(member, samples, &seeds(member)));
        let TrainingScores { in_all, out_of_bag } = self.scores_of_training(samples, bags.collect(), 0);
        [in_all, out_of_bag]
    }

    /// The scores of training rows; out of bag, of those from `known_from` on.
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

    /// The score of a row with these scores of the members, in their order, and which member makes it: of equals the first.
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
