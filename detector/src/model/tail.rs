//! The greatest of what training rows score in, the threshold for any small share out.

use forest::artifact::Scores;
use serde::{Deserialize, Serialize};

/// The tail begins at the quantile of at least this share.
const TAIL: f64 = 0.1;
/// And at so many times the share that the threshold is for.
const TAIL_TO_SHARE: f64 = 1.5;
/// A mean excess below this counts as this: scores may all be alike.
const LEAST_EXCESS: f64 = 1e-3;
/// How far the tail is extrapolated beyond what so many scores can show, as a power of e, and beyond the greatest, in mean
/// excesses.
const BEYOND: f64 = 1.0;

/// What is promised of ordinary readings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Promise {
    /// This share of them is anomalous, over 0 and at most 0.5.
    Readings(f64),
    /// This share of them begins an alert: anomalous readings in a row. Over 0 and at most 0.5.
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

    /// What it counts.
    pub fn counts(self) -> &'static str {
        if self.counts_readings() { "readings" } else { "alerts" }
    }
}

/// Scores on the scale ln(s / (1 - s)): a quantile of them, and the mean excess over it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tail {
    /// The share of the scores that is over the level.
    pub share: f64,
    /// The quantile.
    pub level: f64,
    /// The mean excess over it, over 0.
    pub excess: f64,
    /// How far the greatest is above the level.
    pub reach: f64,
}

impl Tail {
    /// Of the scores of rows that are like those to come, for a threshold that this share of them is over. None where the
    /// kept scores do not reach down to the level, or there are none.
    pub fn of(scores: &Scores, share: f64) -> Option<Self> {
        let tail = (share * TAIL_TO_SHARE).max(TAIL);
        let (greatest, count) = (scores.seen.scores(), scores.seen.count());
        let over = ((tail * count as f64) as usize).max(1);
        let level = logit(*greatest.get(over)?);
        let excess = greatest[..over].iter().map(|score| logit(*score) - level).sum::<f64>() / over as f64;
        let reach = logit(greatest[0]) - level;
        Some(Self { share: tail, level, excess: excess.max(LEAST_EXCESS), reach })
    }

    /// What a share of the scores is over, on their scale, where `seen` of them have been seen. Readings that are bounded, as most
    /// sensors' are, have scores with an end: the border is not far beyond the greatest.
    pub fn border(&self, share: f64, seen: f64) -> f64 {
        let known = (libm::log(self.share * seen.max(1.0)) + BEYOND).max(1.0);
        let beyond = self.excess * libm::log(self.share / share).min(known);
        self.level + beyond.min(self.reach + BEYOND * self.excess)
    }

    /// Learn from a score. What is over the border counts as the border.
    pub fn follow(&mut self, score: f64, border: f64) {
        const RATE: f64 = 0.01;
        let step = RATE * self.excess;
        if score > self.level {
            let excess = score.min(border) - self.level;
            self.reach = self.reach.max(excess);
            self.excess = (self.excess + 2.0 * RATE * (excess - self.excess)).max(LEAST_EXCESS);
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

/// The score that [`logit`] makes this of.
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
        let border = sigmoid(tail.border(1e-5, 4000.0));
        assert!((0.5..0.52).contains(&border), "{border}: the scores end at 0.5");
        assert!(sigmoid(tail.border(0.01, 4000.0)) < 0.52);
    }
}
