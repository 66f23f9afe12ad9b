//! The scores of the training readings in; the threshold and the alerts per day to expect from it out.

use crd::valid::ThresholdRule;
use forest::artifact::{Greatest, Scores};
use forest::threshold::{self, ThresholdError};

use crate::model::tail::{Promise, Tail, sigmoid};

/// The scores that a threshold is chosen from.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingScores {
    /// The score of each training vector. Contamination is a share of these, as in scikit-learn.
    pub seen: Vec<f64>,
    /// The score of each training vector in the trees that were grown without it, which is what a new reading
    /// of the kind would score. Empty if every tree has learned from all vectors.
    pub unseen: Vec<f64>,
    /// The mean time from one vector to the next, in seconds, over 0; `None` if the vectors have no times.
    pub seconds_apart: Option<f64>,
}

/// The threshold that the spec asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// A score over this is an anomaly.
    pub score: f64,
    /// The number of verdicts per day on ordinary readings that are over it, as estimated from the training
    /// readings; `None` if there is no estimate.
    pub expected_alerts_per_day: Option<f64>,
}

const SECONDS_A_DAY: f64 = 86_400.0;

impl TrainingScores {
    /// The scores of the samples that an ensemble was trained on, and the mean time between them.
    pub fn new(scores: forest::TrainingScores, seconds_apart: Option<f64>) -> Self {
        Self { seen: scores.in_all, unseen: scores.out_of_bag, seconds_apart }
    }

    /// Add the scores of training vectors that the forest was not grown from.
    pub fn add_unseen(&mut self, scores: &[f64]) {
        self.seen.extend(scores);
        // If every tree has learned from every other row, these would be a sample of anomalous rows only.
        if !self.unseen.is_empty() {
            self.unseen.extend(scores);
        }
    }

    /// As [`add_unseen`](Self::add_unseen), but after a renewal: only the last `new` of the vectors are newer
    /// than the readings that the older trees have learned from.
    pub fn add_unseen_lately(&mut self, scores: &[f64], new: usize) {
        self.seen.extend(scores);
        self.unseen.extend(&scores[scores.len() - new..]);
    }

    /// Add unseen scores for the older readings after a renewal, when only the newest readings are unseen by
    /// all trees. They are the serving model's scores of its readings when these were new: as many as there
    /// are older readings, drawn evenly, and others for each renewal.
    pub fn carry_over(&mut self, before: Option<&Greatest>, renewal: u64) {
        const GOLDEN_RATIO: f64 = 0.618_033_988_749_894_9;
        let Some(before) = before.and_then(filled) else { return };
        let count = before.len().min(self.seen.len().saturating_sub(self.unseen.len()));
        let start = (renewal as f64 * GOLDEN_RATIO).fract();
        let step = before.len() as f64 / count.max(1) as f64;
        let place = |at: usize| (((at as f64 + start) * step) as usize).min(before.len() - 1);
        self.unseen.extend((0..count).map(|at| before[place(at)]));
    }

    /// The scores that an artifact keeps.
    pub fn kept(&self) -> Scores {
        Scores {
            seen: Greatest::of(&self.seen),
            unseen: Greatest::of(&self.unseen),
            seconds_apart: self.seconds_apart,
        }
    }

    /// Choose the threshold by a setting; `None` if it is alerts per day and the times are not known.
    ///
    /// # Errors
    /// There are no scores to choose from.
    pub fn threshold(&self, by: ThresholdRule) -> Result<Option<Threshold>, ThresholdError> {
        let verdicts_a_day = self.seconds_apart.map(|seconds| SECONDS_A_DAY / seconds);
        let score = match by {
            ThresholdRule::Score(score) => score,
            ThresholdRule::Contamination(share) => threshold::contamination(&self.seen, share)?,
            ThresholdRule::AlertsPerDay { alerts, max_share } => {
                let Some(verdicts_a_day) = verdicts_a_day else { return Ok(None) };
                let scores = if self.unseen.is_empty() { &self.seen } else { &self.unseen };
                threshold::conformal(scores, (alerts / verdicts_a_day).min(max_share))?
            }
        };
        let exceedance = (!self.unseen.is_empty()).then(|| threshold::exceedance(&self.unseen, score));
        let expected = exceedance.zip(verdicts_a_day).map(|(share, verdicts)| share * verdicts);
        Ok(Some(Threshold { score, expected_alerts_per_day: expected }))
    }
}

