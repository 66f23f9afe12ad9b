//! Every state that a detector can be in, beside the status that says so: `tests/golden/states.txt`. The verdict of
//! kstatus, which GitOps tools go by, is computed from each status by its rules.
//!
//! `UPDATE=1 cargo test -p operator --test states` rewrites the file.
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
use std::sync::Arc;

use crd::AnomalyDetector;
use crd::contract::Report;
use crd::status::{AnomalyDetectorStatus, ConditionType, Reason};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use operator::observe::{Observed, PodReport};
use operator::status::{self, Outcome};
use serde_json::{Value, json};

fn detector() -> AnomalyDetector {
    let mut detector = crd::manifest::one_detector(include_str!("../../manifests/quickstart.yaml"))
        .unwrap()
        .detector()
        .clone();
    detector.metadata.name = Some("pump".to_owned());
    detector.metadata.namespace = Some("plant".to_owned());
    detector.metadata.generation = Some(3);
    detector
}

/// A Deployment that wants that many pods, and has so many: all, of the newest version, ready.
fn deployment(wanted: i32, [replicas, updated, ready]: [i32; 3]) -> Value {
    json!({
        "metadata": {"name": "pump", "generation": 5},
        "spec": {
            "replicas": wanted,
            "selector": {},
            "template": {"metadata": {"annotations": {"anomaly.dev/config": "new"}}},
        },
        "status": {
            "observedGeneration": 5,
            "replicas": replicas,
            "updatedReplicas": updated,
            "readyReplicas": ready,
            "availableReplicas": ready,
        },
    })
}

fn deployment_saying(wanted: i32, counts: [i32; 3], condition: Value) -> Value {
    let mut deployment = deployment(wanted, counts);
    deployment["status"]["conditions"] = json!([condition]);
    deployment
}

fn pod(config: &str, status: Value) -> Value {
    json!({"metadata": {"name": format!("pump-7d9f-{config}"), "annotations": {"anomaly.dev/config": config}}, "status": status})
}

fn running(config: &str) -> Value {
    pod(config, json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}))
}

fn waiting(reason: &str, message: &str, last_state: Value) -> Value {
    let container = json!({
        "name": "detector", "image": "registry.example/detector:9", "imageID": "", "ready": false, "restartCount": 4,
        "state": {"waiting": {"reason": reason, "message": message}}, "lastState": last_state,
    });
    pod("new", json!({"phase": "Pending", "containerStatuses": [container]}))
}

fn report(phase: Value, connected: bool) -> Option<Value> {
    let serving = phase["name"] == "serving";
    Some(json!({
        "detector": "pump", "version": "0.1.0", "phase": phase,
        "model": if serving { json!({"digest": format!("sha256:{}", "9f86d081".repeat(8)), "trainedAt": "2026-11-22T12:00:00Z", "samples": 4096, "threshold": 0.61}) } else { Value::Null },
        "sources": [{"name": "simulation", "connected": connected, "message": if connected { "" } else { "connection refused" }}],
    }))
}

fn serving() -> Option<Value> {
    report(json!({"name": "serving"}), true)
}

fn observed(deployment: Option<Value>, pods: Vec<(Value, Option<Value>)>) -> Observed {
    let pods: Vec<(Arc<Pod>, Option<Report>)> = pods
        .into_iter()
        .map(|(pod, report)| {
            (
                Arc::new(serde_json::from_value(pod).unwrap()),
                report.map(|r| serde_json::from_value(r).unwrap()),
            )
        })
        .collect();
    let is_running =
        |pod: &Pod| pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running");
    Observed {
        deployment: deployment.map(|deployment| serde_json::from_value(deployment).unwrap()),
        reports: pods
            .iter()
            .filter(|(pod, _)| is_running(pod))
            .map(|(pod, report)| PodReport { pod: pod.clone(), report: report.clone() })
            .collect(),
        pods: pods.into_iter().map(|(pod, _)| pod).collect(),
    }
}

