//! Every state of a detector, and the status that follows from it: `tests/golden/states.txt`. The verdict of
//! kstatus, which GitOps tools use, is computed from each status by its rules.
//!
//! `UPDATE=1 cargo test -p operator --test offline states` rewrites the file.
#![allow(
    clippy::needless_pass_by_value,
    clippy::too_many_lines,
    clippy::unnecessary_wraps,
    clippy::type_complexity,
    clippy::unwrap_used,
    reason = "a test may panic, and a table of cases is long"
)]

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::recorded::{State, deployment, detector, observed, running, serving, states};
use crd::status::{AnomalyDetectorStatus, ConditionType};
use jiff::Timestamp;
use operator::models::model_sync::ModelSync;
use operator::observe::Observed;
use operator::status;
use operator::status::outcome::Outcome;
use serde_json::{Value, json};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The status of a recorded state, given the previous status.
fn status_of(state: &State, before: &AnomalyDetectorStatus, time: &str) -> AnomalyDetectorStatus {
    let mut detector = detector();
    detector.spec.replicas = state.replicas;
    status::of(&detector, &state.outcome, &state.observed, &state.sync, before, at(time))
}

/// The first status of a detector with this observed workload, applied without errors.
fn first_status(observed: &Observed) -> AnomalyDetectorStatus {
    next_status(observed, &AnomalyDetectorStatus::default(), "2026-11-22T12:00:00Z")
}

fn next_status(observed: &Observed, before: &AnomalyDetectorStatus, time: &str) -> AnomalyDetectorStatus {
    status::of(&detector(), &Outcome::Applied, observed, &ModelSync::default(), before, at(time))
}

/// The rules of kstatus (sigs.k8s.io/cli-utils) for a custom resource.
fn kstatus(generation: Option<i64>, status: &AnomalyDetectorStatus) -> &'static str {
    let is = |type_| ConditionType::status_in(type_, &status.conditions);
    if status.observed_generation != generation {
        "InProgress"
    } else if is(ConditionType::Stalled) == "True" {
        "Failed"
    } else if is(ConditionType::Ready) == "True" || is(ConditionType::Ready).is_empty() {
        "Current"
    } else {
        "InProgress"
    }
}

#[test]
fn every_state_has_the_recorded_status_and_the_right_kstatus() {
    let mut recorded = String::from(
        "# Every state of a detector, and the status that says so. Rewritten by UPDATE=1 cargo test -p operator --test offline states\n",
    );
    for state in states() {
        let status = status_of(&state, &AnomalyDetectorStatus::default(), "2026-11-22T12:00:00Z");
        let State { name, kstatus: expected, .. } = state;
        assert_eq!(kstatus(Some(3), &status), expected, "{name}");
        writeln!(
            recorded,
            "\n{name}:\n  kstatus: {expected}\n  replicas: {} ({} ready)",
            status.replicas, status.ready_replicas
        )
        .unwrap();
        if let Some(model) = &status.model {
            writeln!(recorded, "  model: {}", model.revision).unwrap();
        }
        for condition in &status.conditions {
            writeln!(
                recorded,
                "  {}: {}, {}: {}",
                condition.type_, condition.status, condition.reason, condition.message
            )
            .unwrap();
        }
    }
    is_recorded("states.txt", &recorded);
}

/// Check that the file of `tests/golden` has this text. With `UPDATE` set, write the file first.
fn is_recorded(file: &str, text: &str) {
    let path = format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "{path} is not current: UPDATE=1 cargo test -p operator --test offline states rewrites it\n{text}"
    );
}

/// `tests/kstatus/check` checks the same objects with kstatus' own library.
#[test]
fn the_objects_that_kstatus_reads_are_those_of_the_states() {
    let object = |name: &str, kstatus: &str, metadata: Value, status: Value| {
        let mut object =
            json!({"apiVersion": "anomaly.dev/v1alpha1", "kind": "AnomalyDetector", "metadata": metadata});
        object["status"] = status;
        json!({"name": name, "kstatus": kstatus, "object": object})
    };
    let metadata = |generation: i64| json!({"name": "pump", "namespace": "plant", "generation": generation});
    let recorded = states().into_iter().map(|state| {
        let status = status_of(&state, &AnomalyDetectorStatus::default(), "2026-11-22T12:00:00Z");
        object(state.name, state.kstatus, metadata(3), json!(status))
    });
    // The schema's default status, an edit that the operator has not seen, and a deletion.
    let good = observed(Some(deployment(1, [1, 1, 1])), vec![(running("new"), serving())]);
    let good = json!(first_status(&good));
    let mut deleted = metadata(3);
    deleted["deletionTimestamp"] = json!("2026-11-22T12:00:00Z");
    let others = [
        object("nobody has seen it yet", "InProgress", metadata(1), json!({"observedGeneration": -1})),
        object("it was edited after its last status", "InProgress", metadata(4), good.clone()),
        object("it is being deleted", "Terminating", deleted, good),
    ];
    let objects: Vec<Value> = recorded.chain(others).collect();
    is_recorded("states.json", &(serde_json::to_string_pretty(&objects).unwrap() + "\n"));
}

