//! A plan in, the ConfigMap with the pods' manifest out: name, namespace and the part of the spec that the
//! detector reads, in the API's own types.

use std::collections::BTreeMap;

use crd::AnomalyDetector;
use crd::contract::CONFIG_FILE;
use crd::digest;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

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

/// Return a hash of the manifest, 16 hexadecimal digits, that changes when pods must be replaced. Fields that
/// running pods follow in their mounted manifest are left out of it.
pub fn hash(plan: &Plan) -> String {
    let mut manifest = manifest(plan);
    let model = &mut manifest["spec"]["model"];
    remove(model, &["pinnedDigest"]);
    remove(&mut model["train"], &["dataEndTime"]);
    digest::short(manifest.to_string().as_bytes())
}

/// Return the detector's manifest. Replicas, Service, pods and monitoring are for the cluster, and the number
/// of stored models is for the operator: those fields are left out, so that changing them does not restart
/// pods.
fn manifest(plan: &Plan) -> Value {
    let detector = plan.detector.detector();
    let mut spec = detector.spec.clone();
    if plan.detector.train().is_some() {
        spec.model.train.get_or_insert_default().data_end_time = Some(plan.history.until);
    }
    let mut spec = json!(spec);
    remove(&mut spec, &["replicas", "service", "pod", "monitoring"]);
    remove(&mut spec["model"], &["revisionHistoryLimit"]);
    json!({
        "apiVersion": AnomalyDetector::api_version(&()),
        "kind": AnomalyDetector::kind(&()),
        "metadata": { "name": detector.name_any(), "namespace": plan.namespace },
        "spec": spec,
    })
}

fn remove(object: &mut Value, names: &[&str]) {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|name, _| !names.contains(&name.as_str()));
    }
}
