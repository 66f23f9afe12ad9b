//! A model that outlives its pods, on a real cluster with the operator installed by its chart:
//! `tests/on-cluster persistence`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::process::Command;

use crate::test_namespace::{
    SYSTEM, TestNamespace, condition, operator_pods, restart_operator, sample, until,
};
use http::Request;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use operator::client::rollouts::is_rolling_out;
use operator::resources::Kind;
use serde_json::{Value, json};

const REPLICAS: usize = 3;
const KILLS: usize = 20;

/// The pods of a detector, and the number of trainings that each of their processes has reported, by pod and
/// restart.
struct Ledger<'a> {
    namespace: &'a TestNamespace,
    name: &'a str,
    processes: BTreeMap<(String, i32), u64>,
}

impl<'a> Ledger<'a> {
    fn new(namespace: &'a TestNamespace, name: &'a str) -> Self {
        Self { namespace, name, processes: BTreeMap::new() }
    }

    async fn pods(&self) -> Vec<Pod> {
        let of_detector = ListParams::default().labels(&format!("app.kubernetes.io/instance={}", self.name));
        let pods = self.namespace.pods().list(&of_detector).await.unwrap().items;
        pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect()
    }

    /// Wait until this many pods are ready and report that they serve that model, and record how often each
    /// has trained. In these tests every process is ready and recorded here before it ends.
    async fn all_serve(&mut self, digest: &str, count: usize) {
        let what = format!("{count} pods that serve {digest}");
        let said = until(&what, async || {
            let pods = self.pods().await;
            let mut said = Vec::new();
            for pod in pods.iter().filter(|pod| is_ready(pod)) {
                let report = self.report(pod).await?;
                if report["model"]["digest"] != digest {
                    return None;
                }
                said.push(((pod.uid()?, restarts(pod)), report["trainings"].as_u64()?));
            }
            (pods.len() == count && said.len() == count).then_some(said)
        })
        .await;
        self.processes.extend(said);
    }

