//! Judged instants in; the figures out, over blocks of consecutive instants that each have a weight.

use serde::Serialize;

use crate::cli::figures::instants::{Evaluated, Instant, Promised};
use crate::cli::figures::nab;
use crate::cli::figures::ranking::Ranking;
use crate::cli::figures::spans::{self, Event, Fault};

const SECONDS_A_DAY: f64 = 86_400.0;
/// The number of figures.
pub const COUNT: usize = 13;

/// The names of each figure: in JSON, and in the table.
pub const NAMES: [(&str, &str); COUNT] = [
    ("auc", "AUC (ROC)"),
    ("averagePrecision", "average precision"),
    ("precision", "precision, rows"),
    ("recall", "recall, rows"),
    ("f1", "F1, rows"),
    ("eventPrecision", "precision, events"),
    ("eventRecall", "recall, events"),
    ("eventDelay", "delay, events"),
    ("alarmPrecision", "precision, alarms"),
    ("alarmRecall", "recall, alarms"),
    ("alarmDelay", "delay, alarms"),
    ("alertRateRatio", "realised / promised"),
    ("nab", "NAB score"),
];

/// Whether the figure at this index of [`NAMES`] is a delay.
pub fn is_delay(figure: usize) -> bool {
    NAMES[figure].0.ends_with("Delay")
}

/// One value for each figure, in the order of [`NAMES`]; `None` where the figure is not defined (0 of 0).
pub type Figures = [Option<f64>; COUNT];

/// The numbers of rows, faults, events and alarms that the figures are computed from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Instants, or rows.
    pub rows: usize,
    /// Rows with a verdict.
    pub verdicts: usize,
    /// Rows that are labelled anomalous.
    pub labelled: usize,
    /// Rows with a score over the threshold.
    pub anomalous: usize,
    /// Labelled spans.
    pub faults: usize,
    /// Events: anomalous verdicts in a row.
    pub events: usize,
    /// Events that raised an alarm.
    pub alarms: usize,
}

/// The sums that the figures are computed from, for each block of consecutive instants.
pub struct Blocks {
    ranking: Ranking,
    sums: Vec<Sums>,
    promised: Option<Promised>,
    /// The block and the delay in seconds of each fault that was found, the shortest delay first.
    found: Vec<(u32, f64)>,
    alarmed: Vec<(u32, f64)>,
    /// The counts over all blocks.
    pub counts: Counts,
}

/// The sums of a block. A fault counts in the block in which it begins, an event and its alarm in the block
/// in which the event begins.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    true_positives: f64,
    false_positives: f64,
    false_negatives: f64,
    ordinary: f64,
    days: f64,
    faults: f64,
    found: f64,
    alarmed: f64,
    events: f64,
    right_events: f64,
    alarms: f64,
    right_alarms: f64,
    windows: f64,
    nab: f64,
}

impl Blocks {
    /// Split the instants into blocks of `length`, and compute the sums of each.
    pub fn new(evaluated: &Evaluated, length: usize) -> Self {
        let instants = &evaluated.instants;
        let (faults, events) = (spans::faults(evaluated), spans::events(instants));
        let block = |at: usize| at / length.max(1);
        let mut sums = vec![Sums::default(); instants.len().div_ceil(length.max(1))];
        let days_each = evaluated.seconds() / SECONDS_A_DAY / (instants.len().max(1) as f64);
        for (at, instant) in instants.iter().enumerate() {
            sums[block(at)].row(instant, days_each);
        }
        for fault in &faults {
            sums[block(fault.instants.0)].fault(fault);
        }
        for event in &events {
            sums[block(event.instants.0)].event(event);
        }
        let windows = windows(instants);
        for window in &windows {
            sums[block(window.0)].windows += 1.0;
        }
        let detections: Vec<usize> = events.iter().filter_map(|event| event.alarm).collect();
        for (at, points) in nab::points(&windows, &detections) {
            sums[block(at)].nab += points;
        }
        let scored = |(at, instant): (usize, &Instant)| {
            instant.scored().map(|(score, label)| (score, label, block(at) as u32))
        };
        let delays = |of: fn(&Fault) -> Option<f64>| {
            let each = faults.iter().filter_map(|fault| Some((block(fault.instants.0) as u32, of(fault)?)));
            let mut each: Vec<(u32, f64)> = each.collect();
            each.sort_by(|a, b| a.1.total_cmp(&b.1));
            each
        };
        Self {
            ranking: Ranking::new(instants.iter().enumerate().filter_map(scored)),
            promised: evaluated.promised,
            found: delays(|fault| fault.found_after),
            alarmed: delays(|fault| fault.alarmed_after),
            counts: Counts::of(instants, &faults, &events),
            sums,
        }
    }

