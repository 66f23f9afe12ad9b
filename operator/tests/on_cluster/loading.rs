//! Loaded models, on a real cluster with the operator installed by its chart: `tests/on-cluster loading`.
//! Each source of a model, and each refusal with its reason, which ends without a restart once the file is
//! good.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::test_namespace::{TestNamespace, condition, sample, until};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolume, PersistentVolumeClaim};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

/// The address of this machine for pods of `tests/cluster`.
const HOST: &str = "198.18.254.1";

/// Train a detector of that sample. Return its model's digest and bytes.
async fn trained(namespace: &TestNamespace, file: &str, name: &str) -> (String, Vec<u8>) {
    namespace.apply(&sample(file, name)).await.unwrap();
    let detector = namespace.ready(name).await;
    let digest = detector["status"]["model"]["digest"].as_str().unwrap().to_owned();
    let kept = operator::resources::model::revision_name(name, &digest);
    let kept = until("kept model", async || config_maps(namespace).get_opt(&kept).await.unwrap()).await;
    (digest, kept.binary_data.unwrap().remove("model").unwrap().0)
}

fn config_maps(namespace: &TestNamespace) -> Api<ConfigMap> {
    Api::namespaced(namespace.client.clone(), &namespace.name)
}

/// The quickstart with a model that is loaded from this source, and refreshed each second.
fn loading(name: &str, mut load: Value) -> Value {
    let mut manifest = sample("quickstart.yaml", name);
    load["refresh"] = json!("1s");
    manifest["spec"]["model"] = json!({"load": load});
    manifest
}

/// Wait until the detector's condition ModelReady is False for this reason. Return the message.
async fn refused(namespace: &TestNamespace, name: &str, reason: &str) -> String {
    let is_reported = |detector: &Value| {
        let (status, because, _) = condition(detector, "ModelReady");
        status == "False" && because == reason
    };
    let detector = namespace.detector_once(name, &format!("says {reason}"), is_reported).await;
    condition(&detector, "ModelReady").2
}

async fn serves(namespace: &TestNamespace, name: &str, digest: &str) {
    let is_so = |detector: &Value| {
        let (status, because, _) = condition(detector, "ModelReady");
        status == "True" && because == "Loaded" && detector["status"]["model"]["digest"] == digest
    };
    let detector = namespace.detector_once(name, "serves what it was to load", is_so).await;
    assert_eq!(detector["status"]["model"]["origin"], "Loaded");
    assert_eq!(namespace.predict(name, &json!({"value": 0.95})).await, json!({"anomaly": 0}));
}

