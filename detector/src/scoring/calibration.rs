//! Scores in, one after another; the threshold for the next one out, such that the promised alarm rate holds.
//!
//! It has two parts. The *tail* of recent scores is a quantile of them by stochastic approximation (Robbins
//! and Monro, 1951), and the mean excess over it. Beyond the quantile the tail is exponential, as peaks over
//! a high threshold are (Pickands, 1975), so the threshold for any small share follows: SPOT (Siffer et al.,
//! KDD 2017) with a shape of 0, recursive. The *balance* is the difference between realised and promised
//! alarms. While it is overdrawn, the threshold rises with each further alarm and falls with each reading, in
//! the proportion of the promise: adaptive conformal inference (Gibbs and Candès, NeurIPS 2021), which
//! assumes no distribution. The balance holds the promise of one time scale, so that an event is not cut
//! short at once. In n time scales there are at most n + 1 times as many alarms as are promised for one, and
//! one for each step that the threshold still has to rise.

use forest::artifact::Scores;
use serde::{Deserialize, Serialize};

use crate::model::tail::{Promise, Tail, logit, sigmoid};

/// The rise of the threshold for an alarm over the promise, in mean excesses.
const STEP: f64 = 0.5;
/// The share of a time scale that an event may last before its readings count as usual, if alerts are
/// promised.
const MAX_EVENT_SHARE: f64 = 1.0 / 12.0;

/// The threshold that follows the scores: a pure function of them, which is stored in the snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Calibration {
    promise: Promise,
    /// The time scale, in readings.
    readings: f64,
    tail: Tail,
    /// The distance of the threshold above the one that the tail gives, in mean excesses.
    shift: f64,
    /// The realised alarms less the promised ones: at least minus the promise for a time scale, at most 1.
    balance: f64,
    /// The number of consecutive anomalous readings up to now.
    run: u64,
    /// The number of scores so far, including those of the training.
    seen: f64,
    /// The promised and the realised alarms since the beginning.
    totals: Totals,
}

/// Promised and realised numbers of what the promise counts: anomalous readings or alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// The number promised for the readings so far.
    pub promised: f64,
    /// The number realised.
    pub realised: f64,
    /// The number of readings.
    pub readings: u64,
}

impl Calibration {
    /// Create a calibration after a training with these scores, with a time scale of `readings` readings.
    /// `None` if there are too few scores.
    pub fn new(promise: Promise, scores: &Scores, samples: usize, readings: f64) -> Option<Self> {
        let tail = Tail::of(scores, promise.share())?;
        let (balance, seen) = (-promise.share() * readings, samples as f64);
        Some(Self { promise, readings, tail, shift: 0.0, balance, run: 0, seen, totals: Totals::default() })
    }

    /// The calibration after another model takes over, whose own is `next`: the tail of `next`, with the
    /// shift, balance and totals so far. If the promises count different things, it is `next`.
    #[must_use]
    pub fn carried_over(&self, next: Self) -> Self {
        if self.promise.counts() != next.promise.counts() {
            return next;
        }
        let balance = self.balance.max(next.balance);
        Self { shift: self.shift, balance, run: self.run, totals: self.totals, ..next }
    }

    /// The threshold: a higher score is anomalous. Over 0, under 1.
    pub fn threshold(&self) -> f64 {
        sigmoid(self.logit_threshold())
    }

    /// The distance of the threshold above the one that the tail gives, in mean excesses.
    pub fn shift(&self) -> f64 {
        self.shift
    }

    /// The promised and the realised alarms.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Whether it has the same promise and time scale as `other`, and valid numbers.
    pub fn is_like(&self, other: &Self) -> bool {
        let same = self.promise == other.promise && self.readings.to_bits() == other.readings.to_bits();
        same && self.logit_threshold().is_finite() && self.balance.is_finite() && self.tail.excess > 0.0
    }

    fn logit_threshold(&self) -> f64 {
        let quantile = self.tail.quantile(self.promise.share(), self.seen);
        (quantile + self.tail.excess * self.shift).max(self.tail.level)
    }

    /// Update the calibration with the next score.
    pub fn follow(&mut self, score: f64) {
        let (score, threshold) = (logit(score), self.logit_threshold());
        let over = score > threshold;
        self.run = if over { self.run + 1 } else { 0 };
        let counted = over && (self.promise.counts_readings() || self.run == 1);
        let share = self.promise.share();
        let owed = f64::from(u8::from(counted)) - share;
        self.settle(owed, threshold);
        if !(over && self.is_event()) {
            self.tail.follow(score, threshold);
        }
        self.seen += 1.0;
        self.totals.promised += share;
        self.totals.realised += f64::from(u8::from(counted));
        self.totals.readings += 1;
    }

