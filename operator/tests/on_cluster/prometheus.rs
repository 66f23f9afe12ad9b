//! End to end with a real Prometheus Operator and Prometheus: `tests/on-cluster prometheus`, which installs
//! the operator by its chart, and nothing of Prometheus. The watched detector is the pump of the demo.
//!
//! The test ends with the figures of `make bench-monitoring`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::test_namespace::prometheus::{prometheus, query, targets};
use crate::test_namespace::{
    SYSTEM, TestNamespace, condition, operator_metric, operator_pods, until, until_within,
};
use http::Request;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use operator::resources::Kind;
use serde_json::{Value, json};

/// How often seconds are measured: their median is printed.
const RUNS: usize = 3;

/// The longest wait for a fault of the pump, which comes about once a minute, at random.
const RARE: Duration = Duration::from_mins(6);

/// The metrics that a detector always exports.
const METRICS: [&str; 27] = [
    "anomaly_score",
    "anomaly_severity",
    "anomaly_raw_score",
    "anomaly_contribution",
    "anomaly_sensor_value",
    "anomaly_sensor_last_reading_timestamp_seconds",
    "anomaly_source_up",
    "anomaly_readings_total",
    "anomaly_verdicts_total",
    "anomaly_simulation_verdicts_total",
    "anomaly_predictions_total",
    "anomaly_prediction_duration_seconds_bucket",
    "anomaly_model_info",
    "anomaly_model_data_end_timestamp_seconds",
    "anomaly_model_trained_timestamp_seconds",
    "anomaly_model_training_duration_seconds",
    "anomaly_model_samples",
    "anomaly_threshold",
    "anomaly_alarm",
    "anomaly_events_total",
    "anomaly_trainings_total",
    "anomaly_model_swaps_total",
    "anomaly_model_rejected",
    "anomaly_model_next_training_timestamp_seconds",
    "anomaly_model_expected_alerts_per_day",
    "detector:anomaly_events_alarmed:increase1h",
    "detector:anomaly_verdicts_anomalous:increase1h",
];

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster prometheus"]
async fn a_detectors_anomalies_reach_prometheus_and_its_alerts() {
    let namespace = TestNamespace::new("watched").await;
    namespace.apply(&pump("pump")).await.unwrap();
    without_the_prometheus_operator_the_detector_is_ready_and_says_so(&namespace).await;
    script(&["tests/cluster/monitoring"]);
    chart(&["--set", "metrics.serviceMonitor.enabled=true"]);
    said(&namespace, "True", "AsSpecified").await;

    each_pod_is_one_target_and_up(&namespace).await;
    every_metric_is_queryable(&namespace).await;
    every_panel_of_every_dashboard_has_data(&namespace).await;
    what_a_prometheus_refuses_shows_on_the_detector(&namespace).await;
    let mut faults = Vec::new();
    for _ in 0..RUNS {
        faults.push(a_fault_fires_the_alert_which_resolves(&namespace).await);
    }
    a_deleted_detector_is_no_target_any_more(&namespace, "pump").await;
    let (mut ready, mut scraped) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        let (a, b) = apply_to_ready_and_first_scrape(&namespace, &format!("run-{run}")).await;
        ready.push(a);
        scraped.push(b);
    }
    nothing_has_failed(&namespace).await;
    the_operators_metrics_go_by_https_to_those_whom_the_cluster_lets(&namespace).await;
    chart(&[
        "--set",
        "metrics.serviceMonitor.enabled=false,metrics.tls.secretName=,metrics.authorization=false",
    ]);
    script(&["tests/cluster/monitoring", "remove"]);
    said_by(&namespace, "run-0", "False", "PrometheusOperatorNotInstalled").await;
    nothing_has_failed(&namespace).await;
    println!("ready: {ready:.1?} s, scraped: {scraped:.1?} s, alerts: {faults:.1?} s");
    println!(
        "figures: apply_to_ready_s={:.1} apply_to_first_scrape_s={:.1} fault_to_alert_s={:.1}",
        median(ready),
        median(scraped),
        median(faults)
    );
    namespace.delete().await;
}

async fn without_the_prometheus_operator_the_detector_is_ready_and_says_so(namespace: &TestNamespace) {
    let detector = namespace.ready("pump").await;
    let (status, reason, message) = condition(&detector, "MonitoringConfigured");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "PrometheusOperatorNotInstalled"), "{message}");
    nothing_has_failed(namespace).await;
}

