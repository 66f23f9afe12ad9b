//! Verdicts, and the faults where a source knows them, in; counts, precision and recall out.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use crd::contract::EventOutcome;
use crd::simulated::FaultType;
use jiff::Timestamp;

use crate::alerting::event::Change;
use crate::ingest::reading::ActiveFault;
use crate::scoring::scorer::Outcome;
use crate::scoring::verdict::{AlarmState, Verdict};

/// The counts of a run so far: readings, verdicts, events and alarms, and the faults that they found.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    readings: u64,
    verdicts: u64,
    anomalies: u64,
    missing: u64,
    /// Alarms that were raised, and events that ended without one.
    alarms: u64,
    without_alarm: u64,
    /// Ended events that had raised an alarm, and those of them with an anomalous verdict within a fault.
    ended_alarms: u64,
    true_alarms: u64,
    true_anomalies: u64,
    /// The time of the newest anomalous verdict within a fault.
    last_true_anomaly: Option<Timestamp>,
    judged_by_truth: bool,
    faults: HashMap<ActiveFault, Found>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

/// Whether a fault was found, and whether it had an alarm.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    /// At least one verdict within the fault was anomalous.
    anomalous: bool,
    /// At least one verdict within the fault belonged to an event that had raised its alarm.
    alarmed: bool,
}

impl Evaluation {
    /// Count one instant. `truth`: the faults that were active, `None` where the source does not know them. A
    /// fault counts from the first instant at which it was active, whether or not there was a verdict.
    pub fn count(&mut self, time: Timestamp, truth: Option<&[ActiveFault]>, outcome: &Outcome) {
        self.readings += 1;
        self.first = self.first.or(Some(time));
        self.last = Some(time);
        self.judged_by_truth |= truth.is_some();
        let (mut anomalous, mut alarmed) = (false, false);
        if let Outcome::Verdict(verdict) = outcome {
            anomalous = verdict.judgement.anomalous;
            alarmed = matches!(verdict.alarm_state, AlarmState::Alarm | AlarmState::Ongoing);
        }
        for fault in truth.unwrap_or_default() {
            let found = self.faults.entry(*fault).or_default();
            found.anomalous |= anomalous;
            found.alarmed |= alarmed;
        }
        match outcome {
            Outcome::Verdict(verdict) => self.verdict(verdict),
            Outcome::Missing | Outcome::InvalidValue(_) => self.missing += 1,
            Outcome::TooEarly => {}
        }
    }

    fn verdict(&mut self, verdict: &Verdict) {
        self.verdicts += 1;
        if verdict.judgement.anomalous {
            self.anomalies += 1;
            if verdict.truth.as_ref().is_some_and(|faults| !faults.is_empty()) {
                self.true_anomalies += 1;
                self.last_true_anomaly = Some(verdict.time);
            }
        }
    }

    /// Count an alarm that was raised, or an event that ended.
    pub fn event(&mut self, change: &Change) {
        match change {
            Change::Alarmed(_) => self.alarms += 1,
            Change::Ended(event) if event.outcome == EventOutcome::Alarmed => {
                self.ended_alarms += 1;
                self.true_alarms += u64::from(self.last_true_anomaly.is_some_and(|time| time >= event.start));
            }
            Change::Ended(_) => self.without_alarm += 1,
        }
    }

    /// The number of alarms that were raised.
    pub fn alarms(&self) -> u64 {
        self.alarms
    }

    /// The number of events: those that raised an alarm, and those that ended without one.
    pub fn events(&self) -> u64 {
        self.alarms + self.without_alarm
    }

    /// The number of instants that were counted.
    pub fn readings(&self) -> u64 {
        self.readings
    }

    /// The share of faults, counted by event, during which at least one verdict was anomalous. None without a fault.
    pub fn event_recall(&self) -> Option<f64> {
        share(self.faults.values().filter(|found| found.anomalous).count(), self.faults.len())
    }

    /// The share of faults during which an alarm was raised or went on. None without a fault.
    pub fn alarm_recall(&self) -> Option<f64> {
        share(self.faults.values().filter(|found| found.alarmed).count(), self.faults.len())
    }

    /// The share of anomalous verdicts that fell into a fault. None without an anomalous verdict, or where the source
    /// does not know its faults.
    pub fn precision(&self) -> Option<f64> {
        self.judged_by_truth.then(|| share(self.true_anomalies as usize, self.anomalies as usize)).flatten()
    }

    /// The share of alarms whose event has an anomalous verdict within a fault. Alarms of events that have not ended are not
    /// counted. None without an alarm, or where the source does not know its faults.
    pub fn alarm_precision(&self) -> Option<f64> {
        self.judged_by_truth.then(|| share(self.true_alarms as usize, self.ended_alarms as usize)).flatten()
    }

