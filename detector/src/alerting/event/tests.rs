use crd::contract::EventOutcome;
use proptest::prelude::*;

use super::*;
use crate::model::judgement::Judgement;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn detector() -> Valid {
    let text = "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {name: mill}\nspec:\n  sources:\n  - name: s\n    \
                simulated: {sensors: [{name: speed}, {name: load}]}\n  muteWindows: [{schedule: \"0 2 * * *\", duration: 1h, reason: night}, \
                {schedule: \"0 3 * * *\", duration: 1h, reason: maintenance}]\n";
    crd::manifest::one_detector(text).unwrap()
}

/// A verdict that is anomalous where the severity is over 1.
fn verdict(second: i64, severity: f64, alarm_state: AlarmState, contributions: [f64; 2]) -> Verdict {
    Verdict {
        time: at(second),
        values: vec![Some(1.0), Some(2.0)],
        judgement: Judgement {
            score: severity / 2.0,
            severity,
            anomalous: severity > 1.0,
            contributions: contributions.to_vec(),
            reasons: Vec::new(),
            model: "sha256:1".into(),
        },
        alarm_state,
        truth: None,
    }
}

fn normal(second: i64) -> Verdict {
    verdict(second, 0.5, AlarmState::Normal, [0.5, 0.5])
}

#[test]
fn anomalous_verdicts_in_a_row_are_one_event_with_start_peak_end_and_sensors() {
    let mut events = Events::new(&detector());
    assert_eq!(events.follow(&normal(9)), None);
    let began = events.follow(&verdict(10, 1.2, AlarmState::Alarm, [0.2, 0.8])).unwrap();
    assert!(matches!(&began, Change::Alarmed(event) if event.end.is_none() && event.verdicts == 1));
    assert!(events.alarm());
    assert_eq!(events.follow(&verdict(11, 1.6, AlarmState::Ongoing, [0.4, 0.6])), None);
    assert_eq!(events.follow(&verdict(13, 1.6, AlarmState::Ongoing, [0.0, 1.0])), None);
    assert!((events.newest(1)[0].duration_seconds - 3.0).abs() < 1e-9);
    let Some(Change::Ended(event)) = events.follow(&normal(14)) else { panic!("it has ended") };
    assert!(!events.alarm());
    assert_eq!((event.start, event.end, event.verdicts), (at(10), Some(at(14)), 3));
    assert!((event.duration_seconds - 4.0).abs() < 1e-9);
    assert_eq!(event.peak, Peak { time: at(11), severity: 1.6 });
    assert_eq!((event.outcome, event.alarmed_at), (EventOutcome::Alarmed, Some(at(10))));
    let sensors: Vec<_> = event.sensors.iter().map(|sensor| sensor.name.as_str()).collect();
    assert_eq!(sensors, ["load", "speed"]);
    assert!((event.sensors[0].share - 0.8).abs() < 1e-9);
    assert_eq!(events.newest(10), [Arc::new(event)]);
}

#[test]
fn an_event_without_an_alarm_says_why() {
    use EventOutcome::{Alarmed, CoolingDown, Muted, TooShort};
    let muted = AlarmState::Muted { window: 1 };
    for (alarm_state, outcome, reason) in [
        (vec![AlarmState::TooShort], TooShort, None),
        (vec![AlarmState::TooShort, AlarmState::CoolingDown], CoolingDown, None),
        (vec![AlarmState::CoolingDown, muted, AlarmState::CoolingDown], Muted, Some("maintenance")),
        (vec![muted, AlarmState::Alarm], Alarmed, None),
    ] {
        let mut events = Events::new(&detector());
        for (second, alarm_state) in alarm_state.into_iter().enumerate() {
            events.follow(&verdict(second.cast_signed() as i64, 1.5, alarm_state, [0.5, 0.5]));
        }
        let Some(Change::Ended(event)) = events.follow(&normal(60)) else { panic!("it has ended") };
        assert_eq!((event.outcome, event.reason.as_deref()), (outcome, reason));
        assert_eq!(event.alarmed_at.is_some(), outcome == Alarmed);
    }
}

#[test]
fn an_alarm_that_was_raised_before_anyone_followed_counts_as_one() {
    let mut events = Events::new(&detector());
    let change = events.follow(&verdict(10, 1.2, AlarmState::Ongoing, [0.2, 0.8]));
    assert!(matches!(change, Some(Change::Alarmed(_))));
}

#[test]
fn the_newest_events_are_remembered() {
    let mut events = Events::new(&detector());
    for second in 0..2 * (MAX_EVENTS.cast_signed() as i64 + 5) {
        let severity = if second % 2 == 0 { 1.5 } else { 0.5 };
        events.follow(&verdict(second, severity, AlarmState::TooShort, [1.0, 0.0]));
    }
    let newest = events.newest(usize::MAX);
    assert_eq!(newest.len(), MAX_EVENTS);
    assert_eq!(newest[0].start, at(2 * (MAX_EVENTS.cast_signed() as i64 + 4)));
    assert_eq!(events.newest(3), newest[..3]);
}

proptest! {
    /// Every anomalous verdict is in one event; each event is published once when it ends, and of its alarm once at most.
    #[test]
    fn no_verdict_is_lost_and_nothing_is_reported_twice(steps in prop::collection::vec((0..3u8, 0..5u8), 1..200)) {
        let (mut events, mut anomalous, mut alarms, mut ended) = (Events::new(&detector()), 0, 0, Vec::new());
        for (second, (severity, alarm_state)) in steps.iter().enumerate() {
            let alarm_state = [AlarmState::TooShort, AlarmState::CoolingDown, AlarmState::Muted { window: 0 }, AlarmState::Alarm, AlarmState::Ongoing][usize::from(*alarm_state)];
            let verdict = verdict(second.cast_signed() as i64, f64::from(*severity), alarm_state, [0.5, 0.5]);
            anomalous += u64::from(verdict.judgement.anomalous);
            match events.follow(&verdict) {
                Some(Change::Alarmed(_)) => alarms += 1,
                Some(Change::Ended(event)) => ended.push(event),
                None => {}
            }
        }
        let all = events.newest(usize::MAX);
        prop_assert_eq!(all.iter().map(|event| event.verdicts).sum::<u64>(), anomalous);
        prop_assert_eq!(all.iter().filter(|event| event.outcome == EventOutcome::Alarmed).count(), alarms);
        prop_assert_eq!(all.iter().filter(|event| event.end.is_some()).count(), ended.len());
        for event in &all {
            prop_assert!(event.start <= event.peak.time && event.end.is_none_or(|end| event.peak.time < end));
            prop_assert!((event.sensors.iter().map(|sensor| sensor.share).sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }
}

#[test]
fn an_event_that_outlives_its_process_keeps_its_start_and_raises_no_second_alarm() {
    let mut before = Events::new(&detector());
    before.follow(&verdict(10, 1.2, AlarmState::Alarm, [0.2, 0.8])).unwrap();
    let bytes = serde_json::to_vec(&before.state()).unwrap();
    let mut after = Events::new(&detector());
    after.restore(serde_json::from_slice(&bytes).unwrap());
    assert_eq!(after.follow(&verdict(11, 1.6, AlarmState::Ongoing, [0.4, 0.6])), None);
    assert_eq!(after.newest(1)[0].start, before.newest(1)[0].start);
}