/// Check that no reconcile has failed, and that the log has no more warnings and errors than the watches of
/// removed kinds cause.
async fn nothing_has_failed(namespace: &TestNamespace) {
    for pod in operator_pods(&namespace.client).await {
        let failed = r#"anomaly_operator_reconciles_total{outcome="failed"}"#;
        let failures = operator_metric(&namespace.client, &pod.name_any(), failed).await.unwrap();
        assert!(failures == 0.0, "{failures} reconciles have failed");
        let pods: Api<Pod> = Api::namespaced(namespace.client.clone(), SYSTEM);
        let log = pods.logs(&pod.name_any(), &LogParams::default()).await.unwrap();
        let complaints: Vec<&str> =
            log.lines().filter(|line| line.contains("\"ERROR\"") || line.contains("\"WARN\"")).collect();
        assert!(complaints.len() <= 4, "{complaints:#?}");
    }
}

async fn each_pod_is_one_target_and_up(namespace: &TestNamespace) {
    until("one target a pod, and all of them up", async || {
        let pods = namespace.pod_uids("pump").await.len();
        let targets = targets(namespace, "pump").await?;
        let of: BTreeSet<&str> =
            targets.iter().filter_map(|target| target["labels"]["pod"].as_str()).collect();
        let are_up = targets.iter().all(|target| target["health"] == "up");
        (pods == 2 && are_up && targets.len() == pods && of.len() == pods).then_some(())
    })
    .await;
    let targets = targets(namespace, "pump").await.unwrap();
    assert_eq!(targets[0]["labels"]["job"], "anomaly-detector");
    assert_eq!(targets[0]["labels"]["namespace"], namespace.name.as_str());
}