    /// `figures: event_recall=… precision=… alarm_precision=… alarm_recall=… readings=… readings_per_second=…`, for programs.
    /// Figures that are not known are left out.
    pub fn figures(&self, took: Duration) -> String {
        let known =
            |name: &str, figure: Option<f64>| figure.map_or(String::new(), |f| format!("{name}={f:.4} "));
        let rate = self.readings as f64 / took.as_secs_f64().max(1e-9);
        let shares = [
            ("event_recall", self.event_recall()),
            ("precision", self.precision()),
            ("alarm_precision", self.alarm_precision()),
            ("alarm_recall", self.alarm_recall()),
        ];
        let shares: String = shares.into_iter().map(|(name, share)| known(name, share)).collect();
        format!("figures: {shares}readings={} readings_per_second={rate:.0}", self.readings)
    }

    /// The kinds of faults as (name, number found, number of all), sorted by name. The labelled spans of a
    /// recording are of the kind `labelled`.
    fn by_kind(&self) -> Vec<(String, usize, usize)> {
        let mut kinds: Vec<(String, usize, usize)> = Vec::new();
        for (fault, found) in &self.faults {
            let name =
                fault.type_.map_or_else(|| "labelled".to_owned(), |type_: FaultType| format!("{type_:?}"));
            match kinds.iter_mut().find(|kind| kind.0 == name) {
                Some(kind) => (kind.1, kind.2) = (kind.1 + usize::from(found.anomalous), kind.2 + 1),
                None => kinds.push((name, usize::from(found.anomalous), 1)),
            }
        }
        kinds.sort();
        kinds
    }

    /// The number of anomalous verdicts outside every fault, per day of recorded time.
    fn false_anomalies_a_day(&self) -> f64 {
        let (Some(first), Some(last)) = (self.first, self.last) else { return 0.0 };
        let days = last.duration_since(first).as_secs_f64() / 86_400.0;
        if days > 0.0 { (self.anomalies - self.true_anomalies) as f64 / days } else { 0.0 }
    }
}

/// The share `part / all`; `None` where `all` is 0.
fn share(part: usize, all: usize) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

/// Format a share with three decimals; `n/a` where it is not known.
fn figure(share: Option<f64>) -> String {
    share.map_or_else(|| "n/a".to_owned(), |share| format!("{share:.3}"))
}

impl fmt::Display for Evaluation {
    /// The summary, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { readings, verdicts, anomalies, missing, .. } = self;
        write!(
            f,
            "{readings} readings, {verdicts} verdicts, {anomalies} anomalous, {missing} without a verdict"
        )?;
        write!(f, "\nevents: {}, of which {} raised an alarm", self.events(), self.alarms)?;
        if !self.judged_by_truth {
            return Ok(());
        }
        let (recall, precision) = (figure(self.event_recall()), figure(self.precision()));
        let found = self.faults.values().filter(|found| found.anomalous).count();
        write!(f, "\nfaults found: {found} of {} (recall {recall})", self.faults.len())?;
        for (kind, found, all) in self.by_kind() {
            write!(f, ", {kind} {found}/{all}")?;
        }
        write!(
            f,
            "\nanomalous verdicts within a fault: {} of {anomalies} (precision {precision})",
            self.true_anomalies
        )?;
        write!(f, ", {:.1} false a day", self.false_anomalies_a_day())?;
        let (precision, recall) = (figure(self.alarm_precision()), figure(self.alarm_recall()));
        write!(
            f,
            "\nalarms within a fault: {} of {} (precision {precision}), faults with an alarm: recall {recall}",
            self.true_alarms, self.ended_alarms
        )
    }
}

#[cfg(test)]
mod tests {
    use crd::contract::{EventReport, Peak};

    use super::*;
    use crate::model::judgement::Judgement;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn verdict(second: i64, anomalous: bool, truth: Option<Vec<ActiveFault>>) -> Outcome {
        let alarm_state = AlarmState::Normal;
        said(second, anomalous, truth, alarm_state)
    }

    fn said(
        second: i64,
        anomalous: bool,
        truth: Option<Vec<ActiveFault>>,
        alarm_state: AlarmState,
    ) -> Outcome {
        let judgement = Judgement {
            score: 0.5,
            severity: 1.0,
            anomalous,
            contributions: vec![1.0],
            reasons: Vec::new(),
            model: "sha256:1".into(),
        };
        Outcome::Verdict(Verdict { time: at(second), values: vec![Some(1.0)], judgement, alarm_state, truth })
    }

    fn count(evaluation: &mut Evaluation, second: i64, anomalous: bool, fault: Option<ActiveFault>) {
        let truth: Vec<ActiveFault> = fault.into_iter().collect();
        evaluation.count(at(second), Some(&truth), &verdict(second, anomalous, Some(truth.clone())));
    }

