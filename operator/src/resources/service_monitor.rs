//! A plan in, the ServiceMonitor out, which has Prometheus scrape the pods: the part of the Prometheus Operator's
//! type that is used here.

use std::time::Duration;

use crd::contract::METRICS_PORT_NAME;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use serde::Serialize;

use super::prometheus::{MONITORING, prometheus_duration};
use crate::plan::Plan;

/// The longest timeout of a scrape: Prometheus' own default.
const MAX_SCRAPE: Duration = Duration::from_secs(10);

/// `monitoring.coreos.com/v1`, kind `ServiceMonitor`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceMonitor {
    api_version: &'static str,
    kind: &'static str,
    metadata: ObjectMeta,
    spec: ServiceMonitorSpec,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceMonitorSpec {
    job_label: &'static str,
    selector: LabelSelector,
    endpoints: [Endpoint; 1],
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    target_port: &'static str,
    path: &'static str,
    interval: String,
    scrape_timeout: String,
    honor_labels: bool,
}

/// The ServiceMonitor, or none where the spec asks for none.
pub fn build(plan: &Plan) -> Option<ServiceMonitor> {
    let monitor = &plan.detector.spec().monitoring.service_monitor;
    monitor.enabled.then(|| ServiceMonitor {
        api_version: MONITORING,
        kind: "ServiceMonitor",
        metadata: plan.metadata_with(&monitor.labels),
        spec: ServiceMonitorSpec {
            // The same job name for all detectors, so that dashboards can select it.
            job_label: "app.kubernetes.io/name",
            // Selects only the Service of this detector.
            selector: LabelSelector { match_labels: Some(plan.selector()), ..LabelSelector::default() },
            endpoints: [endpoint(monitor.interval.into())],
        },
    })
}

fn endpoint(interval: Duration) -> Endpoint {
    Endpoint {
        // The port of the pods and not of the Service: a Service whose predict port has the same number lacks
        // the metrics port. Either way there is one target for each pod.
        target_port: METRICS_PORT_NAME,
        path: "/metrics",
        interval: prometheus_duration(interval),
        scrape_timeout: prometheus_duration(interval.min(MAX_SCRAPE)), // a longer one than the interval is refused
        // In a conflict, the label that Prometheus gives the target wins: a pod cannot pose as a pod of
        // another namespace. The detector's own labels (detector, sensor, source ...) are never labels of the
        // target, so nothing is lost.
        honor_labels: false,
    }
}
