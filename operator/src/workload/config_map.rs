//! A plan in, the ConfigMap with the pods' manifest out: name, namespace and what the detector reads of the spec, in
//! the very types of the API.

use std::collections::BTreeMap;

use crd::contract::CONFIG_FILE;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::history;
use crate::plan::Plan;

/// The ConfigMap.
pub fn build(plan: &Plan) -> ConfigMap {
    let mut metadata = plan.metadata();
    metadata.annotations = Some(plan.history.annotations());
    let manifest = serde_saphyr::to_string(&manifest(plan)).expect("JSON is YAML");
    ConfigMap {
        metadata,
        data: Some(BTreeMap::from([(CONFIG_FILE.to_owned(), manifest)])),
        ..ConfigMap::default()
    }
}

/// Sixteen hexadecimal digits that change when the pods must see something new.
pub fn digits(config_map: &ConfigMap) -> String {
    history::digits(json!(config_map.data).to_string().as_bytes())
}

/// The detector's manifest. Replicas, Service, pods and monitoring are the cluster's affair: they are left out, so that
/// changing them restarts nothing.
fn manifest(plan: &Plan) -> Value {
    let detector = plan.detector.detector();
    let mut spec = detector.spec.clone();
    if spec.model.load.is_none() {
        spec.model.train.get_or_insert_default().until = Some(plan.history.until);
    }
    let mut spec = json!(spec);
    if let Some(fields) = spec.as_object_mut() {
        for field in ["replicas", "service", "pod", "monitoring"] {
            fields.remove(field);
        }
    }
    json!({
        "apiVersion": "anomaly.dev/v1alpha1",
        "kind": "AnomalyDetector",
        "metadata": { "name": detector.name_any(), "namespace": plan.namespace },
        "spec": spec,
    })
}