/// The first threshold of a model whose threshold follows the scores, chosen by `by`. `kept` are scores of
/// rows as they may come, and `samples` is the number of samples that were learned from. The expected alerts
/// are the promised ones. `None` if too few scores or no times are kept.
///
/// # Errors
/// There are no scores to choose from.
pub fn initial(
    kept: &Scores,
    by: ThresholdRule,
    samples: usize,
) -> Result<Option<Threshold>, ThresholdError> {
    let Some(seconds_apart) = kept.seconds_apart else { return Ok(None) };
    let Some(promise) = promise(by, seconds_apart) else {
        let scores =
            TrainingScores { seen: Vec::new(), unseen: Vec::new(), seconds_apart: kept.seconds_apart };
        return scores.threshold(by);
    };
    let share = promise.share();
    let threshold = |tail: Tail| Threshold {
        score: sigmoid(tail.quantile(share, samples as f64)),
        expected_alerts_per_day: Some(share * SECONDS_A_DAY / seconds_apart),
    };
    Ok(Tail::of(kept, share).map(threshold))
}

/// The promise of a threshold that is chosen by `by`, for ordinary readings `seconds_apart` seconds apart;
/// `None` for a fixed score, which promises nothing.
pub fn promise(by: ThresholdRule, seconds_apart: f64) -> Option<Promise> {
    match by {
        ThresholdRule::Score(_) => None,
        ThresholdRule::Contamination(share) => Some(Promise::Readings(share)),
        ThresholdRule::AlertsPerDay { alerts, max_share } => {
            Some(Promise::Alerts((alerts * seconds_apart / SECONDS_A_DAY).min(max_share)))
        }
    }
}

/// Choose another threshold from the scores that an artifact keeps: exactly the one that all scores would
/// give. `None` if the others are needed, because the threshold is not among the greatest scores.
///
/// # Errors
/// There are no scores to choose from.
pub fn rethreshold(kept: &Scores, by: ThresholdRule) -> Result<Option<Threshold>, ThresholdError> {
    let (Some(seen), Some(unseen)) = (filled(&kept.seen), filled(&kept.unseen)) else { return Ok(None) };
    let scores = TrainingScores { seen, unseen, seconds_apart: kept.seconds_apart };
    let Some(threshold) = scores.threshold(by)? else { return Ok(None) };
    let known = |greatest: &Greatest| {
        greatest.is_whole() || greatest.scores().last().is_some_and(|least| threshold.score > *least)
    };
    Ok((known(&kept.seen) && known(&kept.unseen)).then_some(threshold))
}

/// All scores, as many as there were. The unknown ones are at most the least of the kept scores, which
/// replaces them: no threshold above it depends on them.
fn filled(greatest: &Greatest) -> Option<Vec<f64>> {
    const MAX: u64 = 1 << 24;
    let count = usize::try_from(Some(greatest.count()).filter(|count| *count <= MAX)?).ok()?;
    let mut scores = greatest.scores().to_vec();
    scores.resize(count, scores.last().copied().unwrap_or(1.0));
    Some(scores)
}

/// A sentence for the user if the threshold is chosen by alerts per day and the samples are too few to keep
/// that promise.
pub fn shortfall(by: ThresholdRule, expected_alerts_per_day: Option<f64>, samples: usize) -> Option<String> {
    let ThresholdRule::AlertsPerDay { alerts: promised, .. } = by else { return None };
    match expected_alerts_per_day {
        None => Some(format!(
            "threshold.alertsPerDay {promised} cannot be promised: every tree was trained on all {samples} samples, so none is left to measure the rate on; train on more samples than sampleSize"
        )),
        Some(expected) if expected > promised * (1.0 + 1e-9) => {
            let needed = (expected * (samples + 1) as f64 / promised).ceil() - 1.0;
            Some(format!(
                "threshold.alertsPerDay {promised} cannot be promised: {samples} samples show only that there are at most {expected:.1} a day; train on {needed:.0} samples or more"
            ))
        }
        Some(_) => None,
    }
}