    /// How many blocks there are.
    pub fn len(&self) -> usize {
        self.sums.len()
    }

    /// Whether there are no blocks.
    pub fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }

    /// The figures, where each block counts as many times as its weight.
    pub fn figures(&self, weights: &[f64]) -> Figures {
        let sum = |of: fn(&Sums) -> f64| -> f64 {
            self.sums.iter().zip(weights).map(|(sums, weight)| of(sums) * weight).sum()
        };
        let share = |part: fn(&Sums) -> f64, all: fn(&Sums) -> f64| ratio(sum(part), sum(all));
        let separation = self.ranking.separation(weights);
        [
            separation.map(|separation| separation.auc),
            separation.map(|separation| separation.average_precision),
            share(|b| b.true_positives, |b| b.true_positives + b.false_positives),
            share(|b| b.true_positives, |b| b.true_positives + b.false_negatives),
            share(
                |b| 2.0 * b.true_positives,
                |b| 2.0 * b.true_positives + b.false_positives + b.false_negatives,
            ),
            share(|b| b.right_events, |b| b.events),
            share(|b| b.found, |b| b.faults),
            median(&self.found, weights),
            share(|b| b.right_alarms, |b| b.alarms),
            share(|b| b.alarmed, |b| b.faults),
            median(&self.alarmed, weights),
            self.promised.and_then(|promised| match promised {
                Promised::EventsPerDay(each) => {
                    ratio(sum(|b| b.events - b.right_events), sum(|b| b.days) * each)
                }
                Promised::Share(each) => ratio(sum(|b| b.false_positives), sum(|b| b.ordinary) * each),
            }),
            ratio(100.0 * sum(|b| b.nab), nab::MAX_POINTS * sum(|b| b.windows)),
        ]
    }
}

impl Sums {
    fn row(&mut self, instant: &Instant, days: f64) {
        let Some(verdict) = instant.verdict else { return };
        let one = |is: bool| f64::from(u8::from(is));
        let label = instant.is_labelled();
        self.true_positives += one(verdict.anomalous && label);
        self.false_positives += one(verdict.anomalous && !label);
        self.false_negatives += one(!verdict.anomalous && label);
        self.ordinary += one(!label);
        self.days += if label { 0.0 } else { days };
    }

    fn fault(&mut self, fault: &Fault) {
        self.faults += 1.0;
        self.found += f64::from(u8::from(fault.found_after.is_some()));
        self.alarmed += f64::from(u8::from(fault.alarmed_after.is_some()));
    }

    fn event(&mut self, event: &Event) {
        let (right, alarm) =
            (f64::from(u8::from(event.is_right)), f64::from(u8::from(event.alarm.is_some())));
        self.events += 1.0;
        self.right_events += right;
        self.alarms += alarm;
        self.right_alarms += right * alarm;
    }
}

impl Counts {
    fn of(instants: &[Instant], faults: &[Fault], events: &[Event]) -> Self {
        let count = |is: fn(&Instant) -> bool| instants.iter().filter(|instant| is(instant)).count();
        Self {
            rows: instants.len(),
            verdicts: count(|instant| instant.verdict.is_some()),
            labelled: count(Instant::is_labelled),
            anomalous: count(|instant| instant.verdict.is_some_and(|verdict| verdict.anomalous)),
            faults: faults.len(),
            events: events.len(),
            alarms: events.iter().filter(|event| event.alarm.is_some()).count(),
        }
    }
}

