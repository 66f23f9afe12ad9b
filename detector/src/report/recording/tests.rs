use super::*;

fn judgement(severity: f64) -> Judgement {
    Judgement {
        score: severity / 2.0,
        severity,
        anomalous: severity > 1.0,
        contributions: vec![0.25, 0.75],
        reasons: Vec::new(),
        model: "sha256:1".into(),
    }
}

fn recording(severities: &[f64]) -> Recording {
    let mut recording = Recording::of_rows([("heat", "celsius"), ("flow", "")].into_iter(), true);
    for (second, severity) in severities.iter().enumerate() {
        let (time, judgement) = (by_row(second), judgement(*severity));
        let state = if judgement.anomalous { AlarmState::Alarm } else { AlarmState::Normal };
        recording.push(time, &[Some(1.0), None], Some(second > 2), Some((&judgement, state)));
    }
    recording
}

#[test]
fn events_are_runs_of_anomalous_verdicts_with_their_peak() {
    let json = recording(&[0.5, 1.2, 1.4, 0.9, 1.1]).json();
    assert_eq!(json["truth"], json!([[3, 4]]));
    let events = &json["events"];
    assert_eq!(
        (&events[0]["first"], &events[0]["last"], &events[0]["severity"]),
        (&json!(1), &json!(2), &json!(1.4))
    );
    assert_eq!((&events[0]["sensor"], &events[0]["right"]), (&json!("flow"), &json!(false)));
    assert_eq!((&events[1]["right"], &events[1]["outcome"]), (&json!(true), &json!("alarm")));
}

#[test]
fn a_severity_just_over_the_threshold_stays_over_it() {
    assert!(kept(1.0 + 1e-12, true) > 1.0);
    assert!(kept(1.0, false) <= 1.0);
}

#[test]
fn the_later_instants_are_judged_by_another_threshold() {
    let mut recording = Recording { explain: Explain::Always, ..recording(&[]) };
    for (second, severity) in [0.5, 1.2, 0.9, 0.8, 0.4].into_iter().enumerate() {
        let judgement = judgement(severity);
        recording.push(
            by_row(second),
            &[Some(1.0), None],
            Some(second > 2),
            Some((&judgement, AlarmState::Normal)),
        );
    }
    let verdicts = [Some((1.8, true, AlarmState::TooShort)), Some((1.6, true, AlarmState::Alarm)), None];
    let json = recording.rejudged(&verdicts).json();
    assert_eq!(
        (&json["count"], &json["truth"], &json["eventCount"]),
        (&json!(3), &json!([[1, 2]]), &json!(1))
    );
    let event = &json["events"][0];
    assert_eq!((&event["first"], &event["last"], &event["severity"]), (&json!(0), &json!(1), &json!(1.8)));
    assert_eq!(
        (&event["right"], &event["outcome"], &event["sensor"]),
        (&json!(true), &json!("alarm"), &json!("flow"))
    );
}

#[test]
fn nothing_is_a_recording_too() {
    let json = recording(&[]).json();
    assert_eq!((&json["count"], &json["truth"], &json["events"]), (&json!(0), &Value::Null, &json!([])));
}
