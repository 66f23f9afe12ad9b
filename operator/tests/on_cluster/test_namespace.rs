//! A namespace on a real cluster for one test. It is labelled so that only pods of the restricted Pod
//! Security Standard may run in it. The chart has installed the operator before: see `tests/on-cluster`.
#![allow(dead_code, reason = "the end-to-end tests and the figures each use a part")]

pub mod prometheus;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use http::Request;
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret};
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};
use operator::resources::Kind;
use serde_json::{Value, json};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The namespace of the operator.
pub const SYSTEM: &str = "anomaly-system";
/// The longest wait for a condition.
const PATIENCE: Duration = Duration::from_mins(2);

/// A lock on the operator and the CRD, which all tests share.
static OPERATOR: RwLock<()> = RwLock::const_new(());

enum Operator {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

/// A namespace on a real cluster, for one test.
pub struct TestNamespace {
    pub client: Client,
    pub name: String,
    operator: Operator,
}

impl TestNamespace {
    /// Create a namespace whose name begins with this one. Other tests run at the same time.
    pub async fn new(name: &str) -> Self {
        Self::with(Operator::Shared(OPERATOR.read().await), name).await
    }

    /// The same, for a test that restarts or changes the operator or the CRD: no other test runs at the same
    /// time.
    pub async fn alone(name: &str) -> Self {
        Self::with(Operator::Alone(OPERATOR.write().await), name).await
    }

