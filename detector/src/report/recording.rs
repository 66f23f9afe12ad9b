//! One instant after another in; the readings, severities, labelled spans and events that a report shows out.

use std::time::Duration;

use crd::Valid;
use crd::alarm::Habituation;
use crd::contract::EventOutcome;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::alerting::event::outcome;
use crate::ingest::reading::Readings;
use crate::model::judge::Explain;
use crate::model::judgement::Judgement;
use crate::report::series;
use crate::scoring::mute_windows::MuteWindows;
use crate::scoring::scorer::Outcome;
use crate::scoring::verdict::AlarmState;

/// The most numbers that are kept, 64 MiB of them.
const MAX_NUMBERS: usize = 1 << 24;
/// How many events a page lists, those of the highest severity.
const MAX_EVENTS: usize = 500;

/// The recording of a run, from which a report is made.
#[derive(Debug)]
pub struct Recording {
    sensors: Vec<Sensor>,
    has_times: bool,
    rule: Rule,
    mute_windows: Option<MuteWindows>,
    millis: Vec<i64>,
    /// NaN if there was no verdict.
    severities: Vec<f32>,
    truth: Option<Spans>,
    muted: Spans,
    events: Vec<Event>,
    is_open: bool,
    left_out: usize,
    /// Which verdicts come with reasons.
    explain: Explain,
    /// The cause of each instant, kept if another threshold may make any of them anomalous.
    causes: Vec<Cause>,
}

#[derive(Debug)]
struct Sensor {
    name: String,
    unit: String,
    /// NaN if the reading was missing.
    values: Vec<f32>,
}

/// The rule that turns anomalous verdicts into alarms.
#[derive(Clone, Copy, Debug, Default)]
struct Rule {
    minimum_duration: Duration,
    cool_down: Duration,
    lookback: Duration,
    habituation: Option<Habituation>,
}

/// First and last index of instants in a row.
#[derive(Debug, Default)]
struct Spans(Vec<(usize, usize)>);

#[derive(Debug)]
struct Event {
    instants: (usize, usize),
    outcome: EventOutcome,
    is_right: bool,
    severity: f64,
    /// The cause of the verdict with the highest severity.
    cause: Cause,
}

/// The sensor that contributed most, its reading, and the expected range.
type Cause = [String; 3];

/// A verdict by another threshold: severity, whether it is anomalous, and the state of the alarm.
pub type Rejudged = (f64, bool, AlarmState);

impl Spans {
    fn push(&mut self, at: usize) {
        match self.0.last_mut() {
            Some(last) if last.1 + 1 == at => last.1 = at,
            _ => self.0.push((at, at)),
        }
    }

    fn contain(&self, at: usize) -> bool {
        let next = self.0.partition_point(|(_, last)| *last < at);
        self.0.get(next).is_some_and(|(first, _)| *first <= at)
    }

    /// The spans from instant `from` on, which becomes the first.
    fn after(self, from: usize) -> Self {
        let later = self.0.into_iter().filter(|(_, last)| *last >= from);
        Self(later.map(|(first, last)| (first.saturating_sub(from), last - from)).collect())
    }
}

impl Recording {
    /// Create an empty recording of a detector, whose verdicts come with reasons as `explain` says.
    pub fn of_detector(detector: &Valid, explain: Explain) -> Self {
        let alarm = &detector.spec().alarm;
        let windows = &detector.spec().mute_windows;
        let sensors = detector.sensors();
        Self {
            rule: Rule {
                minimum_duration: alarm.minimum_duration.into(),
                cool_down: alarm.cool_down.into(),
                lookback: alarm.lookback.into(),
                habituation: alarm.habituation,
            },
            mute_windows: (!windows.is_empty()).then(|| MuteWindows::new(windows)),
            explain,
            ..Self::of_rows(sensors.map(|sensor| (sensor.name, sensor.unit.unwrap_or_default())), true)
        }
    }

