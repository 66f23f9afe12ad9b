//! The operator's figures, measured on a real cluster: `make bench-operator`. They are printed and never
//! asserted, because each depends on the machine.
//!
//! Calls are counted in the audit log of the cluster that `tests/cluster/up` started.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Instant;

use crate::test_namespace::{
    SYSTEM, TestNamespace, condition, operator_metric, operator_pods, sample, until,
};
use http::Request;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::{Value, json};

const AUDIT_LOG: &str = "/var/lib/anomaly-operator/logs/audit.log";
const ACCOUNT: &str = "system:serviceaccount:anomaly-system:anomaly-operator";
/// How often seconds and writes are measured: their median and their maximum are printed.
const RUNS: usize = 5;
/// The number of detectors for which memory and the time until all are Ready are measured.
const MANY: usize = 200;
/// How often Helm installs a detector and waits.
const HELM_RUNS: usize = 11;

#[tokio::test]
#[ignore = "needs a cluster: make bench-operator"]
async fn figures() {
    let namespace = TestNamespace::new("figures").await;
    let (mut applies, mut edits, mut writes, mut one) = (Vec::new(), Vec::new(), Vec::new(), 0.0);
    for run in 0..RUNS {
        let name = format!("run-{run}");
        applies
            .push(seconds(async { namespace.apply(&small(&name)).await.unwrap() }, &namespace, &name).await);
        writes.push(calls(&namespace, &name).into_iter().filter(|call| call.is_write).count());
        let contamination = json!({"threshold": {"contamination": 0.03}});
        edits.push(seconds(namespace.edit(&name, contamination), &namespace, &name).await);
        if run == 0 {
            one = rss_mib(&namespace).await;
        }
    }
    let noop_calls = calls_at_rest(&namespace).await;
    let wait_lies = wait_lies(&namespace).await;
    let began = Instant::now();
    for i in RUNS..MANY {
        namespace.apply(&small(&format!("run-{i}"))).await.unwrap();
    }
    for i in RUNS..MANY {
        namespace.ready(&format!("run-{i}")).await;
    }
    let many_ready = began.elapsed().as_secs_f64();
    let hundred = rss_mib(&namespace).await;
    println!("applies: {applies:.1?} s, edits: {edits:.1?} s, writes: {writes:?}");
    println!(
        "figures: apply_to_ready_s={:.1} edit_to_serving_s={:.1} writes_per_create={} noop_calls={noop_calls} rss_1_mib={one:.1} rss_{MANY}_mib={hundred:.1} ready_{MANY}_s={many_ready:.1} wait_lies={wait_lies}",
        median(&applies),
        median(&edits),
        writes.iter().max().unwrap(),
    );
    namespace.delete().await;
}

