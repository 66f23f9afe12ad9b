//! The greatest scores of training rows in, the threshold for any small share out.

use forest::artifact::Scores;
use serde::{Deserialize, Serialize};

/// The least share of the scores that is in the tail.
const TAIL: f64 = 0.1;
/// The share in the tail is at least this many times the share that the threshold is for.
const TAIL_TO_SHARE: f64 = 1.5;
/// The smallest mean excess; a lower one counts as this, because all scores may be equal.
const MIN_EXCESS: f64 = 1e-3;
/// How far the tail is extrapolated: beyond the smallest share that the number of scores can show, as a power
/// of e, and beyond the greatest score, in mean excesses.
const BEYOND: f64 = 1.0;

/// The promise that a threshold makes for ordinary readings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Promise {
    /// This share of the readings is anomalous: over 0 and at most 0.5.
    Readings(f64),
    /// This share of the readings begins an alert (anomalous readings in a row): over 0 and at most 0.5.
    Alerts(f64),
}

impl Promise {
    /// The share.
    pub fn share(self) -> f64 {
        match self {
            Self::Readings(share) | Self::Alerts(share) => share,
        }
    }

    /// Whether every anomalous reading counts, not only the first in a row.
    pub fn counts_readings(self) -> bool {
        matches!(self, Self::Readings(_))
    }

    /// The name of what is counted: `readings` or `alerts`.
    pub fn counts(self) -> &'static str {
        if self.counts_readings() { "readings" } else { "alerts" }
    }
}

/// The tail of scores on the scale ln(s / (1 - s)): a quantile of the scores, and the mean excess over it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tail {
    /// The share of the scores that is over the level.
    pub share: f64,
    /// The quantile.
    pub level: f64,
    /// The mean excess over it, over 0.
    pub excess: f64,
    /// The distance of the greatest score from the level.
    pub reach: f64,
}

impl Tail {
    /// Compute the tail from the scores of rows that are like those to come, for a threshold that `share` of
    /// the scores exceed. `None` if the kept scores do not reach down to the level, or if there are none.
    pub fn of(scores: &Scores, share: f64) -> Option<Self> {
        let tail = (share * TAIL_TO_SHARE).max(TAIL);
        let (greatest, count) = (scores.seen.scores(), scores.seen.count());
        let over = ((tail * count as f64) as usize).max(1);
        let level = logit(*greatest.get(over)?);
        let excess = greatest[..over].iter().map(|score| logit(*score) - level).sum::<f64>() / over as f64;
        let reach = logit(greatest[0]) - level;
        Some(Self { share: tail, level, excess: excess.max(MIN_EXCESS), reach })
    }

    /// The value that `share` of the scores exceed, on their scale, when `seen` scores are known. Bounded
    /// readings, as most sensors have, give bounded scores: the quantile is not far beyond the greatest of
    /// them.
    pub fn quantile(&self, share: f64, seen: f64) -> f64 {
        let known = (libm::log(self.share * seen.max(1.0)) + BEYOND).max(1.0);
        let beyond = self.excess * libm::log(self.share / share).min(known);
        self.level + beyond.min(self.reach + BEYOND * self.excess)
    }

    /// Update the tail with a score. A score over the threshold counts as the threshold.
    pub fn follow(&mut self, score: f64, threshold: f64) {
        const RATE: f64 = 0.01;
        let step = RATE * self.excess;
        if score > self.level {
            let excess = score.min(threshold) - self.level;
            self.reach = self.reach.max(excess);
            self.excess = (self.excess + 2.0 * RATE * (excess - self.excess)).max(MIN_EXCESS);
            self.level += RATE * self.excess * (1.0 - self.share);
        } else {
            self.level -= step * self.share;
        }
    }
}

/// ln(s / (1 - s)) of a score, which is finite for those in [0, 1].
pub fn logit(score: f64) -> f64 {
    const EDGE: f64 = 1e-6;
    let score = score.clamp(EDGE, 1.0 - EDGE);
    libm::log(score / (1.0 - score))
}

/// The score whose [`logit`] is `value`.
pub fn sigmoid(value: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-value))
}

#[cfg(test)]
mod tests {
    use forest::artifact::Greatest;

    use super::*;

    #[test]
    fn a_threshold_for_few_scores_is_not_far_beyond_the_greatest_of_them() {
        let scores: Vec<f64> = (0..4000).map(|i| 0.3 + 0.2 * f64::from(i) / 4000.0).collect();
        let scores = Scores { seen: Greatest::of(&scores), unseen: Greatest::of(&[]), seconds_apart: None };
        let tail = Tail::of(&scores, 1e-5).unwrap();
        let quantile = sigmoid(tail.quantile(1e-5, 4000.0));
        assert!((0.5..0.52).contains(&quantile), "{quantile}: the scores end at 0.5");
        assert!(sigmoid(tail.quantile(0.01, 4000.0)) < 0.52);
    }
}