    /// Create an empty recording of the rows of a table with these columns and units. Each event is an alarm.
    pub fn of_rows<'a>(columns: impl Iterator<Item = (&'a str, &'a str)>, has_times: bool) -> Self {
        let sensor =
            |(name, unit): (&str, &str)| Sensor { name: name.into(), unit: unit.into(), values: Vec::new() };
        Self {
            sensors: columns.map(sensor).collect(),
            has_times,
            rule: Rule::default(),
            mute_windows: None,
            millis: Vec::new(),
            severities: Vec::new(),
            truth: None,
            muted: Spans::default(),
            events: Vec::new(),
            is_open: false,
            left_out: 0,
            explain: Explain::Anomalies,
            causes: Vec::new(),
        }
    }

    /// Which verdicts must come with reasons.
    pub fn explain(&self) -> Explain {
        self.explain
    }

    /// Create the recording of the judged rows of a table. `cells` has one row after another; times and
    /// labels may be unknown.
    pub fn of_table(
        columns: &[String],
        cells: &[f64],
        judgements: &[Option<Judgement>],
        times: Option<&[Timestamp]>,
        labels: &[bool],
        explain: Explain,
    ) -> Self {
        let named = columns.iter().map(|name| (name.as_str(), ""));
        let width = columns.len();
        let mut recording = Self { explain, ..Self::of_rows(named, times.is_some()) };
        for (row, (cells, judgement)) in cells.chunks_exact(width).zip(judgements).enumerate() {
            // Rows without times are one second apart: the page shows their number instead of a time.
            let time = times.map_or_else(|| by_row(row), |times| times[row]);
            let values: Vec<Option<f64>> =
                cells.iter().map(|cell| Some(*cell).filter(|cell| !cell.is_nan())).collect();
            let state = |judgement: &Judgement| {
                if judgement.anomalous { AlarmState::Alarm } else { AlarmState::Normal }
            };
            let verdict = judgement.as_ref().map(|judgement| (judgement, state(judgement)));
            recording.push(time, &values, labels.get(row).copied(), verdict);
        }
        recording
    }

    /// Add the next instant: the readings of all sensors, whether a fault is active, if known, and the
    /// verdict, if there is one.
    pub fn push(
        &mut self,
        time: Timestamp,
        values: &[Option<f64>],
        is_fault: Option<bool>,
        verdict: Option<(&Judgement, AlarmState)>,
    ) {
        let at = self.millis.len();
        if at * (self.sensors.len() + 3) >= MAX_NUMBERS {
            self.left_out += 1;
            return;
        }
        let millis = time.as_millisecond();
        self.millis.push(self.millis.last().map_or(millis, |last| millis.max(*last)));
        for (sensor, value) in self.sensors.iter_mut().zip(values) {
            sensor.values.push(value.map_or(f32::NAN, |value| value as f32));
        }
        self.severities
            .push(verdict.map_or(f32::NAN, |(judgement, _)| kept(judgement.severity, judgement.anomalous)));
        if let Some(is_fault) = is_fault {
            let truth = self.truth.get_or_insert_default();
            if is_fault {
                truth.push(at);
            }
        }
        if self.mute_windows.as_ref().is_some_and(|windows| windows.open_at(time).is_some()) {
            self.muted.push(at);
        }
        if self.explain == Explain::Always {
            let cause = verdict.map(|(judgement, _)| cause(&self.sensors, judgement));
            self.causes.push(cause.unwrap_or_default());
        }
        if let Some((judgement, alarm_state)) = verdict {
            let Judgement { severity, anomalous, .. } = *judgement;
            let is_fault = is_fault == Some(true);
            self.follow(at, (severity, anomalous, alarm_state), is_fault, |sensors| {
                cause(sensors, judgement)
            });
        }
    }

    /// Keep the last instants, as many as there are verdicts, and replace their verdicts by these, from
    /// another threshold. Their causes are known if [`Recording::explain`] is `Always`. Instants that were
    /// left out stay left out.
    #[must_use]
    pub fn rejudged(mut self, verdicts: &[Option<Rejudged>]) -> Self {
        let all = self.len() + self.left_out;
        let from = all.saturating_sub(verdicts.len()).min(self.len());
        self.left_out = self.left_out.min(verdicts.len());
        self.millis.drain(..from);
        self.causes.drain(..from.min(self.causes.len()));
        self.sensors.iter_mut().for_each(|sensor| drop(sensor.values.drain(..from)));
        self.muted = self.muted.after(from);
        self.truth = self.truth.map(|truth| truth.after(from));
        self.severities = verdicts[..self.millis.len()]
            .iter()
            .map(|verdict| verdict.map_or(f32::NAN, |(severity, anomalous, _)| kept(severity, anomalous)))
            .collect();
        self.events.clear();
        self.is_open = false;
        let causes = std::mem::take(&mut self.causes);
        for (at, verdict) in verdicts[..self.millis.len()].iter().enumerate() {
            let Some(verdict) = *verdict else { continue };
            let is_fault = self.truth.as_ref().is_some_and(|truth| truth.contain(at));
            self.follow(at, verdict, is_fault, |_| causes.get(at).cloned().unwrap_or_default());
        }
        self
    }

    /// Add the next instant of a detector.
    pub fn outcome(&mut self, readings: &Readings, outcome: &Outcome) {
        let verdict = match outcome {
            Outcome::Verdict(verdict) => Some((&verdict.judgement, verdict.alarm_state)),
            _ => None,
        };
        let is_fault = readings.truth.as_ref().map(|faults| !faults.is_empty());
        self.push(readings.time, &readings.values, is_fault, verdict);
    }

    fn follow(
        &mut self,
        at: usize,
        (severity, anomalous, alarm_state): Rejudged,
        is_fault: bool,
        cause: impl FnOnce(&[Sensor]) -> Cause,
    ) {
        if !anomalous {
            self.is_open = false;
            return;
        }
        if !std::mem::replace(&mut self.is_open, true) {
            self.events.push(Event {
                instants: (at, at),
                outcome: EventOutcome::TooShort,
                is_right: false,
                severity: 0.0,
                cause: Default::default(),
            });
        }
        let event = self.events.last_mut().expect("an event is open");
        event.instants.1 = at;
        event.outcome = event.outcome.max(outcome(alarm_state));
        event.is_right |= is_fault;
        if severity > event.severity {
            event.severity = severity;
            event.cause = cause(&self.sensors);
        }
    }

    /// The number of instants.
    pub fn len(&self) -> usize {
        self.millis.len()
    }

    /// Whether there are no instants.
    pub fn is_empty(&self) -> bool {
        self.millis.is_empty()
    }

    /// A warning for the reader if instants were left out.
    pub fn warning(&self) -> Option<String> {
        (self.left_out > 0).then(|| {
            format!("the report shows the first {} instants, {} more are left out", self.len(), self.left_out)
        })
    }

    /// The recording as JSON for the page.
    pub(super) fn json(&self) -> Value {
        let mut rule = json!({
            "minimumDuration": self.rule.minimum_duration.as_secs_f64(),
            "coolDown": self.rule.cool_down.as_secs_f64(),
            "lookback": self.rule.lookback.as_secs_f64(),
        });
        if let Some(Habituation { step, half_life }) = self.rule.habituation {
            let half_life = Duration::from(half_life).as_secs_f64();
            rule["habituation"] = json!({ "step": step, "halfLife": half_life });
        }
        let sensor = |sensor: &Sensor| {
            let mut fields = series::readings(&sensor.values, self.sensors.len());
            fields["name"] = json!(sensor.name);
            fields["unit"] = json!(sensor.unit);
            fields
        };
        let mut events: Vec<&Event> = self.events.iter().collect();
        events.sort_by(|a, b| b.severity.total_cmp(&a.severity));
        events.truncate(MAX_EVENTS);
        json!({
            "count": self.len(),
            "hasTimes": self.has_times,
            "times": series::times(&self.millis),
            "severity": series::floats(&self.severities),
            "sensors": self.sensors.iter().map(sensor).collect::<Vec<_>>(),
            "truth": self.truth.as_ref().map(|spans| &spans.0),
            "muted": self.muted.0,
            "rule": rule,
            "eventCount": self.events.len(),
            "events": events.iter().map(|event| event.json()).collect::<Vec<_>>(),
        })
    }
}

