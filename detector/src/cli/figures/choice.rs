//! A goal and instants with scores in, the threshold that meets the goal out.

use std::fmt;
use std::str::FromStr;

use crate::cli::figures::instants::{Evaluated, Instant};
use crate::cli::figures::ranking::Ranking;
use crate::excerpt::{MAX_EXCERPT, excerpt};

/// The goal that a threshold must meet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// At least this share of the anomalous rows is labelled, with as many labelled ones as that allows.
    Precision(f64),
    /// At least this share of the labelled rows is anomalous, and as few other rows as that allows.
    Recall(f64),
    /// At most this many events a day without a verdict within a fault.
    AlertsPerDay(f64),
    /// The highest F1.
    F1,
}

impl FromStr for Goal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || {
            format!(
                "expected precision=0.9, recall=0.9, alertsPerDay=5 or f1, got {:?}",
                excerpt(text, MAX_EXCERPT)
            )
        };
        if text == "f1" {
            return Ok(Self::F1);
        }
        let (name, value) = text.split_once('=').ok_or_else(unknown)?;
        let value: f64 = value.parse().map_err(|_| unknown())?;
        let share = || {
            if value > 0.0 && value <= 1.0 {
                Ok(value)
            } else {
                Err(format!("{name} must be over 0 and at most 1, got {value}"))
            }
        };
        match name {
            "precision" => share().map(Self::Precision),
            "recall" => share().map(Self::Recall),
            "alertsPerDay" if value >= 0.0 && value.is_finite() => Ok(Self::AlertsPerDay(value)),
            "alertsPerDay" => Err(format!("alertsPerDay must be at least 0, got {value}")),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Precision(share) => write!(f, "precision={share}"),
            Self::Recall(share) => write!(f, "recall={share}"),
            Self::AlertsPerDay(alerts) => write!(f, "alertsPerDay={alerts}"),
            Self::F1 => write!(f, "f1"),
        }
    }
}

impl Goal {
    /// Choose the threshold that meets the goal best, as each variant describes. A score over it is
    /// anomalous.
    ///
    /// # Errors
    /// No threshold meets the goal, or it needs the times of the rows and there are none: one sentence.
    pub fn threshold(self, evaluated: &Evaluated) -> Result<f64, String> {
        let scored = evaluated.instants.iter().filter_map(Instant::scored);
        let ranking = Ranking::new(scored.map(|(score, label)| (score, label, 0)));
        let steps = steps(&ranking);
        let labelled = steps.last().map_or(0.0, |step| step.labelled);
        let f1 = |step: &Step| 2.0 * step.labelled / (step.labelled + step.others + labelled);
        let chosen = match self {
            Self::Precision(share) => steps.iter().rev().find(|step| step.precision() >= share),
            Self::Recall(share) => steps.iter().find(|step| step.labelled >= share * labelled),
            Self::F1 => steps.iter().rev().max_by(|a, b| f1(a).total_cmp(&f1(b))),
            Self::AlertsPerDay(alerts) => return self.by_budget(evaluated, &steps, alerts),
        };
        chosen.map(|step| step.threshold).ok_or_else(|| self.unreachable(steps.iter().map(Step::precision)))
    }

    fn unreachable(self, precisions: impl Iterator<Item = f64>) -> String {
        let best = precisions.fold(0.0, f64::max);
        format!("no threshold has {self}: the highest precision of any is {best:.4}")
    }

    /// The lowest threshold by which there are no more events outside of faults than the budget allows.
    fn by_budget(self, evaluated: &Evaluated, steps: &[Step], alerts: f64) -> Result<f64, String> {
        if !evaluated.has_times {
            return Err(format!(
                "{self} needs the times of the rows: expected a column of timestamps, got none"
            ));
        }
        let budget = alerts * evaluated.seconds() / 86_400.0;
        let within = |step: &Step| false_events(&evaluated.instants, step.threshold) as f64 <= budget;
        // The lower the threshold, the more events there are, until neighbouring events merge. The search
        // finds the first threshold, from the highest down, that exceeds the budget.
        let mut low = 0;
        let mut high = steps.len();
        while low < high {
            let middle = usize::midpoint(low, high);
            if within(&steps[middle]) { low = middle + 1 } else { high = middle }
        }
        let highest =
            evaluated.instants.iter().filter_map(Instant::scored).map(|(score, _)| score).fold(0.0, f64::max);
        Ok(low.checked_sub(1).map_or(highest, |step| steps[step].threshold))
    }
}

