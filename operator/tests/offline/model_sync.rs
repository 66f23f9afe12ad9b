//! Scenarios of the models that pods serve, against a scripted API server and pods on this machine: which
//! models are stored, pointed at, pinned and pruned, and which are not.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use crate::api_server::{Cluster, Fault};
use crate::pod::{Pod, artifact};
use serde_json::{Value, json};

const CONFIG_MAPS: &str = "/api/v1/namespaces/plant/configmaps/";
const POINTER: &str = "/api/v1/namespaces/plant/configmaps/pump-model";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/plant/deployments/pump";
const POD: &str = "/api/v1/namespaces/plant/pods/pump-7d9f-x";

/// The recipe of the quickstart's model.
fn recipe() -> String {
    let quickstart = include_str!("../../../manifests/quickstart.yaml");
    crd::manifest::one_detector(quickstart).unwrap().recipe_digest().unwrap()
}

/// A cluster with a detector whose workload exists, and the pod that its Deployment has created.
async fn with_a_pod() -> (Cluster, Pod) {
    let (mut cluster, pod) = (Cluster::new(), Pod::start());
    look(&mut cluster).await;
    let mut object = pod.object();
    object["metadata"]["annotations"] =
        cluster.get(DEPLOYMENT)["spec"]["template"]["metadata"]["annotations"].clone();
    cluster.put(POD, object);
    look(&mut cluster).await;
    cluster.calls();
    (cluster, pod)
}

/// The same, after the pod's first model was stored.
async fn with_a_model() -> (Cluster, Pod, String) {
    let (mut cluster, pod) = with_a_pod().await;
    let digest = pod.serve(&artifact(&recipe(), "first"), &recipe(), 1);
    for _ in 0..2 {
        look(&mut cluster).await;
    }
    cluster.calls();
    pod.asked_for_model();
    (cluster, pod, digest)
}

async fn look(cluster: &mut Cluster) {
    cluster.see();
    cluster.reconcile().await.unwrap();
}

fn name(digest: &str) -> String {
    format!("{CONFIG_MAPS}pump-model-{}", &digest[7..17])
}

