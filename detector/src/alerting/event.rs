//! Verdicts in, one instant after another; events out: begin, peak, end, contributing sensors, and whether an
//! alarm was raised.

use std::collections::VecDeque;
use std::sync::Arc;

use crd::Valid;
use crd::contract::{EventOutcome, EventReport, Peak, REPORTED_EVENTS, SensorShare};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::newest::Newest;
use crate::scoring::verdict::{AlarmState, Verdict};

/// The number of ended events that are kept in memory.
pub const MAX_EVENTS: usize = 1000;

/// The events of a detector: the newest ended ones, and the ongoing one.
///
/// An event begins with an anomalous verdict and ends with the next normal one. Instants without a verdict neither end
/// nor prolong it.
#[derive(Clone, Debug)]
pub struct Events {
    sensors: Vec<String>,
    reasons: Vec<String>,
    ongoing: Option<OngoingEvent>,
    /// Shared with callers of `newest`.
    ended: Newest<Arc<EventReport>>,
}

/// A change of an event that is published.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The ongoing event has raised its alarm.
    Alarmed(EventReport),
    /// An event has ended, whether or not it raised an alarm.
    Ended(EventReport),
}

/// The state that is saved across restarts: the ongoing event, so that it keeps its start and raises no
/// second alarm, and the newest ended events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsState {
    ongoing: Option<OngoingEvent>,
    ended: VecDeque<EventReport>,
}

impl EventsState {
    /// Whether the event has state for exactly this many sensors.
    pub fn is_of(&self, sensors: usize) -> bool {
        self.ongoing.as_ref().is_none_or(|event| event.contributions.len() == sensors)
    }
}

/// The ongoing event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OngoingEvent {
    start: Timestamp,
    newest: Timestamp,
    peak: Peak,
    verdicts: u64,
    /// The sum of the contributions over the verdicts, one per sensor.
    contributions: Vec<f64>,
    outcome: EventOutcome,
    /// The index of the first mute window that the event was in.
    window: Option<usize>,
    alarmed_at: Option<Timestamp>,
}

impl Events {
    /// Create the events of a detector, without any event.
    pub fn new(detector: &Valid) -> Self {
        Self {
            sensors: detector.sensors().map(|sensor| sensor.name.to_owned()).collect(),
            reasons: detector.spec().mute_windows.iter().map(|window| window.reason.clone()).collect(),
            ongoing: None,
            ended: Newest::new(MAX_EVENTS),
        }
    }

    /// Process the next verdict, and return the change of an event that is to be published, if any.
    pub fn follow(&mut self, verdict: &Verdict) -> Option<Change> {
        if verdict.judgement.anomalous {
            let event = self.ongoing.get_or_insert_with(|| OngoingEvent::new(verdict));
            let alarms = event.prolong(verdict);
            return self.ongoing().filter(|_| alarms).map(Change::Alarmed);
        }
        let event = self.ongoing.take()?;
        let report = self.report(&event, Some(verdict.time));
        self.ended.push(Arc::new(report.clone()));
        Some(Change::Ended(report))
    }

    /// Return the state that a later process restores.
    pub fn state(&self) -> EventsState {
        let ended = self.ended.iter();
        let ended = ended.skip(self.ended.iter().len().saturating_sub(REPORTED_EVENTS));
        EventsState { ongoing: self.ongoing.clone(), ended: ended.map(|event| (**event).clone()).collect() }
    }

    /// Restore the state that an earlier process saved. A mute window that is no longer in the spec is
    /// ignored.
    pub fn restore(&mut self, state: EventsState) {
        let windows = self.reasons.len();
        self.ongoing = state
            .ongoing
            .map(|event| OngoingEvent { window: event.window.filter(|window| *window < windows), ..event });
        self.ended = Newest::new(MAX_EVENTS);
        state.ended.into_iter().for_each(|event| self.ended.push(Arc::new(event)));
    }

    /// The ongoing event, if there is one.
    pub fn ongoing(&self) -> Option<EventReport> {
        self.ongoing.as_ref().map(|event| self.report(event, None))
    }

    /// Whether there is an ongoing event that has raised an alarm.
    pub fn alarm(&self) -> bool {
        self.ongoing.as_ref().is_some_and(|event| event.outcome == EventOutcome::Alarmed)
    }

    /// The newest events, at most `most`, newest first: the ongoing one, if there is one, then ended ones.
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

    /// Count a verdict. Return whether it raises the event's alarm.
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

/// The outcome that an anomalous verdict with this state gives an event; of several, the greatest counts.
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

/// The shares of the sensors, greatest first, equal ones in the sensors' order. Empty if contributions were
/// not requested.
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