    async fn with(operator: Operator, name: &str) -> Self {
        let client = client().await;
        let name = format!("{name}-{}", std::process::id());
        let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        let object = serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).unwrap();
        Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &object).await.unwrap();
        Self { client, name, operator }
    }

    /// Check that the test has the operator to itself: a function that changes the operator calls this first.
    pub fn must_be_alone(&self) {
        assert!(matches!(self.operator, Operator::Alone(_)), "{} shares the operator", self.name);
    }

    /// Delete the namespace with all its objects. A test that fails does not get here, so that its namespace
    /// can be inspected.
    pub async fn delete(self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.delete(&self.name, &DeleteParams::background()).await.unwrap();
    }

    /// Objects of a kind in this namespace.
    pub fn api(&self, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.name, &kind.resource())
    }

    pub fn detectors(&self) -> Api<DynamicObject> {
        let resource = ApiResource::erase::<crd::AnomalyDetector>(&());
        Api::namespaced_with(self.client.clone(), &self.name, &resource)
    }

    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Apply the manifest as `kubectl apply --server-side` does: an unknown field is refused.
    pub async fn apply(&self, manifest: &Value) -> kube::Result<DynamicObject> {
        let name = manifest["metadata"]["name"].as_str().unwrap();
        let parameters = PatchParams::apply("test").validation_strict();
        self.detectors().patch(name, &parameters, &Patch::Apply(manifest)).await
    }

    /// Create a ConfigMap with one key.
    pub async fn create_config_map(&self, name: &str, key: &str, text: &str) {
        let object =
            serde_json::from_value(json!({"metadata": {"name": name}, "data": {key: text}})).unwrap();
        self.api(Kind::ConfigMap).create(&PostParams::default(), &object).await.unwrap();
    }

    /// Create a Secret with these keys.
    pub async fn create_secret(&self, name: &str, keys: &[(&str, &str)]) {
        let data: BTreeMap<&str, &str> = keys.iter().copied().collect();
        let object = serde_json::from_value(json!({"metadata": {"name": name}, "stringData": data})).unwrap();
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.name);
        secrets.create(&PostParams::default(), &object).await.unwrap();
    }

    /// Merge these fields into the detector's spec.
    pub async fn edit(&self, name: &str, spec: Value) {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.detectors().patch(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Wait until the detector is Ready for its current spec, and return it.
    pub async fn ready(&self, name: &str) -> Value {
        self.detector_once(name, "Ready", |detector| condition(detector, "Ready").0 == "True").await
    }

    /// Wait until `is_so` holds for the detector and its status is of the newest spec, and return it.
    pub async fn detector_once(&self, name: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let detectors = self.detectors();
        let what = format!("detector {name} {what}");
        until(&what, async || {
            let detector = detectors.get_opt(name).await.ok()??;
            let detector = json!(detector);
            let is_current = detector["status"]["observedGeneration"] == detector["metadata"]["generation"];
            (is_current && is_so(&detector)).then_some(detector)
        })
        .await
    }

    /// The UIDs of the detector's pods that are not being deleted.
    pub async fn pod_uids(&self, name: &str) -> Vec<String> {
        let of_detector = ListParams::default().labels(&format!("app.kubernetes.io/instance={name}"));
        let pods = self.pods().list(&of_detector).await.unwrap();
        let staying = pods.items.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
        let mut uids: Vec<String> = staying.filter_map(ResourceExt::uid).collect();
        uids.sort();
        uids
    }

    /// An object, or `None` where it does not exist or the cluster does not know its kind.
    pub async fn find(&self, kind: Kind, name: &str) -> Option<DynamicObject> {
        match self.api(kind).get_opt(name).await {
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            found => found.unwrap(),
        }
    }

    /// The resource versions of the detector and of all its objects.
    pub async fn versions(&self, name: &str) -> Vec<String> {
        let mut versions = vec![self.detectors().get(name).await.unwrap().resource_version().unwrap()];
        for kind in Kind::ALL {
            let object = self.find(kind, &kind.object_name(name)).await;
            versions.extend(object.and_then(|object| object.resource_version()));
        }
        versions
    }

    /// The detector's answer to a prediction through its Service.
    pub async fn predict(&self, name: &str, body: &Value) -> Value {
        let path = format!("/api/v1/namespaces/{}/services/{name}:http/proxy/predict", self.name);
        let request = || {
            Request::post(&path)
                .header("content-type", "application/json")
                .body(body.to_string().into_bytes())
                .unwrap()
        };
        until("an answer to /predict", async || self.client.request::<Value>(request()).await.ok()).await
    }
}

/// The cluster of `KUBECONFIG`, or the one that `tests/cluster/up` started.
pub async fn client() -> Client {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let script = r#"eval "$(tests/cluster/env)"; printf %s "$KUBECONFIG""#;
    let output = Command::new("bash").args(["-c", script]).current_dir(root).output().unwrap();
    let kubeconfig = Kubeconfig::read_from(String::from_utf8(output.stdout).unwrap()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

/// Wait until `look` returns an outcome. It is called ten times a second.
pub async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    until_within(PATIENCE, what, look).await
}

/// The same, with another deadline.
pub async fn until_within<T>(patience: Duration, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let began = Instant::now();
    while began.elapsed() < patience {
        if let Some(outcome) = look().await {
            return outcome;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("after {patience:?} still no {what}");
}

/// A sample of `manifests/` with another name.
pub fn sample(file: &str, name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests").join(file);
    let mut documents = crd::manifest::documents(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut manifest = documents.remove(0);
    manifest["metadata"] = json!({"name": name});
    manifest
}

/// Status, reason and message of a condition; empty where it is absent.
pub fn condition(detector: &Value, type_: &str) -> (String, String, String) {
    let conditions = detector["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let condition = conditions.into_iter().find(|condition| condition["type"] == type_).unwrap_or_default();
    ["status", "reason", "message"]
        .map(|field| condition[field].as_str().unwrap_or_default().to_owned())
        .into()
}

/// The operator's pods that are not being deleted.
pub async fn operator_pods(client: &Client) -> Vec<Pod> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), SYSTEM);
    let operators = ListParams::default().labels("app.kubernetes.io/name=anomaly-operator");
    let pods = pods.list(&operators).await.unwrap().items;
    pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect()
}

/// A metric of an operator's pod, summed over its labels.
pub async fn operator_metric(client: &Client, pod: &str, metric: &str) -> Option<f64> {
    let path = format!("/api/v1/namespaces/{SYSTEM}/pods/{pod}:8080/proxy/metrics");
    let text = client.request_text(Request::get(path).body(Vec::new()).unwrap()).await.ok()?;
    let values = text.lines().filter(|line| line.starts_with(metric)).map(|line| line.rsplit_once(' '));
    values.map(|value| value.and_then(|(_, number)| number.parse::<f64>().ok())).sum()
}

/// Kill the operator's pods without grace period, and wait until a new pod has reconciled every detector.
pub async fn restart_operator(namespace: &TestNamespace) {
    namespace.must_be_alone();
    let old: Vec<String> =
        operator_pods(&namespace.client).await.iter().filter_map(ResourceExt::uid).collect();
    let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    let pods: Api<Pod> = Api::namespaced(namespace.client.clone(), SYSTEM);
    for pod in operator_pods(&namespace.client).await {
        pods.delete(&pod.name_any(), &at_once).await.unwrap();
    }
    let resource = ApiResource::erase::<crd::AnomalyDetector>(&());
    let all: Api<DynamicObject> = Api::all_with(namespace.client.clone(), &resource);
    let detectors = all.list_metadata(&ListParams::default()).await.unwrap().items.len() as f64;
    until("new operator that has looked at all detectors", async || {
        for pod in operator_pods(&namespace.client).await {
            let is_new = pod.uid().is_some_and(|uid| !old.contains(&uid));
            let looks =
                operator_metric(&namespace.client, &pod.name_any(), "anomaly_operator_reconciles_total{")
                    .await;
            if is_new && looks.is_some_and(|looks| looks >= detectors) {
                return Some(());
            }
        }
        None
    })
    .await;
}