fn states() -> Vec<(&'static str, &'static str, Outcome, Observed)> {
    let refused = |reason, message: &str| Outcome::Refused { reason, message: message.to_owned() };
    let unready = |config| {
        pod(config, json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}))
    };
    let overdue = json!({"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"});
    let quota = json!({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
        "message": "pods \"pump-7d9f\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0"});
    let unschedulable = pod(
        "new",
        json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient memory."}]}),
    );
    let ended = |reason: &str, code: i32, message: &str| json!({"terminated": {"reason": reason, "exitCode": code, "message": message}});
    let pulling =
        || waiting("ImagePullBackOff", "Back-off pulling image \"registry.example/detector:9\"", json!({}));
    let warming = |have| report(json!({"name": "warmingUp", "have": have, "need": 4096}), true);
    vec![
        ("just written", "InProgress", Outcome::Applied, observed(Some(deployment(1, [0, 0, 0])), vec![])),
        (
            "a pod has started and has not answered",
            "InProgress",
            Outcome::Applied,
            observed(Some(deployment(1, [1, 1, 0])), vec![(unready("new"), None)]),
        ),
        (
            "a quarter of the samples is gathered",
            "InProgress",
            Outcome::Applied,
            observed(Some(deployment(1, [1, 1, 0])), vec![(unready("new"), warming(1030))]),
        ),
        (
            "the slower of two replicas speaks for both",
            "InProgress",
            Outcome::Applied,
            observed(
                Some(deployment(2, [2, 2, 0])),
                vec![(unready("new"), warming(4000)), (unready("new"), warming(41))],
            ),
        ),
        (
            "training failed",
            "InProgress",
            Outcome::Applied,
            observed(
                Some(deployment(1, [1, 1, 0])),
                vec![(
                    unready("new"),
                    report(
                        json!({"name": "trainingFailed", "message": "the recording has 1 row, and 2 are needed"}),
                        true,
                    ),
                )],
            ),
        ),
        (
            "trained, and not ready to the cluster yet",
            "InProgress",
            Outcome::Applied,
            observed(Some(deployment(1, [1, 1, 0])), vec![(unready("new"), serving())]),
        ),
        (
            "all is as asked",
            "Current",
            Outcome::Applied,
            observed(
                Some(deployment(2, [2, 2, 2])),
                vec![(running("new"), serving()), (running("new"), serving())],
            ),
        ),
        (
            "a source is silent",
            "InProgress",
            Outcome::Applied,
            observed(
                Some(deployment(1, [1, 1, 1])),
                vec![(running("new"), report(json!({"name": "serving"}), false))],
            ),
        ),
        (
            "a new version is rolled out behind the old",
            "InProgress",
            Outcome::Applied,
            observed(
                Some(deployment(1, [2, 1, 1])),
                vec![(running("old"), serving()), (unready("new"), warming(2048))],
            ),
        ),
        (
            "one of two replicas was lost",
            "InProgress",
            Outcome::Applied,
            observed(
                Some(deployment(2, [2, 2, 1])),
                vec![(running("new"), serving()), (unready("new"), None)],
            ),
        ),
        ("scaled to zero", "Current", Outcome::Applied, observed(Some(deployment(0, [0, 0, 0])), vec![])),
        (
            "the image cannot be pulled",
            "InProgress",
            Outcome::Applied,
            observed(Some(deployment(1, [1, 1, 0])), vec![(pulling(), None)]),
        ),
        (
            "the image still cannot be pulled",
            "Failed",
            Outcome::Applied,
            observed(Some(deployment_saying(1, [1, 1, 0], overdue)), vec![(pulling(), None)]),
        ),
        (
            "the new image cannot be pulled while the old version serves",
            "InProgress",
            Outcome::Applied,
            observed(Some(deployment(1, [2, 1, 1])), vec![(running("old"), serving()), (pulling(), None)]),
        ),
        (
            "it crashes with last words",
            "InProgress",
            Outcome::Applied,
            observed(
                Some(deployment(1, [1, 1, 0])),
                vec![(
                    waiting(
                        "CrashLoopBackOff",
                        "back-off 40s",
                        ended("Error", 1, "error: readings.csv: no such file\n"),
                    ),
                    None,
                )],
            ),
        ),
        (
            "it crashes without a word",
            "InProgress",
            Outcome::Applied,
            observed(
                Some(deployment(1, [1, 1, 0])),
                vec![(waiting("CrashLoopBackOff", "back-off 40s", ended("Error", 139, "")), None)],
            ),
        ),
        (
            "it needs more memory than it may have",
            "InProgress",
            Outcome::Applied,
            observed(
                Some(deployment(1, [1, 1, 0])),
                vec![(waiting("CrashLoopBackOff", "back-off 40s", ended("OOMKilled", 137, "")), None)],
            ),
        ),
        (
            "its container cannot be made",
            "InProgress",
            Outcome::Applied,
            observed(
                Some(deployment(1, [1, 1, 0])),
                vec![(
                    waiting("CreateContainerConfigError", "configmap \"pump\" not found", json!({})),
                    None,
                )],
            ),
        ),
        (
            "no node can take it",
            "InProgress",
            Outcome::Applied,
            observed(Some(deployment(1, [1, 1, 0])), vec![(unschedulable, None)]),
        ),
        (
            "a quota forbids the pod",
            "InProgress",
            Outcome::Applied,
            observed(Some(deployment_saying(1, [0, 0, 0], quota)), vec![]),
        ),
        (
            "a name is taken",
            "Failed",
            refused(
                Reason::NameTaken,
                "Service pump exists already and does not belong to this detector; delete it, or give the detector another name",
            ),
            observed(None, vec![]),
        ),
        (
            "a rule is broken while the version before serves",
            "Failed",
            refused(
                Reason::InvalidSpec,
                "spec.sources[1].name: must be unique, got \"first\", which spec.sources[0] has too",
            ),
            observed(Some(deployment(1, [1, 1, 1])), vec![(running("new"), serving())]),
        ),
        (
            "the API server is out of order",
            "InProgress",
            Outcome::Failed {
                message: "cannot patch Deployment pump: the API server did not answer within 10s".to_owned(),
            },
            observed(Some(deployment(1, [1, 1, 1])), vec![(running("new"), serving())]),
        ),
    ]
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The rules of kstatus (sigs.k8s.io/cli-utils) for a custom resource.
fn kstatus(generation: Option<i64>, status: &AnomalyDetectorStatus) -> &'static str {
    let is = |type_| status::status_of(&status.conditions, type_);
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
        "# Every state of a detector, and the status that says so. Rewritten by UPDATE=1 cargo test -p operator --test states\n",
    );
    for (state, expected, outcome, observed) in states() {
        let status = status::of(
            &detector(),
            &outcome,
            &observed,
            &AnomalyDetectorStatus::default(),
            at("2026-11-22T12:00:00Z"),
        );
        assert_eq!(kstatus(Some(3), &status), expected, "{state}");
        writeln!(
            recorded,
            "\n{state}:\n  kstatus: {expected}\n  replicas: {} ({} ready)",
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
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/states.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &recorded).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == recorded,
        "{path} is not current: UPDATE=1 cargo test -p operator --test states rewrites it\n{recorded}"
    );
}