async fn every_metric_is_queryable(namespace: &TestNamespace) {
    namespace.predict("pump", &json!({"values": {"temperature": 60, "vibration": 2}})).await;
    for metric in METRICS {
        let expression = format!(r#"{metric}{{namespace="{}",detector="pump"}}"#, namespace.name);
        until(&format!("series of {expression}"), async || some(&query(namespace, &expression).await?)).await;
    }
}

async fn every_panel_of_every_dashboard_has_data(namespace: &TestNamespace) {
    for file in ["detectors.json", "operator.json"] {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/anomaly-operator/dashboards").join(file);
        let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for panel in crate::linter::panels(&dashboard) {
            for target in panel["targets"].as_array().unwrap() {
                let expression = chosen(namespace, target["expr"].as_str().unwrap());
                // A rate of predictions needs requests.
                until(&format!("data of {file}, panel {}: {expression}", panel["title"]), async || {
                    namespace.predict("pump", &json!({"values": {"temperature": 60, "vibration": 2}})).await;
                    some(&query(namespace, &expression).await?)
                })
                .await;
            }
        }
    }
}

/// A panel's expression, with its Grafana variables replaced.
fn chosen(namespace: &TestNamespace, expression: &str) -> String {
    let values = [
        ("$__rate_interval", "20s"),
        ("$__range", "15m"),
        ("$namespace", &namespace.name),
        ("$detector", "pump"),
        ("$sensor", ".+"),
        ("$instance", ".+"),
        ("$job", ".+"),
    ];
    values.iter().fold(expression.to_owned(), |text, (variable, value)| text.replace(variable, value))
}

/// Add a field to the ServiceMonitor that no Prometheus here accepts, and remove it again.
async fn what_a_prometheus_refuses_shows_on_the_detector(namespace: &TestNamespace) {
    let accepted = said(namespace, "True", "AsSpecified").await;
    let accepts = |message: &str| message.contains("monitoring/tests has accepted the ServiceMonitor");
    if !accepts(&accepted) {
        until_said(namespace, accepts).await;
    }
    let monitors = namespace.api(Kind::ServiceMonitor);
    let edit = |class: Value| Patch::Merge(json!({"spec": {"scrapeClass": class}}));
    monitors.patch("pump", &PatchParams::default(), &edit(json!("nowhere"))).await.unwrap();
    let message = said(namespace, "False", "RefusedByPrometheus").await;
    assert!(message.contains("monitoring/tests has refused the ServiceMonitor: "), "{message}");
    assert_eq!(condition(&namespace.ready("pump").await, "Ready").0, "True", "the detector goes on");
    monitors.patch("pump", &PatchParams::default(), &edit(Value::Null)).await.unwrap();
    said(namespace, "True", "AsSpecified").await;
}

/// Return the seconds from the first faulty instant until the alert fires in Prometheus. A fault that comes
/// while the alert still fires for another one does not count.
async fn a_fault_fires_the_alert_which_resolves(namespace: &TestNamespace) -> f64 {
    let began = loop {
        let is_normal = async || (!fires(namespace).await? && alarm(namespace).await? == 0.0).then_some(());
        until_within(RARE, "no alert", is_normal).await;
        let before = faulty_instants(namespace).await.unwrap();
        until_within(RARE, "fault", async || (faulty_instants(namespace).await? > before).then_some(()))
            .await;
        let began = Instant::now();
        if is_normal().await.is_some() {
            break began;
        }
    };
    until("alert that fires", async || fires(namespace).await?.then_some(())).await;
    let seconds = began.elapsed().as_secs_f64();
    until_within(RARE, "alert that resolves", async || (!fires(namespace).await?).then_some(())).await;
    seconds
}

/// Whether AnomalyDetected fires for the pump in Prometheus; if so, check that it fires once, with its
/// shares.
async fn fires(namespace: &TestNamespace) -> Option<bool> {
    let data = prometheus(namespace, "alerts", &[]).await?;
    let alerts = data["alerts"].as_array()?;
    let ours: Vec<&Value> = alerts
        .iter()
        .filter(|alert| {
            alert["labels"]["alertname"] == "AnomalyDetected"
                && alert["labels"]["namespace"] == namespace.name.as_str()
                && alert["labels"]["detector"] == "pump"
                && alert["state"] == "firing"
        })
        .collect();
    assert!(ours.len() <= 1, "replicas do not double: {ours:#?}");
    let shares = ours.iter().all(|alert| {
        let description = alert["annotations"]["description"].as_str().unwrap_or_default();
        description.contains("temperature") && description.contains('%')
    });
    assert!(shares, "{ours:#?}");
    Some(!ours.is_empty())
}

async fn alarm(namespace: &TestNamespace) -> Option<f64> {
    let expression = format!(r#"max(anomaly_alarm{{namespace="{}",detector="pump"}})"#, namespace.name);
    query(namespace, &expression).await?.first()?["value"][1].as_str()?.parse().ok()
}

/// How many instants with a fault the pump's first pod has judged.
async fn faulty_instants(namespace: &TestNamespace) -> Option<f64> {
    let of_pump = ListParams::default().labels("app.kubernetes.io/instance=pump");
    let pod = namespace.pods().list(&of_pump).await.ok()?.items.first()?.name_any();
    let path = format!("/api/v1/namespaces/{}/pods/{pod}:8000/proxy/metrics", namespace.name);
    let text = namespace.client.request_text(Request::get(path).body(Vec::new()).unwrap()).await.ok()?;
    let lines = text.lines().filter(|line| {
        line.starts_with("anomaly_simulation_verdicts_total") && line.contains(r#"truth="anomalous""#)
    });
    Some(lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum())
}

async fn a_deleted_detector_is_no_target_any_more(namespace: &TestNamespace, name: &str) {
    namespace.detectors().delete(name, &DeleteParams::background()).await.unwrap();
    until("end of its targets", async || targets(namespace, name).await?.is_empty().then_some(())).await;
    for kind in [Kind::ServiceMonitor, Kind::PrometheusRule, Kind::Dashboard] {
        let (api, name) = (namespace.api(kind), kind.object_name(name));
        until(&format!("end of {kind:?}"), async || api.get_opt(&name).await.ok()?.is_none().then_some(()))
            .await;
    }
}

async fn apply_to_ready_and_first_scrape(namespace: &TestNamespace, name: &str) -> (f64, f64) {
    let began = Instant::now();
    namespace.apply(&pump(name)).await.unwrap();
    let ready = async {
        namespace.ready(name).await;
        began.elapsed().as_secs_f64()
    };
    let expression = format!(r#"up{{namespace="{}",service="{name}"}} == 1"#, namespace.name);
    let scraped = async {
        until("first scrape", async || some(&query(namespace, &expression).await?)).await;
        began.elapsed().as_secs_f64()
    };
    futures::future::join(ready, scraped).await
}

/// Prometheus scrapes with its own token and checks the certificate. Clients without a token, or without the
/// right, are refused.
async fn the_operators_metrics_go_by_https_to_those_whom_the_cluster_lets(namespace: &TestNamespace) {
    let host = format!("anomaly-operator.{SYSTEM}.svc");
    let certified = rcgen::generate_simple_self_signed(vec![host.clone()]).unwrap();
    let secret = json!({"metadata": {"name": "metrics-tls"}, "stringData": {
        "tls.crt": certified.cert.pem(), "ca.crt": certified.cert.pem(), "tls.key": certified.signing_key.serialize_pem(),
    }});
    let secrets: Api<Secret> = Api::namespaced(namespace.client.clone(), SYSTEM);
    secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
    chart(&["--set", "metrics.tls.secretName=metrics-tls,metrics.authorization=true"]);
    until("scrape by HTTPS", async || {
        let targets = prometheus(namespace, "targets", &[("state", "active")]).await?;
        let is_secure = |target: &Value| {
            target["labels"]["job"] == "anomaly-operator"
                && target["scrapeUrl"].as_str().is_some_and(|url| url.starts_with("https://"))
                && target["health"] == "up"
        };
        targets["activeTargets"].as_array()?.iter().any(is_secure).then_some(())
    })
    .await;
    let token = |of: [&str; 2]| script(&["kubectl", "create", "token", of[1], "--namespace", of[0]]);
    let bearers = [
        "Nobody: 1".to_owned(),
        format!("Authorization: Bearer {}", token(["default", "default"]).trim()),
        format!("Authorization: Bearer {}", token(["monitoring", "prometheus"]).trim()),
    ];
    assert_eq!(statuses(&format!("https://{host}:8080/metrics"), &bearers), "401 403 200 ");
}

/// The HTTP statuses of requests from a pod of the cluster to the URL, one request per header.
fn statuses(url: &str, headers: &[String]) -> String {
    let pod = [
        "kubectl",
        "run",
        "curl",
        "--namespace",
        "default",
        "--image",
        "localhost/curl:dev",
        "--restart",
        "Never",
    ];
    let mut command = pod.to_vec();
    command.extend(["--rm", "--stdin", "--quiet", "--", "curl"]);
    for (at, header) in headers.iter().enumerate() {
        command.extend((at > 0).then_some("--next"));
        command.extend(["--insecure", "--silent", "--output", "/dev/null", "--write-out", "%{http_code} "]);
        command.extend(["--header", header, url]);
    }
    script(&command)
}

/// Wait until MonitoringConfigured has this status and reason, and return its message.
async fn said(namespace: &TestNamespace, status: &str, reason: &str) -> String {
    said_by(namespace, "pump", status, reason).await
}

async fn said_by(namespace: &TestNamespace, name: &str, status: &str, reason: &str) -> String {
    let is_so = |detector: &Value| {
        let (is, because, _) = condition(detector, "MonitoringConfigured");
        (is.as_str(), because.as_str()) == (status, reason)
    };
    let what = format!("says MonitoringConfigured={status}, {reason}");
    condition(&namespace.detector_once(name, &what, is_so).await, "MonitoringConfigured").2
}

async fn until_said(namespace: &TestNamespace, is_so: impl Fn(&str) -> bool) {
    let is_so = |detector: &Value| is_so(&condition(detector, "MonitoringConfigured").2);
    namespace.detector_once("pump", "says who has accepted its ServiceMonitor", is_so).await;
}

fn some(series: &[Value]) -> Option<()> {
    (!series.is_empty()).then_some(())
}

/// The pump of the demo with another name.
fn pump(name: &str) -> Value {
    let text = include_str!("../../../demo/pump.yaml");
    let mut manifest = crd::manifest::documents(text).unwrap().remove(0);
    manifest["metadata"] = json!({"name": name});
    manifest
}

/// The output of a script of the project, or of a program.
fn script(command: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(command[0]).args(&command[1..]).current_dir(root).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Upgrade the release of the operator's chart with these options.
fn chart(options: &[&str]) {
    let helm = std::env::var("HELM").expect("tests/on-cluster says which helm");
    let upgrade = ["upgrade", "anomaly-operator", "charts/anomaly-operator", "--namespace", SYSTEM];
    let command: Vec<&str> = [helm.as_str()]
        .into_iter()
        .chain(upgrade)
        .chain(["--reuse-values", "--wait", "--timeout", "2m"])
        .chain(options.iter().copied())
        .collect();
    script(&command);
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
