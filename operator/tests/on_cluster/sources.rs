//! Live sources on a real cluster, with the operator installed by its chart: `tests/on-cluster sources`. Each
//! sample with its server, a fault in the readings, and the server killed and restarted: no pod restarts, and
//! every reading is accounted for.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::test_namespace::{TestNamespace, condition, sample, until};
use clap::Parser;
use http::Request;
use jiff::Timestamp;
use k8s_openapi::api::events::v1::Event as KubernetesEvent;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt};
use operator::plan::{CurrentState, Plan};
use operator::resources::prometheus_rule;
use operator::settings::Settings;
use serde_json::{Value, json};

/// The time of the first reading, in seconds since the Unix epoch.
const FIRST: usize = 1_700_000_000;
/// The number of faulty readings, one a second: an alarm is raised after five seconds.
const FAULT: usize = 8;

/// Run kubectl with these arguments and this text as its input.
fn kubectl(namespace: &TestNamespace, arguments: &[&str], text: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new(root.join("tests/cluster/kubectl"));
    command
        .args(["--namespace", &namespace.name])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

fn script(script: &str, arguments: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(root.join(script)).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

async fn get(namespace: &TestNamespace, name: &str, port: &str, path: &str) -> Option<String> {
    let path = format!("/api/v1/namespaces/{}/services/{name}:{port}/proxy/{path}", namespace.name);
    namespace.client.request_text(Request::get(path).body(Vec::new()).unwrap()).await.ok()
}

async fn metric(namespace: &TestNamespace, name: &str, series: &str) -> Option<f64> {
    let text = get(namespace, name, "metrics", "metrics").await?;
    let lines = text.lines().filter(|line| line.starts_with(series));
    let values: Vec<f64> = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse().ok()).collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

/// Wait until at least this many readings have arrived, and each has an outcome.
async fn accounted(namespace: &TestNamespace, name: &str, least: f64) {
    until("exact accounts", async || {
        let arrived = metric(namespace, name, "anomaly_readings_arrived_total").await?;
        let outcomes = metric(namespace, name, "anomaly_readings_total").await?;
        (arrived >= least && (arrived - outcomes).abs() < 0.5).then_some(())
    })
    .await;
}

async fn connected(namespace: &TestNamespace, name: &str, status: &str) -> String {
    let is_so = |detector: &Value| condition(detector, "SourcesConnected").0 == status;
    let detector = namespace.detector_once(name, &format!("SourcesConnected={status}"), is_so).await;
    condition(&detector, "SourcesConnected").2
}

async fn restarts(namespace: &TestNamespace, name: &str) -> i32 {
    let of_detector = ListParams::default().labels(&format!("app.kubernetes.io/instance={name}"));
    let pods = namespace.pods().list(&of_detector).await.unwrap().items;
    let containers =
        pods.into_iter().flat_map(|pod| pod.status.unwrap().container_statuses.unwrap_or_default());
    containers.map(|container| container.restart_count).sum()
}

/// Wait until the only pod with this label is ready, and return its address.
async fn address(namespace: &TestNamespace, app: &str) -> String {
    let labelled = ListParams::default().labels(&format!("app={app}"));
    until("a pod that is ready", async || {
        let pods = namespace.pods().list(&labelled).await.ok()?.items;
        let mut ready = pods.into_iter().filter(|pod| {
            let conditions =
                pod.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
            pod.metadata.deletion_timestamp.is_none()
                && conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
        });
        ready.next()?.status?.pod_ip
    })
    .await
}

/// Kill the pods with this label without grace period.
async fn kill(namespace: &TestNamespace, app: &str) {
    let labelled = ListParams::default().labels(&format!("app={app}"));
    let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    for pod in namespace.pods().list(&labelled).await.unwrap() {
        namespace.pods().delete(&pod.name_any(), &at_once).await.unwrap();
    }
}

fn messages(from: usize, count: usize) -> String {
    let message = |second: usize| {
        let (rms, temperature) = (2.0 + (second * 7 % 5) as f64 / 10.0, 60 + second * 3 % 4);
        json!({"ts": FIRST + second, "rms": rms, "temperature": temperature}).to_string()
    };
    (from..from + count).map(message).collect::<Vec<_>>().join("\n")
}

fn publish(address: &str, lines: &str) {
    let mut command = Command::new("mosquitto_pub");
    let mut child =
        command.args(["-h", address, "-t", "plant/pump", "-l"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster sources"]
async fn a_brokers_messages_are_learned_and_judged_and_a_killed_broker_costs_no_restart() {
    script("tests/cluster/program-image", &["mosquitto"]);
    let namespace = TestNamespace::new("mqtt").await;
    let broker = include_str!("../../../manifests/mqtt/broker.yaml");
    let image = "docker.io/library/eclipse-mosquitto:2.0.22";
    kubectl(&namespace, &["apply", "-f", "-"], &broker.replace(image, "localhost/mosquitto:dev"));
    let manifest = sample("mqtt.yaml", "plant");
    watch(&namespace, &manifest).await;
    namespace.apply(&manifest).await.unwrap();
    let broker = address(&namespace, "mosquitto").await;
    connected(&namespace, "plant", "True").await;
    publish(&broker, &messages(0, 310));
    namespace.ready("plant").await;
    let fault = |second: usize| json!({"ts": FIRST + second, "rms": 90.0, "temperature": 300}).to_string();
    publish(&broker, &(310..310 + FAULT).map(fault).collect::<Vec<_>>().join("\n"));
    fault_is_found(&namespace, "plant").await;
    let impossible = json!({"ts": FIRST + 320, "rms": -1.0, "temperature": 60}).to_string();
    publish(&broker, &format!("{impossible}\n{}", messages(321, 2)));
    published_event(&namespace, "SensorFault").await;
    kill(&namespace, "mosquitto").await;
    let broker = address(&namespace, "mosquitto").await;
    connected(&namespace, "plant", "True").await;
    until("a reading after the restart", async || {
        publish(&broker, &messages(330, 20));
        (metric(&namespace, "plant", "anomaly_readings_arrived_total").await? >= 2.0 * 331.0).then_some(())
    })
    .await;
    accounted(&namespace, "plant", 2.0 * 331.0).await;
    assert_eq!(restarts(&namespace, "plant").await, 0);
    leave(namespace).await;
}

async fn push(namespace: &TestNamespace, name: &str, query: &str, body: &str) -> Option<String> {
    let path = format!("/api/v1/namespaces/{}/services/{name}:http/proxy/readings{query}", namespace.name);
    let request =
        Request::post(path).header("content-type", "application/json").body(body.as_bytes().to_vec());
    namespace.client.request_text(request.unwrap()).await.ok()
}

fn lines(from: usize, count: usize) -> String {
    let line = |second: usize| {
        json!({"time": FIRST + second, "values": {"pressure": 100 + second * 7 % 5, "flow": second * 3 % 4}})
            .to_string()
    };
    (from..from + count).map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster sources"]
async fn pushed_readings_are_learned_and_judged_through_the_service() {
    let namespace = TestNamespace::new("push").await;
    let manifest = sample("push.yaml", "press");
    watch(&namespace, &manifest).await;
    namespace.apply(&manifest).await.unwrap();
    until("a detector that takes readings", async || push(&namespace, "press", "", &lines(0, 310)).await)
        .await;
    namespace.ready("press").await;
    let fault =
        |second: usize| json!({"time": FIRST + second, "values": {"pressure": 900, "flow": -5}}).to_string();
    let faults = (310..310 + FAULT).map(fault).collect::<Vec<_>>().join("\n");
    let answer = push(&namespace, "press", "?verdicts=true", &faults).await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["verdicts"][0]["anomaly"], 1, "{answer}");
    fault_is_found(&namespace, "press").await;
    accounted(&namespace, "press", 2.0 * (310 + FAULT) as f64).await;
    assert_eq!(restarts(&namespace, "press").await, 0);
    leave(namespace).await;
}

/// The manifest of a Prometheus that scrapes itself, the API server and the detector each second, and
/// evaluates the detector's alerts.
fn prometheus_of(namespace: &TestNamespace, manifest: &Value) -> String {
    let name = manifest["metadata"]["name"].as_str().unwrap();
    let detector = crd::manifest::one_detector(&manifest.to_string()).unwrap().detector().clone();
    let metadata = ObjectMeta { namespace: Some(namespace.name.clone()), ..detector.metadata.clone() };
    let detector = crd::AnomalyDetector { metadata, ..detector };
    let settings = Program::parse_from(["operator"]).settings;
    let plan = Plan::new(&detector, &CurrentState::default(), &settings, Timestamp::now()).unwrap();
    let rules = json!(prometheus_rule::build(&plan).unwrap().spec).to_string();
    let mounted = "/var/run/secrets/kubernetes.io/serviceaccount";
    let config = json!({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["/config/rules.yml"],
        "scrape_configs": [
            {"job_name": "prometheus", "static_configs": [{"targets": ["localhost:9090"]}]},
            {
                "job_name": "apiserver", "scheme": "https", "metrics_path": "/metrics/slis",
                "tls_config": {"ca_file": format!("{mounted}/ca.crt")},
                "authorization": {"credentials_file": format!("{mounted}/token")},
                "static_configs": [{"targets": ["kubernetes.default.svc"]}],
            },
            {
                "job_name": "detector",
                "static_configs": [{"targets": [format!("{name}:8000")], "labels": {"namespace": namespace.name}}],
            },
        ],
    });
    let files = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "prometheus"},
        "data": {"prometheus.yml": config.to_string(), "rules.yml": rules},
    });
    format!("{files}\n---{}", PROMETHEUS.replace("NAMESPACE", &namespace.name))
}

#[derive(clap::Parser)]
struct Program {
    #[command(flatten)]
    settings: Settings,
}

const PROMETHEUS: &str = r"
apiVersion: v1
kind: ServiceAccount
metadata: {name: prometheus}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NAMESPACE}
rules: [{nonResourceURLs: [/metrics/slis], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: NAMESPACE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: NAMESPACE}
subjects: [{kind: ServiceAccount, name: prometheus, namespace: NAMESPACE}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: prometheus}
spec:
  serviceName: prometheus
  selector: {matchLabels: {app: prometheus}}
  template:
    metadata: {labels: {app: prometheus}}
    spec:
      serviceAccountName: prometheus
      terminationGracePeriodSeconds: 1
      securityContext: {runAsNonRoot: true, runAsUser: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: prometheus
        image: localhost/prometheus:dev
        args: [--config.file=/config/prometheus.yml, --storage.tsdb.path=/data]
        readinessProbe: {httpGet: {path: /-/ready, port: 9090}, periodSeconds: 1}
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
        volumeMounts: [{name: config, mountPath: /config}, {name: data, mountPath: /data}]
      volumes:
      - {name: config, configMap: {name: prometheus}}
      - {name: data, emptyDir: {}}
---
apiVersion: v1
kind: Service
metadata: {name: prometheus}
spec: {selector: {app: prometheus}, ports: [{name: web, port: 9090}]}
";

/// Apply the Prometheus of a detector, and wait until it is ready.
async fn watch(namespace: &TestNamespace, manifest: &Value) {
    kubectl(namespace, &["apply", "-f", "-"], &prometheus_of(namespace, manifest));
    address(namespace, "prometheus").await;
}

/// Delete the cluster-wide objects of the test, and the namespace.
async fn leave(namespace: TestNamespace) {
    for kind in ["clusterrole", "clusterrolebinding"] {
        kubectl(&namespace, &["delete", kind, &namespace.name], "");
    }
    namespace.delete().await;
}

/// The value of the only series that a query of the Prometheus has.
async fn value(namespace: &TestNamespace, expression: &str) -> Option<f64> {
    let encoded = expression.bytes().fold(String::new(), |encoded, byte| encoded + &format!("%{byte:02X}"));
    let answer = get(namespace, "prometheus", "web", &format!("api/v1/query?query={encoded}")).await?;
    let answer: Value = serde_json::from_str(&answer).ok()?;
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}

/// Wait for the four signs of a fault: an anomalous verdict in the scraped metric, the event in `/events`,
/// the firing alert, and the detector's Kubernetes Event.
async fn fault_is_found(namespace: &TestNamespace, name: &str) {
    let score = format!("max(max_over_time(anomaly_score{{detector=\"{name}\"}}[1m]))");
    until("an anomaly_score of 1", async || (value(namespace, &score).await? > 0.5).then_some(())).await;
    until("an event", async || {
        get(namespace, name, "http", "events").await?.contains("\"peak\"").then_some(())
    })
    .await;
    let alert = "max(max_over_time(ALERTS{alertname=\"AnomalyDetected\",alertstate=\"firing\"}[1m]))";
    until("the alert", async || (value(namespace, alert).await? > 0.5).then_some(())).await;
    published_event(namespace, "AnomalyDetected").await;
}

/// Wait until the detector has a Kubernetes Event with this reason. The operator reads the pods' reports each
/// minute.
async fn published_event(namespace: &TestNamespace, reason: &str) {
    let events: Api<KubernetesEvent> = Api::namespaced(namespace.client.clone(), &namespace.name);
    until(&format!("an Event {reason}"), async || {
        let events = events.list(&ListParams::default()).await.ok()?.items;
        events.iter().any(|event| event.reason.as_deref() == Some(reason)).then_some(())
    })
    .await;
}

/// Stop the API server for this many seconds, as if its machine were swapping: longer than an anomaly needs
/// to raise an alarm.
fn pause_api_server(seconds: u32) {
    let script = format!(
        "pid=$(cat /run/anomaly-operator/apiserver.pid); kill -STOP $pid; sleep {seconds}; kill -CONT $pid"
    );
    assert!(Command::new("bash").args(["-c", &script]).status().unwrap().success());
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster sources"]
async fn a_prometheus_history_is_trained_on_at_once_and_a_paused_api_server_is_found() {
    let namespace = TestNamespace::new("queries").await;
    let mut manifest = sample("prometheus.yaml", "metrics");
    manifest["spec"]["interval"] = json!("1s");
    manifest["spec"]["model"]["train"] = json!({"history": "80s"});
    let latency = json!([
        {"name": "latency", "unit": "seconds", "query": "scrape_duration_seconds{job=\"apiserver\"}"},
    ]);
    manifest["spec"]["sources"][0]["prometheus"] =
        json!({"url": "http://prometheus:9090", "sensors": latency});
    watch(&namespace, &manifest).await;
    let remembered = "count_over_time(scrape_duration_seconds{job=\"apiserver\"}[3m])";
    until("a minute and a half of history", async || {
        value(&namespace, remembered).await.filter(|count| *count >= 90.0)
    })
    .await;
    let began = std::time::Instant::now();
    namespace.apply(&manifest).await.unwrap();
    namespace.ready("metrics").await;
    let ready = began.elapsed().as_secs_f64();
    println!("figures: prometheus_apply_to_ready_s={ready:.1}");
    assert!(ready < 15.0, "{ready} s from apply to Ready");

    let anomalies = "max(max_over_time(anomaly_score{detector=\"metrics\"}[5s]))";
    until("five seconds without an anomaly", async || {
        (value(&namespace, anomalies).await? == 0.0).then_some(())
    })
    .await;
    let paused = Timestamp::now();
    tokio::task::spawn_blocking(|| pause_api_server(8)).await.unwrap();
    until("an event that began with the pause", async || {
        let events: Value =
            serde_json::from_str(&get(&namespace, "metrics", "http", "events").await?).unwrap();
        let is_of_pause = |event: &Value| {
            let start: Option<Timestamp> = event["start"].as_str().and_then(|start| start.parse().ok());
            start.is_some_and(|start| (0..10).contains(&(start.as_second() - paused.as_second())))
        };
        events["events"].as_array()?.iter().any(is_of_pause).then_some(())
    })
    .await;
    fault_is_found(&namespace, "metrics").await;

    kill(&namespace, "prometheus").await;
    address(&namespace, "prometheus").await;
    connected(&namespace, "metrics", "True").await;
    accounted(&namespace, "metrics", 20.0).await;
    assert_eq!(restarts(&namespace, "metrics").await, 0);
    leave(namespace).await;
}
