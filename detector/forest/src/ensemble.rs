//! Rows in, the forests that judge them together out; their scores in, one score out.
//!
//! Without labels nothing tells which mode will judge best: Ma et al., "The need for unsupervised outlier model selection"
//! (SIGKDD Explorations 25(1), 2023), and `benches/RESULTS.md`. So three that see different things judge each row, and the
//! strangest verdict counts: Aggarwal and Sathe, "Theoretical foundations and algorithms for outlier ensembles" (SIGKDD
//! Explorations 17(1), 2015), maximisation. Scores of different modes become comparable by how rare they were among the
//! training rows: Kriegel et al., "Interpreting and unifying outlier scores" (SDM 2011).

/// Why they are the ones.
pub(crate) mod agreement;
/// What training rows would score had the forest not learned from them.
pub(crate) mod out_of_bag;

use crate::data::samples::Samples;
use crate::forest::Forest;
use crate::train::params::{Mode, Params};
use rayon::prelude::*;

/// How many forests make a committee.
pub(crate) const MEMBERS: usize = 3;
/// Rows that each tree of a member is grown from.
const SAMPLE_SIZE: u32 = 256;
/// Training rows that levels are learned from, at most.
const LEARNED: usize = 512;
/// Knots of a scale are as far apart, in halvings.
const RESOLUTION: f64 = 0.25;
/// No 2⁶⁴ rows are ever counted.
const MOST: f64 = 64.0;
/// Beyond the training rows a scale goes on with its slope over as many halvings.
const SLOPE: f64 = 3.0;

/// What each forest of `params` is grown by: isolation across columns, gaps between clusters, density. Of one column there is
/// but one way across.
pub(crate) fn members(samples: &Samples, params: &Params) -> Vec<Params> {
    if !params.is_auto() {
        return vec![*params];
    }
    let across = |extension: u32| extension.min(u32::try_from(samples.columns() - 1).unwrap_or(u32::MAX));
    let choices: [(Mode, u32); MEMBERS] =
        [(Mode::Standard, across(2)), (Mode::PooledGain, across(1)), (Mode::AdjustedDensity, 0)];
    choices.map(|(mode, extension)| params.member(mode, SAMPLE_SIZE, extension)).to_vec()
}

/// The rest of a committee, beside the forest that holds it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Committee {
    pub(crate) others: Vec<Forest>,
    /// What the scores of each are worth, the holder's first.
    pub(crate) scales: Vec<Rarity>,
}

impl Committee {
    /// What `others` and the forest that holds them make of the training rows.
    pub(crate) fn of(first: &Forest, others: Vec<Forest>, samples: &Samples) -> Self {
        let learned = some_of(samples);
        let members: Vec<&Forest> = std::iter::once(first).chain(&others).collect();
        let scales = members.into_par_iter().map(|forest| Rarity::of(forest.scores(&learned))).collect();
        Self { others, scales }
    }

    /// The score of a row that the members score so, in their order, and which of them is the strangest's.
    pub(crate) fn score(&self, scores: impl IntoIterator<Item = f64>) -> (f64, usize) {
        let halvings = self.scales.iter().zip(scores).map(|(scale, score)| scale.halvings(score));
        let strangest = halvings.enumerate().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        let (member, halvings) = strangest.expect("a committee has members");
        (halvings / (1.0 + halvings), member)
    }
}

/// Up to [`LEARNED`] rows, evenly spaced.
pub(crate) fn some_of(samples: &Samples) -> Samples {
    let count = samples.len().min(LEARNED);
    let rows = (0..count).flat_map(|at| samples.row(at * samples.len() / count));
    let cells = rows.map(|&cell| f64::from(cell)).collect();
    Samples::with_missing(samples.columns(), cells).expect("rows of samples are samples")
}

/// How rare a forest's scores are, in halvings: 1 for a score that half of the training rows reach, 10 for one that one in
/// 1024 reaches. Between knots, and beyond the last, it is a straight line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rarity {
    /// Scores and halvings, both strictly rising; at least one.
    knots: Vec<[f64; 2]>,
}

