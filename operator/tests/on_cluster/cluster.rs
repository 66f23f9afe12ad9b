//! End to end, on a real cluster with the operator installed by its chart: `tests/on-cluster`.
#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "a test may panic, and a table of cases is long"
)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::test_namespace::{TestNamespace, condition, restart_operator, sample, until};
use crate::unions;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use operator::resources::Kind;
use serde_json::{Value, json};

/// The longest time until an owned object that was deleted or edited is restored.
const REPAIR: Duration = Duration::from_secs(5);

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster"]
async fn the_quickstart_becomes_ready_and_answers_through_its_service() {
    let namespace = TestNamespace::new("first").await;
    namespace.apply(&sample("quickstart.yaml", "quickstart")).await.unwrap();
    let detector = namespace.ready("quickstart").await;
    assert_eq!(namespace.predict("quickstart", &json!({"value": 0.95})).await, json!({"anomaly": 0}));
    assert_eq!(namespace.predict("quickstart", &json!({"value": 1.5})).await, json!({"anomaly": 1}));

    let status = &detector["status"];
    assert_eq!(status["sensors"], 1);
    assert_eq!(status["readyReplicas"], 1);
    assert_eq!(status["endpoint"], format!("http://quickstart.{}.svc", namespace.name));
    assert!(status["model"]["digest"].as_str().unwrap().starts_with("sha256:"));
    for (type_, truth, reason) in [
        ("Accepted", "True", "AsSpecified"),
        ("ModelReady", "True", "Trained"),
        ("SourcesConnected", "True", "Connected"),
        ("MonitoringConfigured", "False", "PrometheusOperatorNotInstalled"),
        ("Available", "True", "AsSpecified"),
        ("Progressing", "False", "AsSpecified"),
        ("Stalled", "", ""),
    ] {
        let (status, because, _) = condition(&detector, type_);
        assert_eq!((status.as_str(), because.as_str()), (truth, reason), "{type_}");
    }
    namespace.delete().await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster"]
async fn every_sample_runs_or_says_what_it_lacks() {
    let namespace = TestNamespace::new("samples").await;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let manifest = sample(&format!("{name}.yaml"), &name);
        if name == "recorded-volume" {
            namespace
                .create_config_map(
                    "recordings",
                    "recorded.csv",
                    include_str!("../../../manifests/recorded.csv"),
                )
                .await;
        }
        if name == "every-option" {
            let certified = rcgen::generate_simple_self_signed(vec![name.clone()]).unwrap();
            let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
            let pair = [("tls.crt", &*certificate), ("tls.key", &key), ("ca.crt", &certificate)];
            namespace.create_secret("every-option-tls", &pair).await;
            namespace.create_secret("every-option-clients", &[("tokens", "a-token-of-the-plant")]).await;
        }
        namespace.apply(&manifest).await.unwrap();
        let source = &manifest["spec"]["sources"][0];
        if ["http", "prometheus", "mqtt"].iter().any(|kind| !source[kind].is_null()) {
            // No readings are pushed, and no server or broker answers at its address.
            let waits = |detector: &Value| condition(detector, "SourcesConnected").0 == "False";
            namespace.detector_once(&name, "says that its source gives nothing", waits).await;
            continue;
        }
        let is_csv = !source["csv"].is_null();
        if is_csv && manifest["spec"]["pod"]["volumes"].is_null() {
            // The recorded file exists only on the laptop where the manifest was written.
            let lacks = |detector: &Value| condition(detector, "Ready").2.contains("spec.pod.volumeMounts");
            let detector = namespace.detector_once(&name, "says what it lacks", lacks).await;
            assert_eq!(condition(&detector, "Ready").0, "False");
        } else {
            namespace.ready(&name).await;
        }
    }
    namespace.delete().await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster"]
async fn an_edit_rolls_the_pods_exactly_when_they_must_see_it() {
    let namespace = TestNamespace::new("edits").await;
    namespace.apply(&sample("quickstart.yaml", "pump")).await.unwrap();
    namespace.ready("pump").await;
    let pods = namespace.pod_uids("pump").await;

    namespace.edit("pump", json!({"service": {"port": 81}})).await;
    let detector = namespace.ready("pump").await;
    assert_eq!(detector["status"]["endpoint"], format!("http://pump.{}.svc:81", namespace.name));
    assert_eq!(namespace.pod_uids("pump").await, pods, "the Service is no affair of the pods");

    namespace.edit("pump", json!({"replicas": 2})).await;
    namespace.ready("pump").await;
    let both = namespace.pod_uids("pump").await;
    assert!(both.len() == 2 && both.contains(&pods[0]), "the first pod stays: {pods:?} {both:?}");

    let until_before = pinned(&namespace).await;
    namespace.edit("pump", json!({"threshold": {"contamination": 0.03}})).await;
    namespace.ready("pump").await;
    let new = namespace.pod_uids("pump").await;
    assert!(new.len() == 2 && new.iter().all(|pod| !both.contains(pod)), "{both:?} {new:?}");
    assert_eq!(pinned(&namespace).await, until_before, "a threshold is no reason to learn from other data");

    namespace.edit("pump", json!({"model": {"train": {"trees": 50}}})).await;
    namespace.ready("pump").await;
    assert_ne!(pinned(&namespace).await, until_before, "another model is trained on newer readings");
    namespace.delete().await;
}

async fn pinned(namespace: &TestNamespace) -> String {
    let config_map = namespace.api(Kind::ConfigMap).get("pump").await.unwrap();
    config_map.annotations()["anomaly.dev/history-until"].clone()
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster"]
async fn a_detector_is_scaled_by_its_scale() {
    let namespace = TestNamespace::new("scale").await;
    namespace.apply(&sample("quickstart.yaml", "pump")).await.unwrap();
    namespace.ready("pump").await;

    // The calls of an autoscaler that scales the detector; the manifest leaves the number of replicas out.
    let scale = json!(namespace.detectors().get_scale("pump").await.unwrap());
    assert_eq!((&scale["spec"]["replicas"], &scale["status"]["replicas"]), (&json!(1), &json!(1)), "{scale}");
    let three = Patch::Merge(json!({"spec": {"replicas": 3}}));
    namespace.detectors().patch_scale("pump", &PatchParams::default(), &three).await.unwrap();
    let three_ready = |detector: &Value| detector["status"]["readyReplicas"] == 3;
    let detector = namespace.detector_once("pump", "has three replicas", three_ready).await;
    assert_eq!(condition(&detector, "Ready").0, "True", "{detector}");
    assert_eq!(detector["status"]["ready"], "3/3");
    namespace.apply(&sample("quickstart.yaml", "pump")).await.unwrap();
    namespace.edit("pump", json!({"service": {"port": 81}})).await;
    namespace.ready("pump").await;
    let deployment = namespace.api(Kind::Deployment).get("pump").await.unwrap();
    assert_eq!(
        deployment.data["spec"]["replicas"], 3,
        "neither applying the manifest again nor a reconcile changes the autoscaler's number"
    );
    let budgets = namespace.api(Kind::PodDisruptionBudget);
    until("budget for three", async || budgets.get_opt("pump").await.unwrap()).await;

    let one = Patch::Merge(json!({"spec": {"replicas": 1}}));
    let scale = namespace.detectors().patch_scale("pump", &PatchParams::default(), &one).await.unwrap();
    assert_eq!(json!(scale.spec)["replicas"], 1);
    namespace.detector_once("pump", "has one replica", |detector| detector["status"]["replicas"] == 1).await;
    until("end of the budget", async || budgets.get_opt("pump").await.unwrap().is_none().then_some(())).await;
    let scale = json!(namespace.detectors().get_scale("pump").await.unwrap());
    assert_eq!(
        scale["status"]["selector"],
        "app.kubernetes.io/instance=pump,app.kubernetes.io/name=anomaly-detector"
    );

    let zero = Patch::Merge(json!({"spec": {"replicas": 0}}));
    namespace.detectors().patch_scale("pump", &PatchParams::default(), &zero).await.unwrap();
    let at_rest = |detector: &Value| condition(detector, "Ready").1 == "ScaledToZero";
    let detector = namespace.detector_once("pump", "is scaled to zero", at_rest).await;
    assert_eq!(condition(&detector, "Ready").0, "True");
    namespace.delete().await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster"]
async fn what_others_delete_or_edit_comes_back_and_what_they_add_stays() {
    let namespace = TestNamespace::new("drift").await;
    let mut manifest = sample("quickstart.yaml", "pump");
    manifest["spec"]["replicas"] = json!(2);
    namespace.apply(&manifest).await.unwrap();
    namespace.ready("pump").await;

    for kind in Kind::ALL.into_iter().filter(|kind| !kind.is_monitoring()) {
        let api = namespace.api(kind);
        let ours = json!(api.get("pump").await.unwrap());
        let edit = json!({
            "metadata": {"labels": {"team": "plant", "app.kubernetes.io/part-of": "something-else"}},
        });
        api.patch("pump", &PatchParams::default(), &Patch::Merge(edit)).await.unwrap();
        repaired(kind, "edited", async || {
            let object = api.get("pump").await.unwrap();
            (object.labels()["app.kubernetes.io/part-of"] == "anomaly-operator").then_some(object)
        })
        .await;
        assert_eq!(api.get("pump").await.unwrap().labels()["team"], "plant", "{kind:?}");

        api.delete("pump", &DeleteParams::background()).await.unwrap();
        let back = repaired(kind, "deleted", async || {
            let object = api.get_opt("pump").await.unwrap()?;
            (Some(&json!(object.uid())) != ours["metadata"].get("uid")).then_some(object)
        })
        .await;
        assert_eq!(back.labels()["app.kubernetes.io/part-of"], "anomaly-operator");
    }
    namespace.ready("pump").await;
    namespace.delete().await;
}

async fn repaired<T>(kind: Kind, done: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let began = Instant::now();
    let outcome = until(&format!("{kind:?} that was {done}"), look).await;
    assert!(began.elapsed() < REPAIR, "{kind:?} that was {done} was back after {:?}", began.elapsed());
    outcome
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster"]
async fn every_invalid_sample_is_refused_by_the_api_server_or_by_the_operator() {
    let namespace = TestNamespace::new("invalid").await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/invalid");
    let mut only_by_operator = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let Ok(mut documents) = crd::manifest::documents(&text) else { continue }; // kubectl refuses what is no YAML
        let manifest = documents.remove(0);
        let expected: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("# ")).collect();
        match namespace.apply(&manifest).await {
            Err(error) => assert!(names_a_field_of(&error.to_string(), &expected), "{path:?}: {error}"),
            Ok(detector) => {
                let name = detector.name_any();
                let is_refused = |detector: &Value| condition(detector, "Accepted").0 == "False";
                let detector = namespace.detector_once(&name, "is refused", is_refused).await;
                let (_, reason, message) = condition(&detector, "Accepted");
                assert_eq!(reason, "InvalidSpec", "{path:?}");
                assert!(expected.iter().all(|line| message.contains(line)), "{path:?}: {message}");
                assert_eq!(condition(&detector, "Stalled").0, "True");
                only_by_operator.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
                namespace.detectors().delete(&name, &DeleteParams::background()).await.unwrap();
                until("its end", async || {
                    namespace.detectors().get_opt(&name).await.unwrap().is_none().then_some(())
                })
                .await;
            }
        }
    }
    let no_schema_says = [
        "csv-followed-and-sorted",
        "csv-series-without-columns",
        "csv-time-without-date",
        "csv-time-zone",
        "csv-words-without-label",
        "history-of-what-is-pushed",
        "history-too-short",
        "memory-limit-too-low",
        "mqtt-client-id-of-replicas",
        "mqtt-same-topic-twice",
    ];
    assert_eq!(only_by_operator, no_schema_says.map(str::to_owned).into());
    namespace.delete().await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster"]
async fn every_member_of_a_union_can_take_the_place_of_every_other() {
    let namespace = TestNamespace::new("unions").await;
    unions::server_side(&namespace).await;
    unions::client_side(&namespace).await;
    namespace.delete().await;
}

/// Whether the error names the field of an expected one. The API server has its own wording for its own
/// checks, and repeats the message of a CEL rule.
fn names_a_field_of(error: &str, expected: &[&str]) -> bool {
    expected.iter().any(|line| {
        let (path, rule) = line.split_once(": ").unwrap_or(("", line));
        let rule = rule.split(", got").next().unwrap_or(rule);
        let field =
            path.rsplit('.').next().unwrap_or(path).trim_end_matches(|c: char| "[]0123456789".contains(c));
        match path {
            _ if error.contains(line) || error.contains(rule) => true,
            "apiVersion" => error.contains("anomaly.dev/v1"),
            _ => error.contains(field) && error.contains("spec"),
        }
    })
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster"]
async fn a_deleted_detector_leaves_nothing_behind() {
    let namespace = TestNamespace::new("delete").await;
    let mut manifest = sample("quickstart.yaml", "pump");
    manifest["spec"]["replicas"] = json!(2);
    namespace.apply(&manifest).await.unwrap();
    namespace.ready("pump").await;
    namespace.detectors().delete("pump", &DeleteParams::background()).await.unwrap();
    for kind in Kind::ALL {
        until(&format!("end of {kind:?}"), async || {
            namespace.find(kind, "pump").await.is_none().then_some(())
        })
        .await;
    }
    let models = ListParams::default().labels("app.kubernetes.io/instance=pump");
    until("end of the models", async || {
        namespace.api(Kind::ConfigMap).list(&models).await.unwrap().items.is_empty().then_some(())
    })
    .await;
    until("end of the pods", async || namespace.pod_uids("pump").await.is_empty().then_some(())).await;
    namespace.delete().await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster"]
async fn a_namespace_with_a_detector_can_be_deleted() {
    let namespace = TestNamespace::new("gone").await;
    namespace.apply(&sample("quickstart.yaml", "pump")).await.unwrap();
    namespace.ready("pump").await;
    let (client, name) = (namespace.client.clone(), namespace.name.clone());
    namespace.delete().await;
    let namespaces: Api<Namespace> = Api::all(client);
    until("end of the namespace", async || namespaces.get_opt(&name).await.unwrap().is_none().then_some(()))
        .await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster"]
async fn an_object_of_that_name_is_left_alone_and_the_detector_says_so() {
    let namespace = TestNamespace::new("taken").await;
    let foreign = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "pump"}, "data": {"mine": "yes"}});
    let foreign: DynamicObject = serde_json::from_value(foreign).unwrap();
    namespace.api(Kind::ConfigMap).create(&PostParams::default(), &foreign).await.unwrap();
    namespace.apply(&sample("quickstart.yaml", "pump")).await.unwrap();
    let is_taken = |detector: &Value| condition(detector, "Accepted").1 == "NameTaken";
    let detector = namespace.detector_once("pump", "says that its name is taken", is_taken).await;
    assert!(condition(&detector, "Ready").2.starts_with("ConfigMap pump exists already"), "{detector}");
    assert_eq!(
        namespace.api(Kind::ConfigMap).get("pump").await.unwrap().data["data"],
        json!({"mine": "yes"})
    );
    assert!(namespace.api(Kind::Deployment).get_opt("pump").await.unwrap().is_none());

    namespace.api(Kind::ConfigMap).delete("pump", &DeleteParams::default()).await.unwrap();
    namespace.ready("pump").await;
    namespace.delete().await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster"]
async fn what_keeps_pods_from_running_is_reported_on_the_detector() {
    let namespace = TestNamespace::new("diagnosis").await;
    let quota: DynamicObject = serde_json::from_value(
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": {"pods": "0"}}}),
    )
    .unwrap();
    let quotas: Api<DynamicObject> = Api::namespaced_with(
        namespace.client.clone(),
        &namespace.name,
        &ApiResource::erase::<k8s_openapi::api::core::v1::ResourceQuota>(&()),
    );
    quotas.create(&PostParams::default(), &quota).await.unwrap();
    namespace.apply(&sample("quickstart.yaml", "pump")).await.unwrap();
    reports(&namespace, "PodsForbidden", "exceeded quota").await;

    quotas.delete("small", &DeleteParams::default()).await.unwrap();
    namespace.edit("pump", json!({"pod": {"nodeSelector": {"disk": "none-such"}}})).await;
    reports(&namespace, "Unschedulable", "node").await;

    namespace.edit("pump", json!({"pod": {"nodeSelector": null, "priorityClassName": "none-such"}})).await;
    reports(&namespace, "PodsForbidden", "none-such").await;

    namespace.edit("pump", json!({"pod": {"priorityClassName": null}})).await;
    namespace.ready("pump").await;
    namespace.delete().await;
}

async fn reports(namespace: &TestNamespace, reason: &str, says: &str) {
    let is_reported = |detector: &Value| {
        let (status, because, message) = condition(detector, "Ready");
        status == "False" && because == reason && message.contains(says)
    };
    namespace.detector_once("pump", &format!("says {reason}: {says}"), is_reported).await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster"]
async fn a_restarted_operator_writes_nothing() {
    let namespace = TestNamespace::alone("restart").await;
    namespace.apply(&sample("quickstart.yaml", "pump")).await.unwrap();
    namespace.ready("pump").await;
    let before = namespace.versions("pump").await;
    restart_operator(&namespace).await;
    assert_eq!(namespace.versions("pump").await, before);
    namespace.delete().await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster"]
async fn a_stored_object_of_another_age_stops_nobody_else() {
    let namespace = TestNamespace::alone("age").await;
    let crds: Api<DynamicObject> = Api::all_with(
        namespace.client.clone(),
        &ApiResource::erase::<
            k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
        >(&()),
    );
    let current = crds.get("anomalydetectors.anomaly.dev").await.unwrap();
    let loose = json!([{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema",
        "value": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}]);
    let patch = Patch::<()>::Json(serde_json::from_value(loose).unwrap());
    crds.patch("anomalydetectors.anomaly.dev", &PatchParams::default(), &patch).await.unwrap();
    let old = json!({"apiVersion": "anomaly.dev/v1alpha1", "kind": "AnomalyDetector", "metadata": {"name": "old"}, "spec": {"sensors": ["a"]}});
    let old: DynamicObject = serde_json::from_value(old).unwrap();
    until("loose schema", async || namespace.detectors().create(&PostParams::default(), &old).await.ok())
        .await;
    let strict = json!([{"op": "replace", "path": "/spec/versions/0/schema", "value": current.data["spec"]["versions"][0]["schema"]}]);
    let patch = Patch::<()>::Json(serde_json::from_value(strict).unwrap());
    crds.patch("anomalydetectors.anomaly.dev", &PatchParams::default(), &patch).await.unwrap();

    restart_operator(&namespace).await;
    namespace.apply(&sample("quickstart.yaml", "pump")).await.unwrap();
    namespace.ready("pump").await;
    let is_reported = |detector: &Value| condition(detector, "Ready").1 == "InvalidSpec";
    let detector = namespace.detector_once("old", "says that it cannot be read", is_reported).await;
    assert!(condition(&detector, "Ready").2.contains("sources"), "{detector}");
    namespace.delete().await;
}