impl Event {
    fn json(&self) -> Value {
        let [sensor, reading, expected] = &self.cause;
        let outcome = match self.outcome {
            EventOutcome::Alarmed => "alarm",
            EventOutcome::TooShort => "too short for an alarm",
            EventOutcome::NoPeak => "no worse than one shortly before",
            EventOutcome::CoolingDown => "within coolDown",
            EventOutcome::Muted => "muted",
        };
        json!({
            "first": self.instants.0, "last": self.instants.1, "severity": self.severity, "outcome": outcome,
            "right": self.is_right, "sensor": sensor, "reading": reading, "expected": expected,
        })
    }
}

/// The time of a row that has no time: in seconds, its number, where 1 is the first row after the header.
fn by_row(row: usize) -> Timestamp {
    Timestamp::from_second(i64::try_from(row + 1).unwrap_or(i64::MAX)).unwrap_or(Timestamp::MAX)
}

/// The severity as the page stores it: over 1 exactly if the verdict is anomalous.
fn kept(severity: f64, anomalous: bool) -> f32 {
    let severity = severity as f32;
    if anomalous { severity.max(1f32.next_up()) } else { severity.min(1.0) }
}

fn cause(sensors: &[Sensor], judgement: &Judgement) -> Cause {
    let Some(top) = judgement.top_contributor() else { return Default::default() };
    let Some(reason) = judgement.reasons.get(top) else {
        return [sensors[top].name.clone(), "missing".to_owned(), String::new()];
    };
    let sentence = reason.sentence(&sensors[top].unit);
    let (reading, expected) = sentence.split_once(": expected ").unwrap_or((&sentence, ""));
    [sensors[top].name.clone(), reading.to_owned(), expected.to_owned()]
}

#[cfg(test)]
mod tests;