/// The windows: runs of labelled instants, as (first index, last index).
fn windows(instants: &[Instant]) -> Vec<(usize, usize)> {
    let mut windows: Vec<(usize, usize)> = Vec::new();
    for (at, _) in instants.iter().enumerate().filter(|(_, instant)| instant.is_labelled()) {
        match windows.last_mut() {
            Some(last) if last.1 + 1 == at => last.1 = at,
            _ => windows.push((at, at)),
        }
    }
    windows
}

/// The ratio `part / all`; `None` where `all` is 0.
fn ratio(part: f64, all: f64) -> Option<f64> {
    (all > 0.0).then(|| part / all)
}

/// The median of ascending values, each with the weight of its block; `None` without any weight.
fn median(rising: &[(u32, f64)], weights: &[f64]) -> Option<f64> {
    let total: f64 = rising.iter().map(|(block, _)| weights[*block as usize]).sum();
    let mut below = 0.0;
    rising.iter().find_map(|(block, value)| {
        below += weights[*block as usize];
        (total > 0.0 && below * 2.0 >= total).then_some(*value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::figures::spans::tests::series;

    fn figure(figures: &Figures, name: &str) -> Option<f64> {
        figures[NAMES.iter().position(|each| each.0 == name).unwrap()]
    }

    fn all(verdicts: &str, truth: &str, promised: Option<Promised>) -> Figures {
        let blocks = Blocks::new(&Evaluated { promised, ..series(verdicts, truth) }, 4);
        blocks.figures(&vec![1.0; blocks.len()])
    }

    #[test]
    fn figures_are_counted_by_row_event_and_alarm() {
        //                  two faults, one found with an alarm; two events, one right
        let figures = all("..x!..xx...?....", "..FFF.......FF..", None);
        let of = |name| figure(&figures, name);
        assert_eq!(of("precision"), Some(0.5));
        assert_eq!(of("recall"), Some(0.4));
        assert!((of("f1").unwrap() - 4.0 / 9.0).abs() < 1e-12);
        assert_eq!((of("eventPrecision"), of("eventRecall")), (Some(0.5), Some(0.5)));
        assert_eq!((of("alarmPrecision"), of("alarmRecall")), (Some(1.0), Some(0.5)));
        assert_eq!((of("eventDelay"), of("alarmDelay")), (Some(0.0), Some(1.0)));
        assert_eq!(of("alertRateRatio"), None, "nothing was promised");
    }

    #[test]
    fn what_was_promised_is_of_ordinary_readings() {
        // 10 ordinary readings, a second each; one event outside of faults.
        let per_day = Promised::EventsPerDay(86_400.0 / 20.0);
        let figures = all("..x..x......", "..FF........", Some(per_day));
        assert!((figure(&figures, "alertRateRatio").unwrap() - 2.0).abs() < 1e-9);
        let figures = all("..x..x......", "..FF........", Some(Promised::Share(0.05)));
        assert!((figure(&figures, "alertRateRatio").unwrap() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_block_that_weighs_nothing_does_not_count() {
        let blocks = Blocks::new(&series("x!..x!..", "FF......"), 4);
        assert_eq!(blocks.len(), 2);
        assert_eq!(figure(&blocks.figures(&[1.0, 0.0]), "eventPrecision"), Some(1.0));
        assert_eq!(figure(&blocks.figures(&[1.0, 1.0]), "eventPrecision"), Some(0.5));
        assert_eq!(figure(&blocks.figures(&[0.0, 2.0]), "eventRecall"), None);
    }

    #[test]
    fn the_median_of_an_even_number_is_the_lower_of_the_two() {
        assert_eq!(median(&[(0, 1.0), (0, 2.0)], &[1.0]), Some(1.0));
        assert_eq!(median(&[(0, 1.0), (1, 2.0)], &[1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[], &[1.0]), None);
    }
}
