//! Every combined state of a detector and its observed workload.
#![allow(
    clippy::needless_pass_by_value,
    clippy::too_many_lines,
    clippy::unnecessary_wraps,
    reason = "a table of cases is long, and its rows are alike"
)]

use std::sync::Arc;

use crd::AnomalyDetector;
use crd::contract::Report;
use crd::status::Reason;
use k8s_openapi::api::core::v1::Pod;
use operator::models::model_sync::{Concern, ModelSync};
use operator::models::revisions::PinNotFound;
use operator::observe::{Observed, PodReport};
use operator::status::outcome::Outcome;
use serde_json::{Value, json};

pub fn detector() -> AnomalyDetector {
    let mut detector = crd::manifest::one_detector(include_str!("../../../manifests/quickstart.yaml"))
        .unwrap()
        .detector()
        .clone();
    detector.metadata.name = Some("pump".to_owned());
    detector.metadata.namespace = Some("plant".to_owned());
    detector.metadata.generation = Some(3);
    detector
}

/// A Deployment that asks for `wanted` pods, and has these numbers of them: all, of the newest version,
/// ready.
pub fn deployment(wanted: i32, [replicas, updated, ready]: [i32; 3]) -> Value {
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

pub fn running(config: &str) -> Value {
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
        "model": if serving { json!({"digest": format!("sha256:{}", "9f86d081".repeat(8)), "trainedAt": "2026-11-22T12:00:07Z", "dataEndTime": "2026-11-22T12:00:00Z", "samples": 4096, "threshold": 0.61}) } else { Value::Null },
        "sources": [{"name": "simulation", "connected": connected, "message": if connected { "" } else { "connection refused" }}],
    }))
}

pub fn serving() -> Option<Value> {
    report(json!({"name": "serving"}), true)
}

pub fn observed(deployment: Option<Value>, pods: Vec<(Value, Option<Value>)>) -> Observed {
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
            .map(|(pod, report)| PodReport { pod: pod.clone(), report: report.clone(), unusable: None })
            .collect(),
        pods: pods.into_iter().map(|(pod, _)| pod).collect(),
        endpoints: None,
        monitoring: Some(Vec::new()),
    }
}

/// A state that a detector can be in.
pub struct State {
    pub name: &'static str,
    /// The verdict of kstatus.
    pub kstatus: &'static str,
    /// The spec's number of pods.
    pub replicas: i32,
    pub outcome: Outcome,
    pub observed: Observed,
    pub sync: ModelSync,
}

pub fn states() -> Vec<State> {
    let usual = |(name, kstatus, outcome, observed): (_, _, _, Observed)| State {
        name,
        kstatus,
        replicas: asked(&observed),
        outcome,
        observed,
        sync: ModelSync::default(),
    };
    workload_states().into_iter().map(usual).chain(model_states()).collect()
}

/// The number of pods that the Deployment asks for.
fn asked(observed: &Observed) -> i32 {
    let spec = observed.deployment.as_ref().and_then(|deployment| deployment.spec.as_ref());
    spec.and_then(|spec| spec.replicas).unwrap_or(1)
}

/// The states of models.
fn model_states() -> Vec<State> {
    let one = |report| observed(Some(deployment(1, [1, 1, 1])), vec![(running("new"), report)]);
    let state = |name, kstatus, observed, concern| State {
        name,
        kstatus,
        replicas: 1,
        outcome: Outcome::Applied,
        observed,
        sync: ModelSync { concern, ..ModelSync::default() },
    };
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut report = serving();
        report.iter_mut().for_each(edit);
        report
    };
    let loaded = edited(&|report| report["model"]["origin"] = json!("Loaded"));
    let doubted = edited(&|report| {
        report["model"]["samples"] = json!(20);
        report["model"]["warnings"] = json!([
            "20 rows are few to train on: 64 or more are better",
            "constant in the training set: load; any other value will look anomalous",
        ]);
    });
    let too_many_alarms = edited(&|report| {
        report["alarmRate"] = json!({"promisedPerDay": 5.0, "realisedToPromised": 9.3, "exceededSince": "2026-11-22T10:00:00Z",
            "topContributors": ["load", "speed"]});
    });
    let rejected = edited(&|report| {
        report["rejected"] = json!({
            "reason": "DigestMismatch",
            "message": "model.load.sha256 must be that of the file, 9f86d0819f, got 00aa00aa00; model 9f86d0819f keeps serving",
        });
    });
    let pin = PinNotFound {
        pin: format!("sha256:{}", "00aa".repeat(16)),
        have: format!("sha256:{}", "9f86d081".repeat(8)),
    };
    let unreachable = Concern::NotFetched {
        pod: "pump-7d9f-new".to_owned(),
        why: "expected status 200, got 503 Service Unavailable".to_owned(),
    };
    let first = observed(Some(deployment(1, [1, 1, 0])), vec![(running("new"), None)]);
    vec![
        State { replicas: 3, ..state("the first of three pods trains", "InProgress", first, None) },
        State {
            replicas: 3,
            ..state(
                "the first has trained, and its model is not kept yet",
                "InProgress",
                one(serving()),
                None,
            )
        },
        state("a model was loaded", "Current", one(loaded), None),
        state("a model may not be trusted", "Current", one(doubted), None),
        state("far more alarms come than were promised", "Current", one(too_many_alarms), None),
        state("a model to load is refused while the one before serves", "InProgress", one(rejected), None),
        state("the pinned model is not kept", "InProgress", one(serving()), Some(pin.into())),
        state("a model is too large to be kept", "Current", one(serving()), Some(Concern::TooLarge)),
        state("a pod does not give its model", "Current", one(serving()), Some(unreachable)),
    ]
}

fn workload_states() -> Vec<(&'static str, &'static str, Outcome, Observed)> {
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
            "its Service leads nowhere",
            "InProgress",
            Outcome::Applied,
            Observed {
                endpoints: Some(0),
                ..observed(Some(deployment(1, [1, 1, 1])), vec![(running("new"), serving())])
            },
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
