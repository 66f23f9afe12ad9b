//! Instants in; the faults, events and alarms among them, each with the indices of its instants, out.

use std::collections::HashMap;

use crate::cli::figures::instants::{Evaluated, Instant};
use crate::ingest::reading::ActiveFault;

/// A fault, and the delays until it was found and had an alarm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    /// The indices of its first and last instant.
    pub instants: (usize, usize),
    /// The time from its start to the first anomalous verdict within it, in seconds; `None` without one.
    pub found_after: Option<f64>,
    /// The time from its start to the first instant within it at which an alarm was raised or was ongoing, in
    /// seconds; `None` without such an instant.
    pub alarmed_after: Option<f64>,
}

/// Consecutive anomalous verdicts. Instants without a verdict neither end nor prolong it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// The indices of its first and last anomalous instant.
    pub instants: (usize, usize),
    /// The index of the instant at which it raised its alarm; `None` without an alarm.
    pub alarm: Option<usize>,
    /// Whether one of its verdicts is within a fault.
    pub is_right: bool,
}

/// The faults, in the order of their starts.
pub fn faults(evaluated: &Evaluated) -> Vec<Fault> {
    let mut places: HashMap<ActiveFault, usize> = HashMap::new();
    let mut faults: Vec<Fault> = Vec::new();
    for (at, instant) in evaluated.instants.iter().enumerate() {
        for fault in &instant.truth {
            let place = *places.entry(*fault).or_insert_with(|| {
                faults.push(Fault { instants: (at, at), found_after: None, alarmed_after: None });
                faults.len() - 1
            });
            let found = &mut faults[place];
            found.instants.1 = at;
            let Some(verdict) = instant.verdict else { continue };
            let start = evaluated.instants[found.instants.0].time;
            let after = instant.time.duration_since(start).as_secs_f64();
            if verdict.anomalous {
                found.found_after.get_or_insert(after);
            }
            if verdict.alarmed {
                found.alarmed_after.get_or_insert(after);
            }
        }
    }
    faults
}

/// The events, in the order of time.
pub fn events(instants: &[Instant]) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut is_open = false;
    for (at, instant) in instants.iter().enumerate() {
        let Some(verdict) = instant.verdict else { continue };
        if !verdict.anomalous {
            is_open = false;
            continue;
        }
        if !std::mem::replace(&mut is_open, true) {
            events.push(Event { instants: (at, at), alarm: None, is_right: false });
        }
        let event = events.last_mut().expect("an event is open");
        event.instants.1 = at;
        event.is_right |= instant.is_labelled();
        if verdict.alarmed {
            event.alarm.get_or_insert(at);
        }
    }
    events
}

/// Instants drawn as letters, for the tests of the files beside this one.
#[cfg(test)]
pub mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::cli::figures::instants::Judged;

    /// One letter for each instant. In `verdicts`: `.` normal, `x` anomalous, `!` with an alarm, `?` without
    /// a verdict. In `truth`: `F` where a fault is active.
    pub fn instants(verdicts: &str, truth: &str) -> Vec<Instant> {
        let mut start = None;
        let instant = |(at, (verdict, label)): (usize, (char, char))| {
            let time = Timestamp::from_second(i64::try_from(at).unwrap()).unwrap();
            start = (label == 'F').then(|| start.unwrap_or(time));
            let truth = start.map(|start| ActiveFault { sensor: None, type_: None, start }).into_iter();
            let anomalous = "x!".contains(verdict);
            let judged =
                Judged { score: if anomalous { 0.8 } else { 0.4 }, anomalous, alarmed: verdict == '!' };
            Instant { time, verdict: (verdict != '?').then_some(judged), truth: truth.collect() }
        };
        verdicts.chars().zip(truth.chars()).enumerate().map(instant).collect()
    }

    /// A time series of such instants, a second apart.
    pub fn series(verdicts: &str, truth: &str) -> Evaluated {
        let instants = instants(verdicts, truth);
        Evaluated { instants, is_series: true, has_times: true, promised: None, threshold: Some(0.6) }
    }

    #[test]
    fn a_fault_is_found_at_its_first_anomalous_verdict_and_alarmed_later() {
        let faults = faults(&series("...x!..?..", ".FFFFF..F."));
        assert_eq!(
            faults,
            [
                Fault { instants: (1, 5), found_after: Some(2.0), alarmed_after: Some(3.0) },
                Fault { instants: (8, 8), found_after: None, alarmed_after: None },
            ]
        );
    }

    #[test]
    fn an_event_is_right_when_one_of_its_verdicts_is_within_a_fault() {
        let events = events(&instants("xx.x?!.x", "..FF...."));
        let shape: Vec<_> =
            events.iter().map(|event| (event.instants, event.alarm, event.is_right)).collect();
        assert_eq!(shape, [((0, 1), None, false), ((3, 5), Some(5), true), ((7, 7), None, false)]);
    }
}
