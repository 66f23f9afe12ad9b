//! Groups of fields of which at most one may be set: each is applied without any, then with each member, then
//! with another, by server-side apply of one manager and by `kubectl apply`. The stored object has the member
//! that was applied last.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::test_namespace::TestNamespace;

/// A group of fields of which at most one may be set.
struct Union {
    /// The JSON pointer to the object that has the fields.
    at: &'static str,
    /// The names of the fields.
    members: &'static [&'static str],
    /// The specs to apply one after another, each merged into [`base`].
    specs: Vec<Value>,
}

fn base() -> Value {
    let sensor = json!({"name": "value", "baseline": 1});
    json!({"replicas": 0, "sources": [{"name": "simulation", "simulated": {"sensors": [sensor]}}]})
}

fn unions() -> Vec<Union> {
    let noise = |noise: Value| json!({"sources": [{"name": "simulation", "simulated": {"sensors": [{"name": "value", "noise": noise}]}}]});
    let union = |at, members, specs| Union { at, members, specs };
    vec![
        union(
            "/spec/threshold",
            &["contamination", "score", "alertsPerDay"],
            vec![
                json!({}),
                json!({"threshold": {"contamination": 0.02}}),
                json!({"threshold": {"score": 0.6}}),
                json!({"threshold": {"alertsPerDay": 40}}),
            ],
        ),
        union(
            "/spec/missing",
            &["policy", "maxStaleness"],
            vec![
                json!({}),
                json!({"missing": {"policy": "Skip"}}),
                json!({"missing": {"policy": "Previous", "maxStaleness": "30s"}}),
                json!({"missing": {"policy": "Anomaly"}}),
            ],
        ),
        union(
            "/spec/model",
            &["train", "load"],
            vec![
                json!({}),
                json!({"model": {}}),
                json!({"model": {"train": {}}}),
                json!({"model": {"load": {"configMap": {"name": "forest"}}}}),
                json!({"model": {"train": {"trees": 50}}}),
            ],
        ),
        union(
            "/spec/model/train",
            &["mode", "experimental", "sampleSize", "extensionLevel", "features"],
            vec![
                json!({}),
                json!({"model": {"train": {}}}),
                json!({"model": {"train": {"mode": "Standard", "sampleSize": 256, "features": ["Value"]}}}),
                json!({"model": {"train": {"mode": "Auto", "features": ["LogStdDev"]}}}),
                json!({"model": {"train": {"experimental": {"mode": "Density"}, "sampleSize": 512}}}),
            ],
        ),
        union(
            "/spec/model/retrain",
            &["interval", "schedule", "timeZone"],
            vec![
                json!({}),
                json!({"model": {"retrain": {"interval": "24h"}}}),
                json!({"model": {"retrain": {"schedule": "0 3 * * *"}}}),
                json!({"model": {"retrain": {"schedule": "0 3 * * *", "timeZone": "Europe/Berlin"}}}),
            ],
        ),
        union(
            "/spec/model/load",
            &["configMap", "persistentVolumeClaim", "url"],
            vec![
                json!({}),
                json!({"model": {"load": {"configMap": {"name": "forest"}}}}),
                json!({"model": {"load": {"persistentVolumeClaim": {"claimName": "models", "path": "forest"}}}}),
                json!({"model": {"load": {"url": "https://models.example/forest"}}}),
            ],
        ),
        union(
            "/spec/sources/0",
            &["simulated", "csv"],
            vec![
                json!({}),
                json!({"sources": [{"name": "simulation", "csv": {"path": "a.csv", "sensors": [{"name": "value"}]}}]}),
            ],
        ),
        union(
            "/spec/sources/0/simulated/sensors/0/noise",
            &["gaussian", "uniform", "randomWalk"],
            vec![
                json!({}),
                noise(json!({"gaussian": {"standardDeviation": 1}})),
                noise(json!({"uniform": {"halfWidth": 1}})),
                noise(json!({"randomWalk": {"step": 1, "reversion": 0.1}})),
            ],
        ),
        union(
            "/spec/monitoring/dashboard/labels",
            &["grafana_dashboard", "team"],
            vec![json!({}), json!({"monitoring": {"dashboard": {"labels": {"team": "plant"}}}})],
        ),
    ]
}

/// A sequence of indices in which each one follows every other.
fn each_after_each(count: usize) -> impl Iterator<Item = usize> {
    let pairs = (0..count).flat_map(move |a| (0..count).map(move |b| (a, b)));
    pairs.filter(|(a, b)| a != b).flat_map(|(a, b)| [a, b])
}

/// The members of the union that are set in the object.
fn set(object: &Value, union: &Union) -> Vec<&'static str> {
    let group = object.pointer(union.at);
    union
        .members
        .iter()
        .filter(|member| group.is_some_and(|group| group.get(**member).is_some()))
        .copied()
        .collect()
}

fn manifest(name: &str, spec: &Value) -> Value {
    let mut whole = base();
    for (field, value) in spec.as_object().unwrap() {
        whole[field] = value.clone();
    }
    json!({"apiVersion": "anomaly.dev/v1alpha1", "kind": "AnomalyDetector", "metadata": {"name": name}, "spec": whole})
}

/// Run `kubectl apply` on the manifest. It stores the applied manifest in an annotation.
fn kubectl_apply(namespace: &str, manifest: &Value) {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut command = Command::new("tests/cluster/kubectl");
    command.args(["--namespace", namespace, "apply", "--filename", "-"]).current_dir(root);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(manifest.to_string().as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{manifest}");
}

/// Server-side apply by one manager: each spec after every other.
pub async fn server_side(namespace: &TestNamespace) {
    for (i, union) in unions().iter().enumerate() {
        let name = format!("union-{i}");
        for at in each_after_each(union.specs.len()) {
            let manifest = manifest(&name, &union.specs[at]);
            let stored =
                namespace.apply(&manifest).await.unwrap_or_else(|error| panic!("{manifest}: {error}"));
            assert_eq!(set(&json!(stored), union), set(&manifest, union), "{manifest}");
        }
    }
}

/// `kubectl apply`: each spec once, and the first again.
pub async fn client_side(namespace: &TestNamespace) {
    for (i, union) in unions().iter().enumerate() {
        let name = format!("union-of-kubectl-{i}");
        for at in (0..union.specs.len()).chain([0]) {
            let manifest = manifest(&name, &union.specs[at]);
            kubectl_apply(&namespace.name, &manifest);
            let stored = json!(namespace.detectors().get(&name).await.unwrap());
            assert_eq!(set(&stored, union), set(&manifest, union), "{manifest}");
        }
    }
}