/// A sentence for the user if the threshold is chosen by contamination and no sample is called anomalous.
/// `seen` are the greatest scores of the samples.
pub fn silence(by: ThresholdRule, threshold: f64, seen: &[f64]) -> Option<String> {
    let ThresholdRule::Contamination(share) = by else { return None };
    seen.iter().all(|score| *score <= threshold).then(|| {
        format!(
            "threshold.contamination {share} finds no sample anomalous, since more of them than that have the highest score: a reading must score higher than all of them"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A verdict a minute, 1440 a day; the scores are 0.001, 0.002 and so on.
    fn scores(count: u32) -> TrainingScores {
        let scores: Vec<f64> = (1..=count).map(|i| f64::from(i) / 1000.0).collect();
        TrainingScores { seen: scores.clone(), unseen: scores, seconds_apart: Some(60.0) }
    }

    #[test]
    fn alerts_a_day_are_a_share_of_the_verdicts_a_day() {
        // 10 of 1440 verdicts, with 999 scores: the 6th greatest, which lets 6 of 1000 pass.
        let threshold = scores(999).threshold(ThresholdRule::alerts_per_day(10.0)).unwrap().unwrap();
        assert_eq!(threshold.score.to_bits(), 0.994f64.to_bits());
        assert!((threshold.expected_alerts_per_day.unwrap() - 8.64).abs() < 1e-9);
        assert_eq!(
            shortfall(ThresholdRule::alerts_per_day(10.0), threshold.expected_alerts_per_day, 999),
            None
        );
    }

    #[test]
    fn every_choice_of_threshold_says_what_to_expect() {
        let expected = |by| scores(999).threshold(by).unwrap().unwrap().expected_alerts_per_day.unwrap();
        assert!((expected(ThresholdRule::Score(0.5)) - 720.0).abs() < 1e-9);
        assert!((expected(ThresholdRule::Contamination(0.01)) - 15.84).abs() < 1e-9);
    }

    #[test]
    fn by_default_a_few_alerts_a_day_are_promised_and_few_of_the_readings() {
        assert_eq!(promise(ThresholdRule::DEFAULT, 1.0), Some(Promise::Alerts(5.0 / SECONDS_A_DAY)));
        assert_eq!(
            promise(ThresholdRule::DEFAULT, SECONDS_A_DAY),
            Some(Promise::Alerts(0.01)),
            "daily readings"
        );
    }

    #[test]
    fn a_promise_that_the_samples_cannot_keep_is_not_made() {
        let threshold = scores(99).threshold(ThresholdRule::alerts_per_day(2.0)).unwrap().unwrap();
        assert_eq!(threshold.score.to_bits(), 0.099f64.to_bits());
        assert_eq!(
            shortfall(ThresholdRule::alerts_per_day(2.0), threshold.expected_alerts_per_day, 99).unwrap(),
            "threshold.alertsPerDay 2 cannot be promised: 99 samples show only that there are at most 14.4 a day; train on 719 samples or more"
        );
        assert_eq!(
            shortfall(ThresholdRule::Contamination(0.01), threshold.expected_alerts_per_day, 99),
            None
        );
    }

    #[test]
    fn samples_that_are_alike_may_leave_none_to_be_over_the_threshold() {
        let scores = |rare: usize| [vec![0.4; 100 - rare], vec![0.7; rare]].concat();
        let silent = |rare, by| {
            let scores = TrainingScores { seen: scores(rare), unseen: Vec::new(), seconds_apart: Some(60.0) };
            silence(by, scores.threshold(by).unwrap().unwrap().score, &scores.seen)
        };
        assert!(
            silent(10, ThresholdRule::Contamination(0.05))
                .unwrap()
                .starts_with("threshold.contamination 0.05 finds no")
        );
        assert_eq!(silent(3, ThresholdRule::Contamination(0.05)), None);
        assert_eq!(silent(10, ThresholdRule::Score(0.9)), None, "a person who says where is believed");
    }

    #[test]
    fn rows_that_all_trees_have_learned_from_promise_nothing() {
        let scores = TrainingScores { unseen: Vec::new(), ..scores(99) };
        let threshold = scores.threshold(ThresholdRule::alerts_per_day(2.0)).unwrap().unwrap();
        assert_eq!(threshold, Threshold { score: 0.099, expected_alerts_per_day: None });
        assert!(shortfall(ThresholdRule::alerts_per_day(2.0), None, 99).unwrap().contains("all 99 samples"));
    }

    #[test]
    fn without_times_alerts_per_day_have_no_threshold() {
        let scores = TrainingScores { seconds_apart: None, ..scores(999) };
        assert_eq!(scores.threshold(ThresholdRule::alerts_per_day(10.0)).unwrap(), None);
        let threshold = scores.threshold(ThresholdRule::Contamination(0.01)).unwrap().unwrap();
        assert_eq!(threshold.expected_alerts_per_day, None);
        assert_eq!(rethreshold(&scores.kept(), ThresholdRule::alerts_per_day(10.0)).unwrap(), None);
    }
}
