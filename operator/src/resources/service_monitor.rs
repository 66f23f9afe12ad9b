//! A plan in, the ServiceMonitor out, which has Prometheus scrape the pods: the part of the Prometheus Operator's
//! type that is used here.

use std::time::Duration;

use crd::contract::METRICS_PORT_NAME;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use serde::Serialize;

use super::prometheus::{MONITORING, prometheus_duration};
use crate::plan::Plan;

/// The longest that a scrape may take: Prometheus' own default.
const LONGEST_SCRAPE: Duration = Duration::from_secs(10);

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
    let asked = &plan.detector.spec().monitoring.service_monitor;
    asked.enabled.then(|| ServiceMonitor {
        api_version: MONITORING,
        kind: "ServiceMonitor",
        metadata: plan.metadata_with(&asked.labels),
        spec: ServiceMonitorSpec {
            // One job for all detectors, so that dashboards can ask for it.
            job_label: "app.kubernetes.io/name",
            // The Service of this detector and no other.
            selector: LabelSelector { match_labels: Some(plan.selector()), ..LabelSelector::default() },
            endpoints: [endpoint(asked.interval.into())],
        },
    })
}

fn endpoint(interval: Duration) -> Endpoint {
    Endpoint {
        // The pods' port and not the Service's: a Service whose predict port has its number does without it. It is one
        // target a pod either way.
        target_port: METRICS_PORT_NAME,
        path: "/metrics",
        interval: prometheus_duration(interval),
        scrape_timeout: prometheus_duration(interval.min(LONGEST_SCRAPE)), // a longer one than the interval is refused
        // Where the two disagree, the label that Prometheus gives the target wins: a pod cannot pose as one of another
        // namespace. None of the detector's own labels (detector, sensor, source ...) is a target's, so nothing is lost.
        honor_labels: false,
    }
}