/// A detector that requests a tenth of the usual CPU: a node of two cores has no room for 200 of the usual
/// size beside the operator. And one that raises no alarm during the test: each alarm is an Event and a
/// status, which would be counted.
fn small(name: &str) -> Value {
    let mut manifest = sample("quickstart.yaml", name);
    manifest["spec"]["pod"]["resources"] =
        json!({"requests": {"cpu": "1m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}});
    manifest["spec"]["alarm"] = json!({"minimumDuration": "10m"});
    manifest
}

/// How often `helm install --wait` returned although the detector that it installed was not Ready.
async fn wait_lies(namespace: &TestNamespace) -> usize {
    let chart = tempfile::tempdir().unwrap();
    std::fs::create_dir(chart.path().join("templates")).unwrap();
    std::fs::write(chart.path().join("Chart.yaml"), "apiVersion: v2\nname: detector\nversion: 1.0.0\n")
        .unwrap();
    let manifest = sample("quickstart.yaml", "{{ .Release.Name }}");
    std::fs::write(chart.path().join("templates/detector.yaml"), serde_saphyr::to_string(&manifest).unwrap())
        .unwrap();
    let mut lies = 0;
    for run in 0..HELM_RUNS {
        let name = format!("helm-{run}");
        let helm = std::env::var("HELM").unwrap_or_else(|_| "helm4".to_owned());
        let (folder, of_release) = (chart.path().to_owned(), namespace.name.clone());
        let (release, program) = (name.clone(), helm.clone());
        let installed = tokio::task::spawn_blocking(move || {
            let mut command = std::process::Command::new(program);
            command.args(["--namespace", &of_release, "install", &release]).arg(folder);
            command.args(["--wait", "--timeout", "2m"]).output().unwrap()
        });
        let installed = installed.await.unwrap();
        assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
        let detector = json!(namespace.detectors().get(&name).await.unwrap());
        lies += usize::from(condition(&detector, "Ready").0 != "True");
        namespace.detectors().delete(&name, &DeleteParams::background()).await.unwrap();
    }
    lies
}

/// The seconds from the call until the detector is Ready for its current spec.
async fn seconds<T>(call: impl Future<Output = T>, namespace: &TestNamespace, name: &str) -> f64 {
    let began = Instant::now();
    call.await;
    namespace.ready(name).await;
    began.elapsed().as_secs_f64()
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

struct Call {
    at: Timestamp,
    is_write: bool,
}

/// The operator's calls that concern the detector's objects, models and Events included.
fn calls(namespace: &TestNamespace, name: &str) -> Vec<Call> {
    calls_that(|object| {
        let of = object["name"].as_str().unwrap_or_default();
        object["namespace"] == namespace.name
            && (of == name || [".", "-model"].iter().any(|end| of.starts_with(&format!("{name}{end}"))))
    })
}

fn calls_that(concern: impl Fn(&Value) -> bool) -> Vec<Call> {
    let log = std::fs::read_to_string(AUDIT_LOG)
        .expect("the audit log of the cluster that tests/cluster/up started");
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ours =
        lines.filter(|line| line["stage"] == "ResponseComplete" && line["user"]["username"] == ACCOUNT);
    let calls = ours.filter(|line| concern(&line["objectRef"])).map(|line| Call {
        at: line["requestReceivedTimestamp"].as_str().unwrap().parse().unwrap(),
        is_write: !["get", "list", "watch"].contains(&line["verb"].as_str().unwrap()),
    });
    calls.collect()
}

/// The number of calls while every detector is reconciled once more and nothing has changed. Renewals of the
/// Lease and of watches do not count: they are not the reconciler's.
async fn calls_at_rest(namespace: &TestNamespace) -> usize {
    until("three seconds without a call: what the last edit set off is over", async || {
        let newest = calls_of_all(namespace).into_iter().map(|call| call.at).max();
        newest.is_none_or(|at| Timestamp::now().duration_since(at).as_secs() >= 3).then_some(())
    })
    .await;
    let began = Timestamp::now();
    let before = reconciles(namespace).await;
    until("another look at every detector", async || {
        (reconciles(namespace).await >= before + RUNS as f64).then_some(())
    })
    .await;
    calls_of_all(namespace).into_iter().filter(|call| call.at >= began).count()
}

/// The operator's calls on objects of this namespace.
fn calls_of_all(namespace: &TestNamespace) -> Vec<Call> {
    calls_that(|object| object["namespace"] == namespace.name.as_str() && object["name"].is_string())
}

async fn reconciles(namespace: &TestNamespace) -> f64 {
    let pod = operator_pods(&namespace.client).await.remove(0).name_any();
    operator_metric(&namespace.client, &pod, "anomaly_operator_reconciles_total{").await.unwrap()
}

/// The resident memory of the operator in MiB, as the kubelet reports it in its first measurement from now
/// on.
async fn rss_mib(namespace: &TestNamespace) -> f64 {
    let node = operator_pods(&namespace.client).await.remove(0).spec.unwrap().node_name.unwrap();
    let path = format!("/api/v1/nodes/{node}/proxy/stats/summary");
    let now = Timestamp::now();
    until("memory of the operator", async || {
        let summary: Value =
            namespace.client.request(Request::get(&path).body(Vec::new()).unwrap()).await.ok()?;
        let pod = summary["pods"].as_array()?.iter().find(|pod| pod["podRef"]["namespace"] == SYSTEM)?;
        let memory = &pod["containers"][0]["memory"];
        let time: Timestamp = memory["time"].as_str()?.parse().ok()?;
        (time > now).then(|| memory["rssBytes"].as_f64()).flatten().map(|bytes| bytes / 1_048_576.0)
    })
    .await
}