    fn event(start: i64, outcome: EventOutcome) -> EventReport {
        EventReport {
            start: at(start),
            end: Some(at(start + 2)),
            duration_seconds: 2.0,
            peak: Peak { time: at(start), severity: 1.5 },
            verdicts: 2,
            outcome,
            reason: None,
            alarmed_at: None,
            sensors: Vec::new(),
        }
    }

    fn fault(type_: FaultType, start: i64) -> ActiveFault {
        ActiveFault { sensor: Some(0), type_: Some(type_), start: at(start) }
    }

    #[test]
    fn a_fault_is_found_by_one_verdict_within_it_and_counted_once() {
        let mut evaluation = Evaluation::default();
        for (second, anomalous) in [(10, false), (11, true), (12, false)] {
            count(&mut evaluation, second, anomalous, Some(fault(FaultType::Step, 10)));
        }
        count(&mut evaluation, 20, false, Some(fault(FaultType::Spike, 20)));
        count(&mut evaluation, 30, true, None);
        assert_eq!(evaluation.event_recall(), Some(0.5));
        assert_eq!(evaluation.precision(), Some(0.5));
        assert_eq!(
            evaluation.figures(Duration::from_secs(2)),
            "figures: event_recall=0.5000 precision=0.5000 alarm_recall=0.0000 readings=5 readings_per_second=2"
        );
        insta::assert_snapshot!(evaluation.to_string(), @r"
        5 readings, 5 verdicts, 2 anomalous, 0 without a verdict
        events: 0, of which 0 raised an alarm
        faults found: 1 of 2 (recall 0.500), Spike 0/1, Step 1/1
        anomalous verdicts within a fault: 1 of 2 (precision 0.500), 4320.0 false a day
        alarms within a fault: 0 of 0 (precision n/a), faults with an alarm: recall 0.000
        ");
    }

    #[test]
    fn an_alarm_is_right_when_its_event_has_an_anomalous_verdict_within_a_fault() {
        let mut evaluation = Evaluation::default();
        let ended = |evaluation: &mut Evaluation, start, outcome| {
            evaluation.event(&Change::Ended(event(start, outcome)));
            (evaluation.true_alarms, evaluation.ended_alarms)
        };
        assert_eq!(ended(&mut evaluation, 5, EventOutcome::Alarmed), (0, 1), "no fault yet");
        count(&mut evaluation, 10, true, Some(fault(FaultType::Step, 10)));
        assert_eq!(ended(&mut evaluation, 9, EventOutcome::Alarmed), (1, 2));
        assert_eq!(ended(&mut evaluation, 9, EventOutcome::CoolingDown), (1, 2), "no alarm was raised");
        assert_eq!(
            ended(&mut evaluation, 11, EventOutcome::Alarmed),
            (1, 3),
            "the fault was before this event"
        );
        assert_eq!(evaluation.alarm_precision(), Some(1.0 / 3.0));
    }

    #[test]
    fn a_fault_has_an_alarm_where_one_was_raised_or_went_on_during_it() {
        let mut evaluation = Evaluation::default();
        for (second, state) in [(1, AlarmState::TooShort), (2, AlarmState::Ongoing), (3, AlarmState::Alarm)] {
            let truth = vec![fault(FaultType::Spike, second)];
            evaluation.count(at(second), Some(&truth), &said(second, true, Some(truth.clone()), state));
        }
        assert_eq!(evaluation.alarm_recall(), Some(2.0 / 3.0));
    }

    #[test]
    fn a_fault_that_silences_the_sensor_counts_without_a_verdict() {
        let mut evaluation = Evaluation::default();
        evaluation.count(at(1), Some(&[fault(FaultType::Dropout, 1)]), &Outcome::Missing);
        assert_eq!(evaluation.event_recall(), Some(0.0));
    }

    #[test]
    fn without_truth_there_is_neither_precision_nor_recall() {
        let mut evaluation = Evaluation::default();
        evaluation.count(at(1), None, &verdict(1, true, None));
        assert_eq!(evaluation.figures(Duration::from_secs(1)), "figures: readings=1 readings_per_second=1");
    }

    #[test]
    fn without_faults_there_is_no_recall() {
        let mut evaluation = Evaluation::default();
        evaluation.count(at(1), Some(&[]), &Outcome::TooEarly);
        assert_eq!((evaluation.event_recall(), evaluation.precision()), (None, None));
        let text = evaluation.to_string();
        assert!(text.contains("faults found: 0 of 0 (recall n/a)"), "{text}");
        assert!(text.contains("0 of 0 (precision n/a)"), "{text}");
    }
}