#[test]
fn every_condition_is_always_there_and_speaks_of_this_generation() {
    for (state, _, outcome, observed) in states() {
        let status = status::of(
            &detector(),
            &outcome,
            &observed,
            &AnomalyDetectorStatus::default(),
            at("2026-11-22T12:00:00Z"),
        );
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
        assert_eq!(types[..7], always, "{state}");
        assert!(types[7..].is_empty() || types[7..] == ["Stalled"], "{state}: {types:?}");
        assert!(
            status.conditions.iter().all(|condition| condition.observed_generation == Some(3)),
            "{state}"
        );
        assert!(
            status
                .conditions
                .iter()
                .all(|condition| !condition.message.is_empty() && condition.message.len() < 32_768),
            "{state}"
        );
    }
}

#[test]
fn a_condition_keeps_its_time_while_its_status_stays() {
    let all: BTreeMap<_, _> =
        states().into_iter().map(|(state, _, outcome, observed)| (state, (outcome, observed))).collect();
    let status = |state: &str, before: &AnomalyDetectorStatus, time| {
        let (outcome, observed) = &all[state];
        status::of(&detector(), outcome, observed, before, at(time))
    };
    let time_of = |status: &AnomalyDetectorStatus, type_| {
        status::find(&status.conditions, type_).unwrap().last_transition_time.0
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
    let before = status::of(
        &detector(),
        &Outcome::Applied,
        &good,
        &AnomalyDetectorStatus::default(),
        at("2026-11-22T12:00:00Z"),
    );
    let mute = observed(Some(deployment(1, [1, 1, 1])), vec![(running("new"), None)]);
    assert_eq!(
        status::of(&detector(), &Outcome::Applied, &mute, &before, at("2026-11-22T12:01:00Z")),
        before
    );
}

#[test]
fn replicas_that_disagree_say_so() {
    let mut other = serving().unwrap();
    other["model"]["digest"] = json!(format!("sha256:{}", "00aa".repeat(16)));
    let observed = observed(
        Some(deployment(2, [2, 2, 2])),
        vec![(running("new"), serving()), (running("new"), Some(other))],
    );
    let status = status::of(
        &detector(),
        &Outcome::Applied,
        &observed,
        &AnomalyDetectorStatus::default(),
        at("2026-11-22T12:00:00Z"),
    );
    let message = &status::find(&status.conditions, ConditionType::ModelReady).unwrap().message;
    assert_eq!(message, "replicas serve different models: 00aa00aa00, 9f86d0819f");
}

#[test]
fn an_unreadable_object_keeps_what_was_known_and_fails() {
    let good = observed(Some(deployment(1, [1, 1, 1])), vec![(running("new"), serving())]);
    let before = status::of(
        &detector(),
        &Outcome::Applied,
        &good,
        &AnomalyDetectorStatus::default(),
        at("2026-11-22T12:00:00Z"),
    );
    let metadata = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
        generation: Some(4),
        ..Default::default()
    };
    let status =
        status::of_unreadable(&metadata, "missing field `sources`", &before, at("2026-11-22T12:01:00Z"));
    assert_eq!(kstatus(Some(4), &status), "Failed");
    assert_eq!(status.model, before.model);
    let ready = status::find(&status.conditions, ConditionType::Ready).unwrap();
    assert_eq!((ready.reason.as_str(), ready.status.as_str()), ("InvalidSpec", "False"));
    assert_eq!(
        ready.message,
        "this version of the operator cannot read the stored object: missing field `sources`"
    );
}
