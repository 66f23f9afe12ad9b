//! Verdicts in, one instant after another; events out: what begins, peaks and ends, which sensors it was, and whether
//! it raised an alarm.

use std::collections::VecDeque;
use std::sync::Arc;

use crd::Valid;
use crd::contract::{EventOutcome, EventReport, Peak, REPORTED_EVENTS, SensorShare};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::scoring::verdict::AlarmState;
use crate::scoring::verdict::Verdict;

/// How many events are remembered.
pub const REMEMBERED: usize = 1000;

/// The events of a detector: the newest that have ended, and the one that goes on.
///
/// An event begins with an anomalous verdict and ends with the next normal one. Instants without a verdict neither end
/// nor prolong it.
#[derive(Clone, Debug)]
pub struct Events {
    sensors: Vec<String>,
    reasons: Vec<String>,
    ongoing: Option<OngoingEvent>,
    /// Oldest first; shared with those who ask for them.
    ended: VecDeque<Arc<EventReport>>,
}

/// What a verdict does to the events, where it is something that is published.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The event that goes on has raised its alarm.
    Alarmed(EventReport),
    /// An event has ended, whether or not it raised an alarm.
    Ended(EventReport),
}

/// What outlives the process: the event that goes on, so that it keeps its start and raises no second alarm, and the
/// newest that have ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsState {
    ongoing: Option<OngoingEvent>,
    ended: VecDeque<EventReport>,
}

impl EventsState {
    /// Whether it is of so many sensors.
    pub fn is_of(&self, sensors: usize) -> bool {
        self.ongoing.as_ref().is_none_or(|event| event.contributions.len() == sensors)
    }
}

/// The event that goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OngoingEvent {
    start: Timestamp,
    newest: Timestamp,
    peak: Peak,
    verdicts: u64,
    /// The sum over the verdicts, a sensor each.
    contributions: Vec<f64>,
    outcome: EventOutcome,
    /// The mute window that it was in, by its index.
    window: Option<usize>,
    alarmed_at: Option<Timestamp>,
}

impl Events {
    /// No events yet.
    pub fn new(detector: &Valid) -> Self {
        Self {
            sensors: detector.sensors().map(|sensor| sensor.name.to_owned()).collect(),
            reasons: detector.spec().mute_windows.iter().map(|window| window.reason.clone()).collect(),
            ongoing: None,
            ended: VecDeque::new(),
        }
    }

    /// Take the next verdict. At most one event changes.
    pub fn follow(&mut self, verdict: &Verdict) -> Option<Change> {
        if verdict.judgement.anomalous {
            let event = self.ongoing.get_or_insert_with(|| OngoingEvent::new(verdict));
            let alarms = event.prolong(verdict);
            return self.ongoing().filter(|_| alarms).map(Change::Alarmed);
        }
        let event = self.ongoing.take()?;
        let report = self.report(&event, Some(verdict.time));
        if self.ended.len() == REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back(Arc::new(report.clone()));
        Some(Change::Ended(report))
    }

    /// What a process that comes after this one needs to go on.
    pub fn state(&self) -> EventsState {
        let ended = self.ended.iter().skip(self.ended.len().saturating_sub(REPORTED_EVENTS));
        EventsState { ongoing: self.ongoing.clone(), ended: ended.map(|event| (**event).clone()).collect() }
    }

    /// Go on where another process was. A window that the spec no longer has mutes nothing.
    pub fn restore(&mut self, state: EventsState) {
        let windows = self.reasons.len();
        self.ongoing = state
            .ongoing
            .map(|event| OngoingEvent { window: event.window.filter(|window| *window < windows), ..event });
        self.ended = state.ended.into_iter().map(Arc::new).collect();
    }

    /// The event that goes on, if one does.
    pub fn ongoing(&self) -> Option<EventReport> {
        self.ongoing.as_ref().map(|event| self.report(event, None))
    }

    /// Whether an event goes on that has raised an alarm.
    pub fn alarm(&self) -> bool {
        self.ongoing.as_ref().is_some_and(|event| event.outcome == EventOutcome::Alarmed)
    }

    /// The newest events, at most `most`, newest first: the one that goes on, if there is one, then those that have ended.
    pub fn newest(&self, most: usize) -> Vec<Arc<EventReport>> {
        let ongoing = self.ongoing.iter().map(|event| Arc::new(self.report(event, None)));
        ongoing.chain(self.ended.iter().rev().cloned()).take(most).collect()
    }

    fn report(&self, event: &OngoingEvent, end: Option<Timestamp>) -> EventReport {
        let reason = event.window.filter(|_| event.outcome == EventOutcome::Muted);
        EventReport {
            start: event.start,
            end,
            duration_seconds: end.unwrap_or(event.newest).duration_since(event.start).as_secs_f64(),
            peak: event.peak,
            verdicts: event.verdicts,
            outcome: event.outcome,
            reason: reason.map(|window| self.reasons[window].clone()),
            alarmed_at: event.alarmed_at,
            sensors: shares(&self.sensors, &event.contributions),
        }
    }
}

impl OngoingEvent {
    /// The event that begins with this verdict, before the verdict is counted.
    fn new(verdict: &Verdict) -> Self {
        Self {
            start: verdict.time,
            newest: verdict.time,
            peak: Peak { time: verdict.time, severity: verdict.judgement.severity },
            verdicts: 0,
            contributions: vec![0.0; verdict.values.len()],
            outcome: EventOutcome::TooShort,
            window: None,
            alarmed_at: None,
        }
    }

    /// Count a verdict; whether it is the one that raises the event's alarm.
    fn prolong(&mut self, verdict: &Verdict) -> bool {
        self.newest = verdict.time;
        self.verdicts += 1;
        if verdict.judgement.severity > self.peak.severity {
            self.peak = Peak { time: verdict.time, severity: verdict.judgement.severity };
        }
        for (sum, share) in self.contributions.iter_mut().zip(&verdict.judgement.contributions) {
            *sum += share;
        }
        if let AlarmState::Muted { window } = verdict.alarm_state {
            self.window = self.window.or(Some(window));
        }
        let outcome = outcome(verdict.alarm_state);
        self.outcome = self.outcome.max(outcome);
        let alarms = self.outcome == EventOutcome::Alarmed && self.alarmed_at.is_none();
        if alarms {
            self.alarmed_at = Some(verdict.time);
        }
        alarms
    }
}

/// What becomes of an event by an anomalous verdict with this state; of several, the greatest counts.
pub fn outcome(state: AlarmState) -> EventOutcome {
    match state {
        AlarmState::Normal | AlarmState::TooShort => EventOutcome::TooShort,
        AlarmState::NoPeak => EventOutcome::NoPeak,
        AlarmState::CoolingDown => EventOutcome::CoolingDown,
        AlarmState::Muted { .. } => EventOutcome::Muted,
        // Ongoing: the alarm was raised before this event was followed.
        AlarmState::Alarm | AlarmState::Ongoing => EventOutcome::Alarmed,
    }
}

/// Greatest first, equals in the sensors' order; none where contributions were not asked for.
fn shares(sensors: &[String], sums: &[f64]) -> Vec<SensorShare> {
    let total: f64 = sums.iter().sum();
    if total <= 0.0 {
        return Vec::new();
    }
    let share = |(name, sum): (&String, &f64)| SensorShare { name: name.clone(), share: sum / total };
    let mut shares: Vec<_> = sensors.iter().zip(sums).map(share).collect();
    shares.sort_by(|a, b| b.share.total_cmp(&a.share));
    shares
}

#[cfg(test)]
mod tests;