impl Rarity {
    /// Of the training rows' scores.
    fn of(mut scores: Vec<f64>) -> Self {
        scores.sort_unstable_by(f64::total_cmp);
        let count = scores.len() as f64;
        let mut knots: Vec<[f64; 2]> = Vec::new();
        let mut below = 0;
        for equal in scores.chunk_by(|a, b| a.total_cmp(b).is_eq()) {
            let rank = below as f64 + (equal.len() - 1) as f64 / 2.0;
            let halvings = -libm::log2((count - rank) / (count + 1.0));
            below += equal.len();
            let is_last = below == scores.len();
            if is_last || knots.last().is_none_or(|knot| halvings >= knot[1] + RESOLUTION) {
                knots.push([equal[0], halvings]);
            }
        }
        Self { knots }
    }

    /// `None` unless the knots rise.
    pub(crate) fn from_knots(knots: Vec<[f64; 2]>) -> Option<Self> {
        let sound = |knot: &[f64; 2]| knot[0] > 0.0 && knot[0] <= 1.0 && knot[1] > 0.0 && knot[1] <= MOST;
        let rise = knots.windows(2).all(|pair| pair[0][0] < pair[1][0] && pair[0][1] < pair[1][1]);
        (!knots.is_empty() && knots.iter().all(sound) && rise).then_some(Self { knots })
    }

    pub(crate) fn knots(&self) -> &[[f64; 2]] {
        &self.knots
    }

    /// How rare `score` is; greater than 0.
    fn halvings(&self, score: f64) -> f64 {
        let (first, last) = (self.knots[0], self.knots[self.knots.len() - 1]);
        let at = self.knots.partition_point(|knot| knot[0] < score);
        if at == 0 {
            return first[1];
        }
        let (from, to) = match self.knots.get(at) {
            Some(to) => (self.knots[at - 1], *to),
            None => {
                (self.knots[self.knots.partition_point(|knot| knot[1] < last[1] - SLOPE).min(at - 1)], last)
            }
        };
        if to[0] > from[0] { to[1] + (score - to[0]) * (to[1] - from[1]) / (to[0] - from[0]) } else { to[1] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_score_that_half_of_the_rows_reach_is_one_halving_and_that_of_one_in_a_thousand_ten() {
        let rarity = Rarity::of((1..=1023).map(|i| f64::from(i) / 2048.0).collect());
        assert!((rarity.halvings(0.25) - 1.0).abs() < 0.01, "{}", rarity.halvings(0.25));
        assert!((rarity.halvings(1023.0 / 2048.0) - 10.0).abs() < 1e-9);
        assert!(rarity.halvings(0.9) > 11.0, "it goes on beyond the training rows");
        assert!(rarity.knots().len() < 50);
    }

    #[test]
    fn equal_scores_are_all_as_rare() {
        let rarity = Rarity::of(vec![0.4; 9]);
        assert_eq!(rarity.halvings(0.1).to_bits(), rarity.halvings(0.9).to_bits());
        assert!((rarity.halvings(0.4) - 1.0).abs() < 0.01);
    }

    #[test]
    fn knots_that_do_not_rise_are_none() {
        for knots in
            [vec![], vec![[0.5, 1.0], [0.4, 2.0]], vec![[0.5, 2.0], [0.6, 2.0]], vec![[f64::NAN, 1.0]]]
        {
            assert_eq!(Rarity::from_knots(knots.clone()), None, "{knots:?}");
        }
    }

    proptest! {
        #[test]
        fn rarer_scores_have_more_halvings(scores in prop::collection::vec(0.01f64..1.0, 1..200), a in 0.0f64..1.0, b in 0.0f64..1.0) {
            let rarity = Rarity::of(scores);
            prop_assert_eq!(Rarity::from_knots(rarity.knots.clone()), Some(rarity.clone()));
            prop_assert!(rarity.halvings(a.min(b)) <= rarity.halvings(a.max(b)) + 1e-12);
            prop_assert!(rarity.halvings(a) > 0.0);
        }
    }
}