/// A threshold, and the numbers of labelled and other rows with a score over it.
struct Step {
    threshold: f64,
    labelled: f64,
    others: f64,
}

impl Step {
    fn precision(&self) -> f64 {
        self.labelled / (self.labelled + self.others)
    }
}

/// Every threshold that changes a verdict, the highest first. Each is halfway between a score and the next
/// lower one, so that new scores have room on both sides.
#[expect(clippy::float_cmp, reason = "rows of the very same score are passed together")]
fn steps(ranking: &Ranking) -> Vec<Step> {
    let rows: Vec<(f64, bool)> = ranking.rows().collect();
    let (mut labelled, mut others) = (0.0, 0.0);
    let mut steps: Vec<Step> = Vec::new();
    let mut passed = 0;
    for equal in rows.chunk_by(|a, b| a.0 == b.0) {
        passed += equal.len();
        let of_labelled = equal.iter().filter(|row| row.1).count() as f64;
        labelled += of_labelled;
        others += equal.len() as f64 - of_labelled;
        let lower = rows.get(passed).map_or(0.0, |row| row.0);
        // Two adjacent floating-point numbers have no number between them: then the lower one is the
        // threshold, and the higher one is over it.
        let middle = f64::midpoint(lower, equal[0].0);
        let threshold = if middle < equal[0].0 { middle } else { lower };
        steps.push(Step { threshold, labelled, others });
    }
    steps
}

/// The number of events by this threshold that have no verdict within a fault.
fn false_events(instants: &[Instant], threshold: f64) -> usize {
    let (mut count, mut is_open, mut is_right) = (0, false, false);
    for (score, label) in instants.iter().filter_map(Instant::scored) {
        if score > threshold {
            is_right = label || (is_open && is_right);
            is_open = true;
        } else {
            count += usize::from(is_open && !is_right);
            is_open = false;
        }
    }
    count + usize::from(is_open && !is_right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::figures::spans::tests::series;

    /// Scores in hundredths, and the labels.
    fn scored(scores: &[u8], truth: &str) -> Evaluated {
        let mut found = series(&".".repeat(scores.len()), truth);
        for (instant, score) in found.instants.iter_mut().zip(scores) {
            instant.verdict.as_mut().unwrap().score = f64::from(*score) / 100.0;
        }
        found
    }

    #[test]
    fn a_goal_has_the_threshold_that_finds_most() {
        let rows = scored(&[90, 80, 70, 60, 50, 40], "F.FF..");
        let of = |goal: &str| (goal.parse::<Goal>().unwrap().threshold(&rows).unwrap() * 100.0).round();
        assert_eq!(of("precision=0.75").to_bits(), 55f64.to_bits());
        assert_eq!(of("precision=1").to_bits(), 85f64.to_bits());
        assert_eq!(of("recall=0.6").to_bits(), 65f64.to_bits());
        assert_eq!(of("f1").to_bits(), 55f64.to_bits());
    }

    #[test]
    fn a_budget_counts_events_outside_of_faults() {
        // A reading a second: one event in six readings is 14400 a day.
        let rows = scored(&[90, 30, 80, 30, 70, 30], "F.....");
        let of = |alerts: f64| (Goal::AlertsPerDay(alerts).threshold(&rows).unwrap() * 100.0).round();
        assert_eq!(of(0.0).to_bits(), 85f64.to_bits());
        assert_eq!(of(14_400.0).to_bits(), 75f64.to_bits());
        let untimed = Evaluated { has_times: false, ..rows };
        assert!(Goal::AlertsPerDay(1.0).threshold(&untimed).unwrap_err().contains("needs the times"));
    }

    #[test]
    fn a_goal_that_nothing_keeps_is_refused_with_what_could_be_had() {
        let rows = scored(&[90, 80, 70, 60], ".F.F");
        assert_eq!(
            Goal::Precision(0.9).threshold(&rows).unwrap_err(),
            "no threshold has precision=0.9: the highest precision of any is 0.5000"
        );
    }

    #[test]
    fn goals_are_read_or_refused_in_a_sentence() {
        assert_eq!("alertsPerDay=5".parse(), Ok(Goal::AlertsPerDay(5.0)));
        assert_eq!(
            "precision=1.5".parse::<Goal>(),
            Err("precision must be over 0 and at most 1, got 1.5".to_owned())
        );
        assert_eq!(
            "alertsPerDay=-1".parse::<Goal>(),
            Err("alertsPerDay must be at least 0, got -1".to_owned())
        );
        assert!("luck".parse::<Goal>().unwrap_err().starts_with("expected precision=0.9"));
    }
}