    async fn report(&self, pod: &Pod) -> Option<Value> {
        let (namespace, name) = (&self.namespace.name, pod.name_any());
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}:8000/proxy/status");
        self.namespace.client.request(Request::get(path).body(Vec::new()).unwrap()).await.ok()
    }

    fn trainings(&self) -> u64 {
        self.processes.values().sum()
    }

    /// Delete a pod without warning.
    async fn kill(&self, pod: &Pod) {
        let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        self.namespace.pods().delete(&pod.name_any(), &at_once).await.unwrap();
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn restarts(pod: &Pod) -> i32 {
    let containers = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    containers.into_iter().map(|container| container.restart_count).sum()
}

/// Kill the pod's detector process with SIGKILL, as the kernel would, so that it cannot shut down cleanly.
fn kill_process_of(pod: &Pod) {
    let uid = pod.uid().unwrap().replace('-', "[-_]");
    let script = format!(
        "for p in $(grep -lE 'pod{uid}' /proc/[0-9]*/cgroup | cut -d/ -f3); do grep -qa '^/detector' /proc/$p/cmdline && kill -KILL $p; done"
    );
    assert!(Command::new("bash").args(["-c", &script]).status().unwrap().success());
}

/// Whether the cluster is the one of `tests/cluster`, whose node is this machine.
fn is_of_this_machine() -> bool {
    std::env::var("KUBECONFIG").is_ok_and(|path| path.starts_with("/run/anomaly-operator/"))
}

/// The detector's image under its second name: `images/build` gives it two.
fn another_image() -> String {
    std::env::var("ANOTHER_IMAGE").unwrap_or_else(|_| "localhost/anomaly-detector:dev".to_owned())
}

async fn replicas(namespace: &TestNamespace, count: usize) {
    let scale = Patch::Merge(json!({"spec": {"replicas": count}}));
    namespace.detectors().patch_scale("pump", &PatchParams::default(), &scale).await.unwrap();
}

/// Change the image for the detectors, as an upgrade of the operator does. Return the image before.
async fn upgrade_operator(namespace: &TestNamespace, image: &str) -> String {
    set_variable(namespace, "DETECTOR_IMAGE", image).await
}

/// Change one of the operator's settings. Return the value before.
async fn set_variable(namespace: &TestNamespace, name: &str, value: &str) -> String {
    namespace.must_be_alone();
    let deployments: Api<DynamicObject> =
        Api::namespaced_with(namespace.client.clone(), SYSTEM, &Kind::Deployment.resource());
    let operator = deployments.list(&ListParams::default()).await.unwrap().items.remove(0);
    let container = &operator.data["spec"]["template"]["spec"]["containers"][0];
    let variables = container["env"].as_array().unwrap();
    let at = variables.iter().position(|variable| variable["name"] == name).unwrap();
    let before = variables[at]["value"].as_str().unwrap().to_owned();
    let patch = json!([{"op": "replace", "path": format!("/spec/template/spec/containers/0/env/{at}/value"), "value": value}]);
    let patch = Patch::<()>::Json(serde_json::from_value(patch).unwrap());
    let old = operator_pods(&namespace.client).await.remove(0).uid();
    deployments.patch(&operator.name_any(), &PatchParams::default(), &patch).await.unwrap();
    until("upgraded operator", async || {
        let pods = operator_pods(&namespace.client).await;
        (pods.len() == 1 && pods[0].uid() != old && is_ready(&pods[0])).then_some(())
    })
    .await;
    before
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster persistence"]
async fn one_training_serves_whatever_happens_to_its_pods() {
    let namespace = TestNamespace::alone("persistence").await;
    let mut manifest = sample("quickstart.yaml", "pump");
    manifest["spec"]["replicas"] = json!(REPLICAS);
    namespace.apply(&manifest).await.unwrap();
    let detector = namespace.ready("pump").await;
    let digest = detector["status"]["model"]["digest"].as_str().unwrap().to_owned();
    assert_eq!(detector["status"]["model"]["origin"], "Trained");
    let mut ledger = Ledger::new(&namespace, "pump");
    ledger.all_serve(&digest, REPLICAS).await;
    assert_eq!(ledger.trainings(), 1, "the others began with what the first had trained");

    for kill in 0..KILLS {
        let pods = ledger.pods().await;
        ledger.kill(&pods[kill % REPLICAS]).await;
        ledger.all_serve(&digest, REPLICAS).await;
    }
    if is_of_this_machine() {
        let pods = ledger.pods().await;
        kill_process_of(&pods[0]);
        until("restarted container", async || {
            (restarts(&namespace.pods().get(&pods[0].name_any()).await.ok()?) == 1).then_some(())
        })
        .await;
        ledger.all_serve(&digest, REPLICAS).await;

        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/cluster/restart");
        assert!(Command::new(root).arg("containerd").status().unwrap().success());
        ledger.all_serve(&digest, REPLICAS).await;
    }
    for pod in ledger.pods().await {
        ledger.kill(&pod).await;
    }
    ledger.all_serve(&digest, REPLICAS).await;

    replicas(&namespace, 0).await;
    let at_rest = |detector: &Value| condition(detector, "Ready").1 == "ScaledToZero";
    namespace.detector_once("pump", "is scaled to zero", at_rest).await;
    replicas(&namespace, REPLICAS).await;
    ledger.all_serve(&digest, REPLICAS).await;

    restart_operator(&namespace).await;
    ledger.all_serve(&digest, REPLICAS).await;

    let before = ledger.pods().await;
    let image = upgrade_operator(&namespace, &another_image()).await;
    until("pods of the new image", async || {
        let pods = ledger.pods().await;
        let is_old = |pod: &Pod| before.iter().any(|old| old.uid() == pod.uid());
        (pods.len() == REPLICAS && !pods.iter().any(is_old)).then_some(())
    })
    .await;
    ledger.all_serve(&digest, REPLICAS).await;
    upgrade_operator(&namespace, &image).await;
    namespace.ready("pump").await;
    until("pods of the old image", async || (ledger.pods().await.len() == REPLICAS).then_some(())).await;
    ledger.all_serve(&digest, REPLICAS).await;

    let detector = namespace.ready("pump").await;
    assert_eq!(detector["status"]["model"]["digest"], *digest);
    assert_eq!(ledger.trainings(), 1, "of {} processes", ledger.processes.len());
    println!("figures: processes={} trainings={}", ledger.processes.len(), ledger.trainings());
    namespace.delete().await;
}

/// Whether the detector's Deployment is replacing its pods.
async fn rolls_out(namespace: &TestNamespace, name: &str) -> bool {
    let deployment = namespace.api(Kind::Deployment).get(name).await.unwrap();
    is_rolling_out(deployment.metadata.generation, &deployment.data)
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster persistence"]
async fn an_upgrade_replaces_the_pods_of_one_detector_after_the_other_where_that_is_the_limit() {
    let namespace = TestNamespace::alone("rollouts").await;
    let names = ["a", "b", "c", "d"];
    for name in names {
        namespace.apply(&sample("quickstart.yaml", name)).await.unwrap();
    }
    let mut before = Vec::new();
    for name in names {
        namespace.ready(name).await;
        before.extend(namespace.pod_uids(name).await);
    }
    let limit = set_variable(&namespace, "MAX_CONCURRENT_ROLLOUTS", "1").await;
    let image = upgrade_operator(&namespace, &another_image()).await;
    let (mut most, mut has_queued) = (0, false);
    let began = std::time::Instant::now();
    loop {
        let (mut rolling, mut done) = (0, 0);
        for name in names {
            let detector = json!(namespace.detectors().get(name).await.unwrap());
            has_queued |= condition(&detector, "Ready").1 == "RolloutQueued";
            rolling += usize::from(rolls_out(&namespace, name).await);
            let pods = namespace.pod_uids(name).await;
            let is_new = pods.len() == 1 && !before.contains(&pods[0]);
            done += usize::from(is_new && condition(&detector, "Ready").0 == "True");
        }
        most = most.max(rolling);
        if done == names.len() {
            break;
        }
        assert!(began.elapsed().as_secs() < 180, "{done} of {} have new pods", names.len());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(has_queued, "the others said that they wait");
    assert_eq!(most, 1, "rollouts at once");
    set_variable(&namespace, "MAX_CONCURRENT_ROLLOUTS", &limit).await;
    upgrade_operator(&namespace, &image).await;
    namespace.delete().await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster persistence"]
async fn another_training_and_a_pin_change_what_serves_and_no_pod() {
    let namespace = TestNamespace::new("retrain").await;
    let mut manifest = sample("quickstart.yaml", "pump");
    manifest["spec"]["replicas"] = json!(2);
    namespace.apply(&manifest).await.unwrap();
    let first = digest_of(&namespace.ready("pump").await);
    let mut ledger = Ledger::new(&namespace, "pump");
    ledger.all_serve(&first, 2).await;
    let pods = namespace.pod_uids("pump").await;

    let annotate = Patch::Merge(json!({"metadata": {"annotations": {"anomaly.dev/retrain": "monday"}}}));
    namespace.detectors().patch("pump", &PatchParams::default(), &annotate).await.unwrap();
    let has_another = |detector: &Value| digest_of(detector) != first;
    let second = digest_of(&namespace.detector_once("pump", "serves another model", has_another).await);
    ledger.all_serve(&second, 2).await;
    until("kept model", async || namespace.api(Kind::ConfigMap).get_opt(&kept(&second)).await.unwrap()).await;

    namespace.edit("pump", json!({"model": {"pinnedDigest": first}})).await;
    ledger.all_serve(&first, 2).await;
    namespace.edit("pump", json!({"model": {"pinnedDigest": null}})).await;
    ledger.all_serve(&second, 2).await;

    let unknown = format!("sha256:{}", "0".repeat(64));
    namespace.edit("pump", json!({"model": {"pinnedDigest": unknown}})).await;
    let is_reported = |detector: &Value| condition(detector, "ModelReady").1 == "PinNotFound";
    let detector = namespace.detector_once("pump", "misses the pinned model", is_reported).await;
    assert_eq!(digest_of(&detector), second, "the current model keeps serving");
    namespace.edit("pump", json!({"model": {"pinnedDigest": null}})).await;
    namespace.ready("pump").await;
    assert_eq!(namespace.pod_uids("pump").await, pods);

    // Edits of the pointer by other writers are overwritten.
    let scribble = Patch::Merge(json!({"binaryData": {"model": "c2NyaWJibGU="}}));
    namespace.api(Kind::ConfigMap).patch("pump-model", &PatchParams::default(), &scribble).await.unwrap();
    until("mended pointer", async || {
        let [pointer, model] = ["pump-model", &kept(&second)].map(str::to_owned);
        let config_maps = namespace.api(Kind::ConfigMap);
        let (pointer, model) = (config_maps.get(&pointer).await.ok()?, config_maps.get(&model).await.ok()?);
        (pointer.data["binaryData"] == model.data["binaryData"]).then_some(())
    })
    .await;
    // An edit that shapes neither the model nor the start of the pods causes no training; a new threshold
    // needs none.
    let trained = ledger.trainings();
    namespace.edit("pump", json!({"threshold": {"contamination": 0.03}})).await;
    namespace.ready("pump").await;
    let cut = until("one cut on all pods", async || {
        let detector = json!(namespace.detectors().get("pump").await.unwrap());
        (digest_of(&detector) != second && namespace.pod_uids("pump").await.len() == 2)
            .then(|| digest_of(&detector))
    })
    .await;
    ledger.all_serve(&cut, 2).await;
    assert_eq!(ledger.trainings(), trained, "a threshold is no reason to train");
    namespace.delete().await;
}

fn digest_of(detector: &Value) -> String {
    detector["status"]["model"]["digest"].as_str().unwrap_or_default().to_owned()
}

/// The name of the ConfigMap that stores this model.
fn kept(digest: &str) -> String {
    operator::resources::model::revision_name("pump", digest)
}