#[test]
fn every_condition_is_always_there_and_speaks_of_this_generation() {
    for state in states() {
        let status = status_of(&state, &AnomalyDetectorStatus::default(), "2026-11-22T12:00:00Z");
        let name = state.name;
        let types: Vec<&str> = status.conditions.iter().map(|condition| condition.type_.as_str()).collect();
        let always = [
            "Ready",
            "Accepted",
            "ModelReady",
            "SourcesConnected",
            "MonitoringConfigured",
            "Available",
            "Progressing",
        ];
        assert_eq!(types[..7], always, "{name}");
        assert!(
            types[7..].is_empty()
                || [["Stalled"], ["AlarmBudgetExceeded"]].iter().any(|one| types[7..] == *one),
            "{name}: {types:?}"
        );
        assert!(status.conditions.iter().all(|condition| condition.observed_generation == Some(3)), "{name}");
        assert!(
            status
                .conditions
                .iter()
                .all(|condition| !condition.message.is_empty() && condition.message.len() < 32_768),
            "{name}"
        );
    }
}

#[test]
fn a_condition_keeps_its_time_while_its_status_stays() {
    let all: BTreeMap<_, _> = states().into_iter().map(|state| (state.name, state)).collect();
    let status = |state: &str, before: &AnomalyDetectorStatus, time| status_of(&all[state], before, time);
    let time_of = |status: &AnomalyDetectorStatus, type_| {
        ConditionType::find(type_, &status.conditions).unwrap().last_transition_time.0
    };
    let first = status(
        "a quarter of the samples is gathered",
        &AnomalyDetectorStatus::default(),
        "2026-11-22T12:00:00Z",
    );
    let second = status("trained, and not ready to the cluster yet", &first, "2026-11-22T12:01:00Z");
    assert_eq!(
        time_of(&second, ConditionType::Ready),
        at("2026-11-22T12:00:00Z"),
        "still False, though for another reason"
    );
    assert_eq!(time_of(&second, ConditionType::ModelReady), at("2026-11-22T12:01:00Z"), "now True");
    let same = status("trained, and not ready to the cluster yet", &second, "2026-11-22T12:02:00Z");
    assert_eq!(same, second, "a second look at the same state writes nothing");
}

#[test]
fn a_ready_pod_that_misses_one_look_has_not_lost_its_model() {
    let good = observed(Some(deployment(1, [1, 1, 1])), vec![(running("new"), serving())]);
    let before = first_status(&good);
    let mute = observed(Some(deployment(1, [1, 1, 1])), vec![(running("new"), None)]);
    assert_eq!(next_status(&mute, &before, "2026-11-22T12:01:00Z"), before);
}

#[test]
fn replicas_that_disagree_say_so() {
    let mut other = serving().unwrap();
    other["model"]["digest"] = json!(format!("sha256:{}", "00aa".repeat(16)));
    let observed = observed(
        Some(deployment(2, [2, 2, 2])),
        vec![(running("new"), serving()), (running("new"), Some(other))],
    );
    let status = first_status(&observed);
    let message = &ConditionType::ModelReady.find(&status.conditions).unwrap().message;
    assert_eq!(message, "replicas serve different models: 00aa00aa00, 9f86d0819f");
}

#[test]
fn an_unreadable_object_keeps_what_was_known_and_fails() {
    let good = observed(Some(deployment(1, [1, 1, 1])), vec![(running("new"), serving())]);
    let before = first_status(&good);
    let metadata = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
        generation: Some(4),
        ..Default::default()
    };
    let status =
        status::of_invalid(&metadata, "missing field `sources`", &before, at("2026-11-22T12:01:00Z"));
    assert_eq!(kstatus(Some(4), &status), "Failed");
    assert_eq!(status.model, before.model);
    let ready = ConditionType::Ready.find(&status.conditions).unwrap();
    assert_eq!((ready.reason.as_str(), ready.status.as_str()), ("InvalidSpec", "False"));
    assert_eq!(
        ready.message,
        "this version of the operator cannot read the stored object: missing field `sources`"
    );
}
