//! Live sources on a real cluster, with the operator installed by its chart: `operator/tests/on-cluster sources`. Each sample
//! with the server that it is for, a fault in what is sent, the server killed and back: no restart, every reading accounted for.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::place::{Place, condition, sample, until};
use http::Request;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};

/// The time of the first reading, in seconds since the Unix epoch.
const FIRST: usize = 1_700_000_000;

/// `kubectl apply` of a text.
fn kubectl(place: &Place, arguments: &[&str], text: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new(root.join("tests/cluster/kubectl"));
    command
        .args(["--namespace", &place.namespace])
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

async fn get(place: &Place, name: &str, port: &str, path: &str) -> Option<String> {
    let path = format!("/api/v1/namespaces/{}/services/{name}:{port}/proxy/{path}", place.namespace);
    place.client.request_text(Request::get(path).body(Vec::new()).unwrap()).await.ok()
}

async fn metric(place: &Place, name: &str, series: &str) -> Option<f64> {
    let text = get(place, name, "metrics", "metrics").await?;
    let lines = text.lines().filter(|line| line.starts_with(series));
    let values: Vec<f64> = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse().ok()).collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

/// A verdict was anomalous, and `/events` has the event.
async fn fault_is_found(place: &Place, name: &str) {
    until("an anomalous verdict", async || {
        metric(place, name, "anomaly_verdicts_total{detector=\"").await?;
        let text = get(place, name, "metrics", "metrics").await?;
        text.lines().any(|line| line.starts_with("anomaly_score{") && line.ends_with(" 1")).then_some(())
    })
    .await;
    let events = until("an event", async || get(place, name, "http", "events").await).await;
    assert!(events.contains("\"peak\""), "{events}");
}

/// As many readings have arrived at least, and something has become of each.
async fn accounted(place: &Place, name: &str, least: f64) {
    until("exact accounts", async || {
        let arrived = metric(place, name, "anomaly_readings_arrived_total").await?;
        let outcomes = metric(place, name, "anomaly_readings_total").await?;
        (arrived >= least && (arrived - outcomes).abs() < 0.5).then_some(())
    })
    .await;
}

async fn connected(place: &Place, name: &str, status: &str) -> String {
    let is_so = |detector: &Value| condition(detector, "SourcesConnected").0 == status;
    let detector = place.detector_once(name, &format!("SourcesConnected={status}"), is_so).await;
    condition(&detector, "SourcesConnected").2
}

async fn restarts(place: &Place, name: &str) -> i32 {
    let of_detector = ListParams::default().labels(&format!("app.kubernetes.io/instance={name}"));
    let pods = place.pods().list(&of_detector).await.unwrap().items;
    let containers =
        pods.into_iter().flat_map(|pod| pod.status.unwrap().container_statuses.unwrap_or_default());
    containers.map(|container| container.restart_count).sum()
}

/// The address of the only pod with a label, once it is ready.
async fn address(place: &Place, app: &str) -> String {
    let labelled = ListParams::default().labels(&format!("app={app}"));
    until("a pod that is ready", async || {
        let pods = place.pods().list(&labelled).await.ok()?.items;
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

/// Kill the pods with a label without warning.
async fn kill(place: &Place, app: &str) {
    let labelled = ListParams::default().labels(&format!("app={app}"));
    let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    for pod in place.pods().list(&labelled).await.unwrap() {
        place.pods().delete(&pod.name_any(), &at_once).await.unwrap();
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
#[ignore = "needs a cluster: operator/tests/on-cluster sources"]
async fn a_brokers_messages_are_learned_and_judged_and_a_killed_broker_costs_no_restart() {
    script("tests/cluster/program-image", &["mosquitto"]);
    let place = Place::new("mqtt").await;
    let broker = include_str!("../../../manifests/mqtt/broker.yaml");
    let image = "docker.io/library/eclipse-mosquitto:2.0.22";
    kubectl(&place, &["apply", "-f", "-"], &broker.replace(image, "localhost/mosquitto:dev"));
    place.apply(&sample("mqtt.yaml", "plant")).await.unwrap();
    let broker = address(&place, "mosquitto").await;
    connected(&place, "plant", "True").await;
    publish(&broker, &messages(0, 310));
    place.ready("plant").await;
    publish(&broker, &json!({"ts": FIRST + 310, "rms": 90.0, "temperature": 300}).to_string());
    fault_is_found(&place, "plant").await;
    kill(&place, "mosquitto").await;
    let broker = address(&place, "mosquitto").await;
    connected(&place, "plant", "True").await;
    until("a reading after the restart", async || {
        publish(&broker, &messages(320, 20));
        (metric(&place, "plant", "anomaly_readings_arrived_total").await? >= 2.0 * 331.0).then_some(())
    })
    .await;
    accounted(&place, "plant", 2.0 * 331.0).await;
    assert_eq!(restarts(&place, "plant").await, 0);
    place.leave().await;
}

async fn push(place: &Place, name: &str, query: &str, body: &str) -> Option<String> {
    let path = format!("/api/v1/namespaces/{}/services/{name}:http/proxy/readings{query}", place.namespace);
    let request =
        Request::post(path).header("content-type", "application/json").body(body.as_bytes().to_vec());
    place.client.request_text(request.unwrap()).await.ok()
}

fn lines(from: usize, count: usize) -> String {
    let line = |second: usize| {
        json!({"time": FIRST + second, "values": {"pressure": 100 + second * 7 % 5, "flow": second * 3 % 4}})
            .to_string()
    };
    (from..from + count).map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
#[ignore = "needs a cluster: operator/tests/on-cluster sources"]
async fn pushed_readings_are_learned_and_judged_through_the_service() {
    let place = Place::new("push").await;
    place.apply(&sample("push.yaml", "press")).await.unwrap();
    until("a detector that takes readings", async || push(&place, "press", "", &lines(0, 310)).await).await;
    place.ready("press").await;
    let fault = json!({"time": FIRST + 310, "values": {"pressure": 900, "flow": -5}}).to_string();
    let answer = push(&place, "press", "?verdicts=true", &fault).await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["verdicts"][0]["anomaly"], 1, "{answer}");
    fault_is_found(&place, "press").await;
    accounted(&place, "press", 2.0 * 311.0).await;
    assert_eq!(restarts(&place, "press").await, 0);
    place.leave().await;
}

/// A Prometheus that watches itself each second.
const PROMETHEUS: &str = r"
apiVersion: v1
kind: ConfigMap
metadata: {name: prometheus}
data:
  prometheus.yml: |
    global: {scrape_interval: 1s}
    scrape_configs:
    - job_name: prometheus
      static_configs: [{targets: ['localhost:9090']}]
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
      automountServiceAccountToken: false
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

/// How many answers a Prometheus gave to a query over its last two minutes.
async fn scraped(place: &Place) -> Option<f64> {
    let query = "query?query=count_over_time(up[2m])";
    let path = format!("/api/v1/namespaces/{}/services/prometheus:web/proxy/api/v1/{query}", place.namespace);
    let text = place.client.request_text(Request::get(path).body(Vec::new()).unwrap()).await.ok()?;
    let answer: Value = serde_json::from_str(&text).ok()?;
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}

/// One query; whatever comes of it.
fn ask(server: &str) {
    let Ok(mut stream) = TcpStream::connect((server, 9090)) else { return };
    let request =
        "GET /api/v1/query?query=vector(1) HTTP/1.1\r\nHost: prometheus\r\nConnection: close\r\n\r\n";
    let _ = stream.write_all(request.as_bytes());
    let _ = stream.read_to_end(&mut Vec::new());
}

#[tokio::test]
#[ignore = "needs a cluster: operator/tests/on-cluster sources"]
async fn a_prometheus_history_is_trained_on_at_once_and_a_flood_of_queries_is_found() {
    let place = Place::new("queries").await;
    kubectl(&place, &["apply", "-f", "-"], PROMETHEUS);
    let server = address(&place, "prometheus").await;
    until("a minute and a half of history", async || scraped(&place).await.filter(|count| *count >= 90.0))
        .await;
    let mut manifest = sample("prometheus.yaml", "metrics");
    manifest["spec"]["interval"] = json!("1s");
    manifest["spec"]["model"]["train"] = json!({"history": "80s"});
    let sensors = json!([
        {"name": "queries", "query": "sum(rate(prometheus_http_requests_total{handler=\"/api/v1/query\"}[5s]))"},
        {"name": "samples", "query": "sum(rate(prometheus_tsdb_head_samples_appended_total[5s]))"},
    ]);
    manifest["spec"]["sources"][0]["prometheus"] =
        json!({"url": "http://prometheus:9090", "sensors": sensors});
    let began = std::time::Instant::now();
    place.apply(&manifest).await.unwrap();
    place.ready("metrics").await;
    println!("figures: prometheus_apply_to_ready_s={:.1}", began.elapsed().as_secs_f64());

    let is_over = Arc::new(AtomicBool::new(false));
    let flood = std::thread::spawn({
        let is_over = is_over.clone();
        move || {
            while !is_over.load(Ordering::Relaxed) {
                ask(&server);
            }
        }
    });
    fault_is_found(&place, "metrics").await;
    is_over.store(true, Ordering::Relaxed);
    flood.join().unwrap();
    kill(&place, "prometheus").await;
    address(&place, "prometheus").await;
    connected(&place, "metrics", "True").await;
    accounted(&place, "metrics", 20.0).await;
    assert_eq!(restarts(&place, "metrics").await, 0);
    place.leave().await;
}
