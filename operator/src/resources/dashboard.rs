//! A plan in, the ConfigMap with a dashboard for this one detector out, for Grafana's sidecar: the chart's
//! dashboard of all detectors, with namespace and detector fixed.

use std::collections::BTreeMap;

use crd::digest;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use crate::plan::Plan;

/// The chart's dashboard, with variables for the namespace and the detector.
const DETECTORS: &str = include_str!("../../../charts/anomaly-operator/dashboards/detectors.json");

/// The ConfigMap, or none where the spec asks for none.
pub fn build(plan: &Plan) -> Option<ConfigMap> {
    let dashboard_spec = &plan.detector.spec().monitoring.dashboard;
    dashboard_spec.enabled.then(|| {
        let mut metadata = plan.metadata_with(&dashboard_spec.labels());
        metadata.name = Some(name(&plan.name()));
        let file = format!("anomaly-detector-{}-{}.json", plan.namespace, plan.name());
        ConfigMap {
            metadata,
            data: Some(BTreeMap::from([(file, dashboard(plan).to_string())])),
            ..ConfigMap::default()
        }
    })
}

/// The name of the ConfigMap of a detector of that name.
pub fn name(detector: &str) -> String {
    format!("{detector}-dashboard")
}

fn dashboard(plan: &Plan) -> Value {
    let (namespace, detector) = (&plan.namespace, plan.name());
    let mut dashboard: Value =
        serde_json::from_str(DETECTORS).expect("the chart's dashboard is JSON: a test reads it");
    dashboard["title"] = json!(format!("Anomaly detector {namespace}/{detector}"));
    // Grafana identifies dashboards by the uid: 40 characters at most, and the same after every change.
    let id = digest::short(format!("{namespace}/{detector}").as_bytes());
    dashboard["uid"] = json!(format!("anomaly-detector-{id}"));
    if let Some(variables) = dashboard["templating"]["list"].as_array_mut() {
        for (name, value) in [("namespace", namespace), ("detector", &detector)] {
            variables.iter_mut().filter(|variable| variable["name"] == name).for_each(|variable| {
                *variable = json!({"name": name, "type": "constant", "hide": 2, "query": value});
            });
        }
    }
    dashboard
}
