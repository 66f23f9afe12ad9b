//! The pods' reports in, the Event for alarms that no Event has reported yet out.
//!
//! An alarm that several replicas report counts as one. Alarms that come within five minutes are reported
//! together, so that a detector that raises alarms without end adds at most twelve Events an hour to the
//! cluster.

use std::collections::BTreeMap;

use crd::contract::{EventOutcome, EventReport};
use jiff::{SignedDuration, Timestamp};
use kube::runtime::events::{Event, EventType};

use crate::observe::Observed;

/// The shortest time from one Event to the next.
const PERIOD: SignedDuration = SignedDuration::from_mins(5);

/// Return the time of the newest alarm that an Event has reported, including the Event that is due now.
/// `before` is that time as of the last status.
pub fn newest_notified(before: Option<Timestamp>, observed: &Observed, now: Timestamp) -> Option<Timestamp> {
    newest(before, not_notified(before, observed).filter_map(|event| event.alarmed_at), now)
}

/// Return the newest of the times, or `before` while another Event would come too soon after it.
pub(super) fn newest(
    before: Option<Timestamp>,
    times: impl Iterator<Item = Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    let is_too_soon = before.is_some_and(|before| now.duration_since(before) < PERIOD);
    times.max().filter(|_| !is_too_soon).or(before)
}

/// Return the Event for the alarms after `before`, or none where the newest reported alarm has not changed.
pub fn event(before: Option<Timestamp>, after: Option<Timestamp>, observed: &Observed) -> Option<Event> {
    if before == after {
        return None;
    }
    // Replicas that judge the same instants give an event the same start.
    let alarms: BTreeMap<Timestamp, &EventReport> =
        not_notified(before, observed).map(|event| (event.start, event)).collect();
    let most_severe = alarms.values().max_by(|a, b| a.peak.severity.total_cmp(&b.peak.severity))?;
    let alarm = sentence(most_severe);
    let note = match alarms.len() {
        1 => alarm,
        count => format!("{count} alarms; the most severe: {alarm}"),
    };
    Some(warning("AnomalyDetected", note))
}

/// An Event of type Warning about what a detector reports.
pub(super) fn warning(reason: &str, note: String) -> Event {
    Event {
        type_: EventType::Warning,
        reason: reason.to_owned(),
        note: Some(note),
        action: "Judge".to_owned(),
        secondary: None,
    }
}

/// Events of detectors that raised an alarm after `before`.
fn not_notified(before: Option<Timestamp>, observed: &Observed) -> impl Iterator<Item = &EventReport> {
    let reports = observed.reports.iter().filter_map(|pod| pod.report.as_ref());
    reports.flat_map(|report| &report.newest_events).filter(move |event| {
        event.outcome == EventOutcome::Alarmed && event.alarmed_at.is_some_and(|at| Some(at) > before)
    })
}

fn sentence(event: &EventReport) -> String {
    let sensors = event.sensors.iter().take(3).filter(|sensor| sensor.share >= 0.01);
    let sensors: Vec<String> =
        sensors.map(|sensor| format!("{} ({:.0} %)", sensor.name, sensor.share * 100.0)).collect();
    let by = if sensors.is_empty() { String::new() } else { format!(" by {}", sensors.join(", ")) };
    let lasts = match event.end {
        Some(_) => format!("{} s long", event.duration_seconds),
        None => "still going on".to_owned(),
    };
    format!("anomalous since {}, {lasts}, severity up to {:.2}{by}", event.start, event.peak.severity)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crd::contract::{Peak, Phase, Report, SensorShare};

    use super::*;
    use crate::observe::PodReport;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn event(start: i64, severity: f64, outcome: EventOutcome) -> EventReport {
        let share = |name: &str, share| SensorShare { name: name.to_owned(), share };
        EventReport {
            start: at(start),
            end: Some(at(start + 3)),
            duration_seconds: 3.0,
            peak: Peak { time: at(start), severity },
            verdicts: 3,
            outcome,
            reason: None,
            alarmed_at: (outcome == EventOutcome::Alarmed).then(|| at(start + 1)),
            sensors: vec![share("load", 0.75), share("speed", 0.25)],
        }
    }

    /// Reports with these events, one pod per entry.
    fn observed(pods: &[Vec<EventReport>]) -> Observed {
        let report = |events: &Vec<EventReport>| Report {
            detector: "mill".to_owned(),
            version: "1".to_owned(),
            phase: Phase::Serving,
            model: None,
            sources: Vec::new(),
            trainings: 0,
            rejected: None,
            alarm_rate: None,
            newest_events: events.clone(),
            newest_sensor_events: Vec::new(),
        };
        let pod = |events| PodReport { pod: Arc::default(), report: Some(report(events)), unusable: None };
        Observed { reports: pods.iter().map(pod).collect(), ..Observed::default() }
    }

    fn note(before: Option<i64>, observed: &Observed, now: i64) -> Option<String> {
        let before = before.map(at);
        super::event(before, newest_notified(before, observed, at(now)), observed)?.note
    }

    const ALARMED: EventOutcome = EventOutcome::Alarmed;

    #[test]
    fn an_alarm_that_several_replicas_report_is_reported_once() {
        let alarm = event(1000, 1.5, ALARMED);
        let observed = observed(&[vec![alarm.clone()], vec![alarm.clone()], vec![alarm]]);
        assert_eq!(newest_notified(None, &observed, at(1010)), Some(at(1001)));
        assert_eq!(
            note(None, &observed, 1010).unwrap(),
            "anomalous since 1970-01-01T00:16:40Z, 3 s long, severity up to 1.50 by load (75 %), speed (25 %)"
        );
        assert_eq!(note(Some(1001), &observed, 9999), None);
    }

    #[test]
    fn alarms_within_five_minutes_of_the_last_wait_and_are_reported_together() {
        let both = observed(&[vec![
            event(1100, 1.25, ALARMED),
            event(1050, 1.75, ALARMED),
            event(1000, 1.5, ALARMED),
        ]]);
        assert_eq!(note(Some(1001), &both, 1200), None);
        let note = note(Some(1001), &both, 1301).unwrap();
        assert!(
            note.starts_with("2 alarms; the most severe: anomalous since 1970-01-01T00:17:30Z"),
            "{note}"
        );
    }

    #[test]
    fn events_without_an_alarm_are_not_reported() {
        let muted = observed(&[vec![event(1000, 1.5, EventOutcome::Muted)], vec![]]);
        assert_eq!(newest_notified(Some(at(5)), &muted, at(9999)), Some(at(5)));
        assert_eq!(note(None, &muted, 9999), None);
    }

    #[test]
    fn an_alarm_that_goes_on_says_so() {
        let ongoing = EventReport { end: None, sensors: Vec::new(), ..event(1000, 1.5, ALARMED) };
        let note = note(None, &observed(&[vec![ongoing]]), 1010).unwrap();
        assert_eq!(note, "anomalous since 1970-01-01T00:16:40Z, still going on, severity up to 1.50");
    }
}