    /// Update the balance. If it is overdrawn, or nothing was drawn for a time scale, move the threshold.
    fn settle(&mut self, owed: f64, threshold: f64) {
        let credit = -self.promise.share() * self.readings;
        self.balance += owed;
        if self.balance > 0.0 {
            self.shift += STEP * owed;
            self.balance = self.balance.min(1.0);
        } else if self.balance < credit {
            self.balance = credit;
            if threshold > self.tail.level {
                self.shift += STEP * owed;
            }
        }
    }

    /// Whether an anomalous reading belongs to an event, which is not learned from: as long as the balance
    /// covers it (if readings are promised), or as long as it is short (if alerts are promised).
    fn is_event(&self) -> bool {
        if self.promise.counts_readings() {
            self.balance < 0.0
        } else {
            self.run as f64 <= (self.readings * MAX_EVENT_SHARE).max(1.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use forest::artifact::Greatest;

    use super::*;

    /// After 4000 training scores between 0.3 and 0.5.
    fn calibration(promise: Promise, readings: f64) -> Calibration {
        let scores: Vec<f64> = (0..4000).map(|i| 0.3 + 0.2 * usual(i)).collect();
        let scores =
            Scores { seen: Greatest::of(&scores), unseen: Greatest::of(&[]), seconds_apart: Some(1.0) };
        Calibration::new(promise, &scores, 4000, readings).unwrap()
    }

    /// Numbers in [0, 1) in no order: Weyl's sequence.
    fn usual(i: u32) -> f64 {
        (f64::from(i) * 0.618_033_988_749_895).fract()
    }

    #[test]
    fn the_promise_holds_when_all_scores_become_higher_for_good() {
        for (share, steps) in [(0.01, 20_000), (0.001, 100_000)] {
            let mut calibration = calibration(Promise::Readings(share), 1000.0);
            (0..steps).for_each(|i| calibration.follow(0.6 + 0.3 * usual(i)));
            let Totals { promised, realised, .. } = calibration.totals();
            // What is promised for one time scale more, and a few for the way up.
            assert!(realised <= promised + 1000.0 * share + 20.0, "{share}: {realised} of {promised}");
            assert!(realised >= 0.5 * promised, "{share}: {realised} of {promised}");
        }
    }

    #[test]
    fn an_event_that_the_promise_pays_for_does_not_move_the_threshold() {
        let mut calibration = calibration(Promise::Readings(0.1), 1000.0);
        let before = calibration.threshold();
        (0..90).for_each(|_| calibration.follow(0.9));
        assert!((calibration.threshold() - before).abs() < 0.01, "{before} {}", calibration.threshold());
        (0..200).for_each(|_| calibration.follow(0.9));
        assert!(calibration.threshold() > 0.9, "what lasts is no event: {}", calibration.threshold());
    }

    #[test]
    fn of_an_alert_only_the_first_reading_counts() {
        let mut calibration = calibration(Promise::Alerts(0.001), 3600.0);
        (0..100).for_each(|_| calibration.follow(0.99));
        assert!((calibration.totals().realised - 1.0).abs() < 1e-9);
    }

    #[test]
    fn another_model_keeps_what_was_learned_of_the_promise() {
        let mut before = calibration(Promise::Readings(0.001), 100.0);
        (0..50).for_each(|_| before.follow(0.99));
        let after = before.carried_over(calibration(Promise::Readings(0.001), 100.0));
        assert!(after.shift() > 0.0 && after.totals() == before.totals());
        let other = before.carried_over(calibration(Promise::Alerts(0.001), 100.0));
        assert_eq!(other, calibration(Promise::Alerts(0.001), 100.0));
    }

    proptest::proptest! {
        #[test]
        fn the_threshold_is_a_score_whatever_comes(scores in proptest::collection::vec(0.0..=1.0f64, 1..300), share in 1e-6..=0.5f64) {
            for promise in [Promise::Readings(share), Promise::Alerts(share)] {
                let mut calibration = calibration(promise, 50.0);
                for score in &scores {
                    calibration.follow(*score);
                    let threshold = calibration.threshold();
                    proptest::prop_assert!(threshold > 0.0 && threshold <= 1.0, "{}", threshold);
                }
            }
        }
    }
}