async fn put_file(namespace: &TestNamespace, name: &str, bytes: &[u8]) {
    let file = ConfigMap {
        binary_data: Some([("forest".to_owned(), ByteString(bytes.to_vec()))].into()),
        ..ConfigMap::default()
    };
    let mut file = json!(file);
    file["metadata"] = json!({"name": name});
    config_maps(namespace)
        .patch(name, &PatchParams::apply("test").force(), &Patch::Apply(file))
        .await
        .unwrap();
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster loading"]
async fn from_a_config_map_that_is_missing_then_broken_then_good() {
    let namespace = TestNamespace::new("config-map").await;
    let (digest, bytes) = trained(&namespace, "quickstart.yaml", "trainer").await;
    let (_, of_other_sensors) = trained(&namespace, "pump.yaml", "other").await;
    namespace
        .apply(&loading("pump", json!({"configMap": {"name": "forest", "key": "forest"}})))
        .await
        .unwrap();
    refused(&namespace, "pump", "LoadFailed").await;
    put_file(&namespace, "forest", &bytes[..bytes.len() / 2]).await;
    refused(&namespace, "pump", "ArtifactInvalid").await;
    put_file(&namespace, "forest", &of_other_sensors).await;
    refused(&namespace, "pump", "ColumnsMismatch").await;
    put_file(&namespace, "forest", &bytes).await;
    serves(&namespace, "pump", &digest).await;

    put_file(&namespace, "forest", b"no model at all").await;
    refused(&namespace, "pump", "ArtifactInvalid").await;
    let detector = json!(namespace.detectors().get("pump").await.unwrap());
    assert_eq!(detector["status"]["model"]["digest"], *digest, "the current model keeps serving");
    assert_eq!(namespace.predict("pump", &json!({"value": 0.95})).await, json!({"anomaly": 0}));
    put_file(&namespace, "forest", &bytes).await;
    serves(&namespace, "pump", &digest).await;
    namespace.delete().await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster loading"]
async fn a_pipeline_of_scikit_learn_predicts_as_it_did_there() {
    let namespace = TestNamespace::new("pipeline").await;
    let folder =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../detector/interchange/tests/fixtures/pipelines/1.9.1");
    let read = |name: &str| std::fs::read(format!("{folder}/{name}")).unwrap();
    let expected: Value = serde_json::from_slice(&read("robust.json")).unwrap();
    put_file(&namespace, "forest", &read("robust.joblib")).await;
    let mut manifest = loading("pump", json!({"configMap": {"name": "forest", "key": "forest"}}));
    manifest["spec"]["sources"][0]["simulated"]["sensors"] = json!([
        {"name": "temperature", "baseline": 0.03},
        {"name": "vibration", "baseline": 1},
        {"name": "size", "baseline": 3_000_000},
    ]);
    namespace.apply(&manifest).await.unwrap();
    let is_so = |detector: &Value| condition(detector, "ModelReady").1 == "Loaded";
    namespace.detector_once("pump", "serves the pipeline", is_so).await;
    let answer = namespace.predict("pump", &json!({ "instances": expected["rows"] })).await;
    let predictions = answer["predictions"].as_array().unwrap().iter();
    let anomalies: Vec<&Value> = predictions.map(|prediction| &prediction["anomaly"]).collect();
    assert_eq!(anomalies, expected["anomalies"].as_array().unwrap().iter().collect::<Vec<_>>());
    namespace.delete().await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster loading"]
async fn from_a_persistent_volume_claim() {
    let namespace = TestNamespace::new("claim").await;
    let (digest, bytes) = trained(&namespace, "quickstart.yaml", "trainer").await;
    let folder = format!("/var/lib/anomaly-operator/volumes/{}", namespace.name);
    std::fs::create_dir_all(&folder).unwrap(); // the node is this machine
    std::fs::write(format!("{folder}/forest"), &bytes).unwrap();
    let size = json!({"storage": "1Mi"});
    let volume = json!({
        "metadata": {"name": namespace.name},
        "spec": {
            "capacity": size, "accessModes": ["ReadOnlyMany"], "storageClassName": "", "hostPath": {"path": folder},
            "claimRef": {"namespace": namespace.name, "name": "models"},
        },
    });
    let volumes: Api<PersistentVolume> = Api::all(namespace.client.clone());
    volumes.create(&PostParams::default(), &serde_json::from_value(volume).unwrap()).await.unwrap();
    let claim = json!({
        "metadata": {"name": "models"},
        "spec": {
            "accessModes": ["ReadOnlyMany"], "storageClassName": "", "volumeName": namespace.name,
            "resources": {"requests": size},
        },
    });
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(namespace.client.clone(), &namespace.name);
    claims.create(&PostParams::default(), &serde_json::from_value(claim).unwrap()).await.unwrap();

    let load = json!({"persistentVolumeClaim": {"claimName": "models", "path": "forest"}});
    namespace.apply(&loading("pump", load)).await.unwrap();
    serves(&namespace, "pump", &digest).await;
    std::fs::remove_file(format!("{folder}/forest")).unwrap();
    refused(&namespace, "pump", "LoadFailed").await;
    std::fs::write(format!("{folder}/forest"), &bytes).unwrap();
    serves(&namespace, "pump", &digest).await;
    volumes.delete(&namespace.name, &DeleteParams::default()).await.unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    namespace.delete().await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster loading"]
async fn from_an_address_with_each_refusal_and_back() {
    let namespace = TestNamespace::new("address").await;
    let (digest, bytes) = trained(&namespace, "quickstart.yaml", "trainer").await;
    let server = Server::start();
    let url = format!("http://{HOST}:{}/forest", server.port);
    namespace.apply(&loading("pump", json!({"url": url}))).await.unwrap();
    let whole =
        Answer { status: "200 OK", headers: format!("content-length: {}", bytes.len()), body: bytes.clone() };
    let cases = [
        (Answer { status: "404 Not Found", ..Answer::default() }, "LoadFailed"),
        (
            Answer {
                headers: "location: http://169.254.169.254/latest".to_owned(),
                status: "302 Found",
                ..Answer::default()
            },
            "AddressRefused",
        ),
        (Answer { headers: format!("content-length: {}", 2_u64 << 30), ..whole.clone() }, "ModelTooLarge"),
        (Answer { body: bytes[..bytes.len() / 2].to_vec(), ..whole.clone() }, "LoadFailed"),
        (
            Answer {
                body: b"no model at all".to_vec(),
                headers: "content-length: 15".to_owned(),
                ..whole.clone()
            },
            "ArtifactInvalid",
        ),
    ];
    for (answer, reason) in cases.clone() {
        server.answer(answer);
        println!("{reason}: {}", refused(&namespace, "pump", reason).await);
    }
    server.answer(whole.clone());
    serves(&namespace, "pump", &digest).await;

    server.answer(cases[0].0.clone());
    refused(&namespace, "pump", "LoadFailed").await;
    assert_eq!(
        namespace.predict("pump", &json!({"value": 0.95})).await,
        json!({"anomaly": 0}),
        "what serves goes on"
    );
    server.answer(whole);
    serves(&namespace, "pump", &digest).await;

    let wrong = json!({"url": url, "sha256": "0".repeat(64)});
    namespace.apply(&loading("strict", wrong)).await.unwrap();
    refused(&namespace, "strict", "DigestMismatch").await;
    namespace.apply(&loading("strict", json!({"url": url, "sha256": digest[7..]}))).await.unwrap();
    serves(&namespace, "strict", &digest).await;
    namespace.delete().await;
}

#[derive(Clone)]
struct Answer {
    status: &'static str,
    headers: String,
    body: Vec<u8>,
}

impl Default for Answer {
    fn default() -> Self {
        Self { status: "200 OK", headers: "content-length: 0".to_owned(), body: Vec::new() }
    }
}

/// An HTTP server of this machine, which pods reach.
struct Server {
    port: u16,
    answer: Arc<Mutex<Answer>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind((HOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = Arc::new(Mutex::new(Answer::default()));
        let shared = answer.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                give(&shared.lock().unwrap().clone(), &stream.unwrap());
            }
        });
        Self { port, answer }
    }

    fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }
}

fn give(answer: &Answer, stream: &TcpStream) {
    BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
    let head = format!("HTTP/1.1 {}\r\n{}\r\nconnection: close\r\n\r\n", answer.status, answer.headers);
    let mut stream = stream;
    let _ = stream.write_all(&[head.as_bytes(), &answer.body].concat()); // the pod may have hung up
}