/// The ConfigMaps with models, by path, without the fields that differ from run to run.
fn models(cluster: &Cluster) -> BTreeMap<String, Value> {
    let mut objects = cluster.server.lock().unwrap().objects.clone();
    objects.retain(|path, _| path.starts_with(POINTER));
    for object in objects.values_mut() {
        object["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    }
    objects
}

fn is_pointed_at(cluster: &Cluster, digest: &str) -> bool {
    let (pointer, kept) = (cluster.get(POINTER), cluster.get(&name(digest)));
    pointer["metadata"]["annotations"]["anomaly.dev/digest"] == digest
        && pointer["binaryData"]["model"].is_string()
        && pointer["binaryData"] == kept["binaryData"]
}

/// The condition ModelReady from a restarted operator, whose status throttle delays nothing.
async fn model_ready(cluster: &mut Cluster) -> (String, String, String) {
    cluster.restart();
    cluster.reconcile().await.unwrap();
    cluster.condition("ModelReady")
}

#[tokio::test]
async fn the_first_model_is_kept_then_pointed_at_and_asked_for_once() {
    let (mut cluster, pod) = with_a_pod().await;
    let digest = pod.serve(&artifact(&recipe(), "first"), &recipe(), 1);
    look(&mut cluster).await;
    let writes: Vec<_> = cluster.writes().into_iter().filter(|write| write.contains("configmaps")).collect();
    assert_eq!(writes, ["POST configmaps", "PATCH configmaps"]);
    let kept = cluster.get(&name(&digest));
    assert_eq!(kept["immutable"], true);
    assert_eq!(kept["metadata"]["annotations"]["anomaly.dev/recipe"], recipe());
    assert_eq!(kept["metadata"]["ownerReferences"][0]["uid"], "8fd1c1e4");
    assert_eq!(cluster.get(POINTER)["immutable"], Value::Null);
    assert!(is_pointed_at(&cluster, &digest));

    cluster.restart();
    cluster.reconcile().await.unwrap();
    cluster.calls();
    look(&mut cluster).await;
    assert_eq!(cluster.calls(), Vec::<String>::new(), "at rest the API server is asked nothing");
    assert_eq!(pod.asked_for_model(), 1);
}

#[tokio::test]
async fn the_others_begin_once_the_firsts_model_is_kept() {
    let (mut cluster, pod) = with_a_pod().await;
    cluster.edit_spec(|spec| spec["replicas"] = json!(3));
    look(&mut cluster).await;
    assert_eq!(cluster.get(DEPLOYMENT)["spec"]["replicas"], 1);
    let (_, _, message) = cluster.condition("Progressing");
    assert!(message.ends_with("; 2 more start once the first has trained the model"), "{message}");
    pod.serve(&artifact(&recipe(), "first"), &recipe(), 1);
    look(&mut cluster).await;
    look(&mut cluster).await;
    assert_eq!(cluster.get(DEPLOYMENT)["spec"]["replicas"], 3);
}

#[tokio::test]
async fn an_end_or_a_failure_after_any_write_loses_nothing() {
    let (cluster, _, _) = with_a_model().await;
    let whole = models(&cluster);
    assert_eq!(whole.len(), 2);
    for fault in [Fault::Refused(500), Fault::Refused(409), Fault::Lost] {
        for write in 1..=2 {
            let (mut cluster, pod) = with_a_pod().await;
            pod.serve(&artifact(&recipe(), "first"), &recipe(), 1);
            cluster.fail(write, fault.clone());
            cluster.see();
            let reads_as_there_already = matches!(fault, Fault::Refused(409)) && write == 1;
            assert_eq!(
                cluster.reconcile().await.is_ok(),
                reads_as_there_already,
                "{fault:?} at write {write}"
            );
            cluster.restart();
            cluster.reconcile().await.unwrap();
            assert_eq!(models(&cluster), whole, "{fault:?} at write {write}");
        }
    }
}

#[tokio::test]
async fn a_model_that_is_not_what_its_report_says_is_reported_and_not_kept() {
    let good = artifact(&recipe(), "first");
    let of_another = artifact("other", "first");
    let longer = [&good[..], b"and more"].concat();
    let cases: [(Option<&[u8]>, &str); 4] = [
        (None, "expected status 200, got 503 Service Unavailable"),
        (Some(&good[..good.len() - 1]), "expected a model of digest sha256:"),
        (Some(&of_another), "expected a model of digest sha256:"),
        (Some(&longer), "expected at most "),
    ];
    let (mut cluster, pod) = with_a_pod().await;
    let digest = pod.serve(&good, &recipe(), 1);
    for (given, why) in cases {
        pod.give(given);
        let (status, _, message) = model_ready(&mut cluster).await;
        assert_eq!(status, "True", "it serves all the same");
        assert!(message.contains(&format!("pod pump-7d9f-x does not return it: {why}")), "{message}");
        assert!(models(&cluster).is_empty());
    }
    pod.give(Some(&good));
    let (_, _, message) = model_ready(&mut cluster).await;
    assert!(!message.contains("not kept") && is_pointed_at(&cluster, &digest), "{message}");
}

#[tokio::test]
async fn a_header_that_belies_the_report_is_not_kept() {
    let (mut cluster, pod) = with_a_pod().await;
    pod.serve(&artifact("of another age", "first"), &recipe(), 1);
    let (_, _, message) = model_ready(&mut cluster).await;
    assert!(message.contains("got of another age") && models(&cluster).is_empty(), "{message}");
}

#[tokio::test]
async fn a_model_of_another_spec_is_not_asked_for() {
    let (mut cluster, pod) = with_a_pod().await;
    pod.serve(&artifact("another", "first"), "another", 1);
    look(&mut cluster).await;
    assert_eq!((pod.asked_for_model(), models(&cluster).len()), (0, 0));
}

#[tokio::test]
async fn a_model_that_is_too_large_is_reported_holds_nobody_back_and_is_not_asked_for_again() {
    let (mut cluster, pod) = with_a_pod().await;
    cluster.edit_spec(|spec| spec["replicas"] = json!(2));
    let digest = pod.serve(&artifact(&recipe(), &"x".repeat(901 * 1024)), &recipe(), 1);
    let (status, reason, message) = model_ready(&mut cluster).await;
    assert_eq!((status.as_str(), reason.as_str()), ("True", "ModelTooLarge"));
    assert!(message.contains("over 900 KiB it is too large"), "{message}");
    let pointer = cluster.get(POINTER);
    assert_eq!(pointer["metadata"]["annotations"]["anomaly.dev/digest"], digest);
    assert_eq!(pointer["binaryData"], Value::Null);
    look(&mut cluster).await;
    assert_eq!(cluster.get(DEPLOYMENT)["spec"]["replicas"], 2);
    assert_eq!(pod.asked_for_model(), 0, "its report says how large it is");

    let small = pod.serve(&artifact(&recipe(), "second"), &recipe(), 2);
    look(&mut cluster).await;
    assert!(is_pointed_at(&cluster, &small));
}

#[tokio::test]
async fn a_name_that_is_taken_is_left_alone_and_reported() {
    let foreign = json!({"metadata": {"name": "pump-model", "namespace": "plant"}, "data": {"mine": "yes"}});
    let mut cluster = Cluster::new();
    cluster.put(POINTER, foreign.clone());
    look(&mut cluster).await;
    assert_eq!(
        cluster.writes(),
        ["PATCH anomalydetectors/status", "POST events"],
        "before any pod would mount it"
    );
    assert!(cluster.condition("Stalled").2.starts_with("ConfigMap pump-model exists already"));

    let (mut cluster, pod) = with_a_pod().await;
    cluster.put(POINTER, foreign);
    pod.serve(&artifact(&recipe(), "first"), &recipe(), 1);
    look(&mut cluster).await;
    assert_eq!(cluster.condition("Accepted").1, "NameTaken");
    assert_eq!(cluster.get(POINTER)["data"], json!({"mine": "yes"}));
}

#[tokio::test]
async fn what_others_delete_comes_back_from_the_pod_or_from_the_other_one() {
    let (mut cluster, pod, digest) = with_a_model().await;
    let whole = models(&cluster);
    for lost in [vec![POINTER.to_owned()], vec![name(&digest)], vec![POINTER.to_owned(), name(&digest)]] {
        for path in &lost {
            cluster.server.lock().unwrap().objects.remove(path);
        }
        look(&mut cluster).await;
        assert_eq!(models(&cluster), whole, "{lost:?}");
    }
    assert_eq!(pod.asked_for_model(), 2, "a pointer is copied from what is kept");
}

#[tokio::test]
async fn a_newer_model_takes_over_and_the_oldest_go() {
    let (mut cluster, pod, first) = with_a_model().await;
    let mut digests = vec![first];
    for minute in 2..=5 {
        digests.push(pod.serve(&artifact(&recipe(), &format!("of minute {minute}")), &recipe(), minute));
        look(&mut cluster).await;
        assert!(is_pointed_at(&cluster, digests.last().unwrap()));
        look(&mut cluster).await;
    }
    let kept: Vec<_> = models(&cluster).into_keys().filter(|path| path != POINTER).collect();
    let mut newest: Vec<_> = digests[2..].iter().map(|digest| name(digest)).collect();
    newest.sort();
    assert_eq!(kept, newest);
    assert!(cluster.writes().contains(&"POST events".to_owned()), "an Event says that another model serves");
}

#[tokio::test]
async fn a_pin_moves_the_pointer_and_touches_no_pod() {
    let (mut cluster, pod, first) = with_a_model().await;
    let second = pod.serve(&artifact(&recipe(), "second"), &recipe(), 2);
    look(&mut cluster).await;
    let template = cluster.get(DEPLOYMENT)["spec"]["template"].clone();
    for (pin, serves) in [(json!(first), &first), (Value::Null, &second)] {
        cluster.edit_spec(|spec| spec["model"]["pinnedDigest"] = pin);
        look(&mut cluster).await;
        assert!(is_pointed_at(&cluster, serves));
    }

    let unknown = format!("sha256:{}", "0".repeat(64));
    cluster.edit_spec(|spec| spec["model"]["pinnedDigest"] = json!(unknown));
    let (status, reason, message) = model_ready(&mut cluster).await;
    assert_eq!((status.as_str(), reason.as_str()), ("False", "PinNotFound"));
    assert!(message.contains(&second) && message.contains(&first), "it lists what there is: {message}");
    assert!(is_pointed_at(&cluster, &second), "the current model keeps serving");
    assert_eq!(cluster.get(DEPLOYMENT)["spec"]["template"], template);
}

#[tokio::test]
async fn another_training_is_asked_for_once_and_touches_no_pod() {
    let (mut cluster, _pod, _) = with_a_model().await;
    // A time of long ago, which cannot be mistaken for a new one.
    let long_ago = |object: &mut Value| {
        object["metadata"]["annotations"]["anomaly.dev/history-until"] = json!("2020-01-01T00:00:00Z");
    };
    cluster.edit(&format!("{CONFIG_MAPS}pump"), long_ago);
    cluster.edit(DEPLOYMENT, long_ago);
    look(&mut cluster).await;
    let until = |cluster: &Cluster| {
        let manifest = cluster.get(&format!("{CONFIG_MAPS}pump"))["data"]["detector.yaml"].clone();
        manifest
            .as_str()
            .unwrap()
            .lines()
            .find(|line| line.contains("dataEndTime:"))
            .unwrap()
            .trim()
            .to_owned()
    };
    let template = cluster.get(DEPLOYMENT)["spec"]["template"].clone();
    assert_eq!(until(&cluster), r#"dataEndTime: "2020-01-01T00:00:00Z""#);
    cluster.calls();

    cluster.annotate("anomaly.dev/retrain", "monday");
    look(&mut cluster).await;
    let asked = until(&cluster);
    assert_ne!(asked, r#"dataEndTime: "2020-01-01T00:00:00Z""#);
    assert_eq!(cluster.writes()[..3], ["PATCH configmaps", "PATCH deployments", "POST events"]);
    look(&mut cluster).await;
    assert_eq!(cluster.writes(), Vec::<String>::new());
    cluster.restart();
    cluster.reconcile().await.unwrap();
    assert_eq!(until(&cluster), asked, "a restarted operator remembers the request");
    assert_eq!(cluster.get(DEPLOYMENT)["spec"]["template"], template);
}
