//! Scenarios of the monitoring objects, against a scripted API server: with and without the Prometheus
//! Operator, with monitoring enabled and disabled.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::api_server::{Cluster, Fault};
use serde_json::json;

const MONITOR: &str = "/apis/monitoring.coreos.com/v1/namespaces/plant/servicemonitors/pump";
const RULE: &str = "/apis/monitoring.coreos.com/v1/namespaces/plant/prometheusrules/pump";
const DASHBOARD: &str = "/api/v1/namespaces/plant/configmaps/pump-dashboard";

/// Status and reason of the condition MonitoringConfigured.
fn configured(cluster: &Cluster) -> (String, String) {
    let (status, reason, _) = cluster.condition("MonitoringConfigured");
    (status, reason)
}

fn matches(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}

async fn at_rest(has_prometheus_operator: bool) -> Cluster {
    let mut cluster = Cluster::new();
    if has_prometheus_operator {
        cluster.install_prometheus_operator();
    }
    cluster.settle().await;
    cluster.calls();
    cluster
}

#[tokio::test(start_paused = true)]
async fn without_the_prometheus_operator_nothing_is_asked_and_the_condition_says_so() {
    let cluster = at_rest(false).await;
    assert_eq!(configured(&cluster), matches("False", "PrometheusOperatorNotInstalled"));
    assert_eq!(
        cluster.condition("MonitoringConfigured").2,
        "the cluster does not serve ServiceMonitor, PrometheusRule: install the Prometheus Operator, or disable these objects in spec.monitoring; the detector runs without them"
    );
    assert_eq!(cluster.condition("Ready").1, "RollingOut", "the detector goes on without");
    cluster.reconcile().await.unwrap();
    assert_eq!(cluster.calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn once_it_is_installed_the_next_look_heals() {
    let mut cluster = at_rest(false).await;
    cluster.install_prometheus_operator();
    cluster.reconcile().await.unwrap();
    assert_eq!(
        cluster.writes(),
        ["PATCH servicemonitors", "PATCH prometheusrules", "PATCH anomalydetectors/status"]
    );
    assert_eq!(configured(&cluster), matches("True", "AsSpecified"));
    cluster.settle().await;
    cluster.calls();
    cluster.reconcile().await.unwrap();
    assert_eq!(cluster.calls(), Vec::<String>::new(), "at rest the API server is asked nothing");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_asked_for_goes() {
    let mut cluster = at_rest(true).await;
    cluster.edit_spec(|spec| {
        spec["monitoring"] = json!({
            "serviceMonitor": {"enabled": false}, "prometheusRule": {"enabled": false}, "dashboard": {"enabled": true},
        });
    });
    cluster.see();
    cluster.reconcile().await.unwrap();
    assert_eq!(
        cluster.writes(),
        [
            "DELETE servicemonitors",
            "DELETE prometheusrules",
            "PATCH configmaps",
            "PATCH anomalydetectors/status"
        ]
    );
    assert_eq!(cluster.get(DASHBOARD)["metadata"]["labels"]["grafana_dashboard"], "1");
    cluster.settle().await;
    assert_eq!(configured(&cluster), matches("True", "AsSpecified"));

    cluster.calls();
    cluster.edit_spec(|spec| spec["monitoring"]["dashboard"]["enabled"] = json!(false));
    cluster.see();
    cluster.reconcile().await.unwrap();
    assert_eq!(cluster.writes(), ["DELETE configmaps", "PATCH anomalydetectors/status"]);
    assert_eq!(configured(&cluster), matches("True", "NotRequested"));
}

#[tokio::test(start_paused = true)]
async fn a_monitor_that_somebody_edits_or_deletes_is_back() {
    let mut cluster = at_rest(true).await;
    cluster.edit(MONITOR, |monitor| monitor["spec"]["endpoints"][0]["interval"] = json!("1h"));
    cluster.server.lock().unwrap().objects.remove(RULE);
    cluster.settle().await;
    assert_eq!(cluster.get(MONITOR)["spec"]["endpoints"][0]["interval"], "15s");
    assert_eq!(cluster.get(RULE)["spec"]["groups"][0]["name"], "anomaly-detector.pump");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_is_reported_and_stops_nothing_else() {
    let mut cluster = Cluster::new();
    cluster.install_prometheus_operator();
    cluster.put(MONITOR, json!({"metadata": {"name": "pump", "namespace": "plant"}, "spec": {"mine": true}}));
    cluster.settle().await;
    assert_eq!(configured(&cluster), matches("False", "NameTaken"));
    assert_eq!(cluster.get(MONITOR)["spec"], json!({"mine": true}));
    assert_eq!(cluster.get(RULE)["metadata"]["name"], "pump", "the rules are written all the same");
    assert_eq!(cluster.condition("Ready").1, "RollingOut");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_refused_is_reported_and_tried_again_and_stops_nothing_else() {
    let mut cluster = Cluster::new();
    cluster.install_prometheus_operator();
    let monitor = 6; // after the five objects of every detector
    cluster.server.lock().unwrap().faults.insert(monitor, Fault::Refused(422));
    cluster.see();
    cluster.reconcile().await.unwrap();
    assert_eq!(configured(&cluster), matches("False", "ApplyFailed"));
    assert_eq!(cluster.condition("MonitoringConfigured").2, "cannot create ServiceMonitor pump: as scripted");
    assert_eq!(cluster.condition("Ready").1, "RollingOut");
    assert_eq!(cluster.get(RULE)["metadata"]["name"], "pump");
    cluster.settle().await;
    assert_eq!(configured(&cluster), matches("True", "AsSpecified"));
}

#[tokio::test(start_paused = true)]
async fn what_a_prometheus_says_of_the_monitor_shows_on_the_detector() {
    let mut cluster = at_rest(true).await;
    let binding = |status: &str, message: &str| {
        json!({"bindings": [{
            "group": "monitoring.coreos.com", "resource": "prometheuses", "namespace": "monitoring", "name": "k8s",
            "conditions": [{"type": "Accepted", "status": status, "reason": "", "message": message}],
        }]})
    };
    cluster.edit(MONITOR, |monitor| monitor["status"] = binding("False", "scrapeClass \"x\" not found"));
    cluster.settle().await;
    assert_eq!(configured(&cluster), matches("False", "RefusedByPrometheus"));
    assert_eq!(
        cluster.condition("MonitoringConfigured").2,
        "prometheuses monitoring/k8s has refused the ServiceMonitor: scrapeClass \"x\" not found"
    );
    assert_eq!(cluster.condition("Ready").1, "RollingOut", "the detector goes on");

    cluster.edit(MONITOR, |monitor| monitor["status"] = binding("True", ""));
    cluster.settle().await;
    assert_eq!(configured(&cluster), matches("True", "AsSpecified"));
    assert_eq!(
        cluster.condition("MonitoringConfigured").2,
        "as specified: ServiceMonitor, PrometheusRule; prometheuses monitoring/k8s has accepted the ServiceMonitor"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_spec_leaves_what_was_said_of_monitoring() {
    let mut cluster = at_rest(true).await;
    cluster.edit_spec(|spec| {
        let mut same_sensor = spec["sources"][0].clone();
        same_sensor["name"] = json!("other");
        spec["sources"].as_array_mut().unwrap().push(same_sensor);
    });
    cluster.settle().await;
    assert_eq!(cluster.condition("Accepted").0, "False");
    assert_eq!(configured(&cluster), matches("True", "AsSpecified"));
}
