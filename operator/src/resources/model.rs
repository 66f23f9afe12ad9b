//! A plan and a model in, the ConfigMaps that store the model out: an immutable revision, and the pointer
//! that new pods start with.

use std::collections::BTreeMap;

use crd::contract::{MODEL_FILE, ModelReport, TRAINED_AT_FILE};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::plan::Plan;

/// The annotation with the model's digest.
pub const DIGEST: &str = "anomaly.dev/digest";
/// The annotation with the time at which the training ended, which the model file does not contain.
pub const TRAINED_AT: &str = "anomaly.dev/trained-at";
/// The annotation with the time of the newest reading that the model has learned from.
pub const DATA_END_TIME: &str = "anomaly.dev/data-end-time";
/// The annotation with the hash of the sources and parameters that the model was made from.
pub const RECIPE: &str = "anomaly.dev/recipe";
/// The annotation of a pointer whose model is over `MAX_STORED_BYTES` and is therefore not in it.
pub const TOO_LARGE: &str = "anomaly.dev/too-large";

/// The ConfigMap that stores a model. It is immutable.
pub fn revision(plan: &Plan, model: &ModelReport, bytes: ByteString) -> ConfigMap {
    ConfigMap {
        metadata: metadata(plan, revision_name(&plan.name(), &model.digest), annotations(model)),
        binary_data: Some(BTreeMap::from([(MODEL_FILE.to_owned(), bytes)])),
        immutable: Some(true),
        ..ConfigMap::default()
    }
}

/// The pointer: a copy of a model and the time of its training, or only its annotations where it is too
/// large.
pub fn pointer(plan: &Plan, annotations: BTreeMap<String, String>, bytes: Option<ByteString>) -> ConfigMap {
    let trained_at = annotations.get(TRAINED_AT).filter(|_| bytes.is_some()).cloned();
    ConfigMap {
        metadata: metadata(plan, pointer_name(&plan.name()), annotations),
        data: trained_at.map(|time| BTreeMap::from([(TRAINED_AT_FILE.to_owned(), time)])),
        binary_data: bytes.map(|bytes| BTreeMap::from([(MODEL_FILE.to_owned(), bytes)])),
        ..ConfigMap::default()
    }
}

/// The annotations that describe a model.
pub fn annotations(model: &ModelReport) -> BTreeMap<String, String> {
    let annotations = [
        (DIGEST, Some(model.digest.clone())),
        (TRAINED_AT, model.trained_at.map(|time| time.to_string())),
        (DATA_END_TIME, Some(model.data_end_time.to_string())),
        (RECIPE, model.recipe.clone()),
        ("anomaly.dev/origin", model.origin.map(|origin| format!("{origin:?}"))),
        ("anomaly.dev/samples", Some(model.samples.to_string())),
        ("anomaly.dev/threshold", Some(model.threshold.to_string())),
        ("anomaly.dev/columns", Some(model.columns.join(","))),
    ];
    annotations.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// The annotations of a model that is too large for the pointer.
pub fn too_large(model: &ModelReport) -> BTreeMap<String, String> {
    let mut annotations = annotations(model);
    annotations.insert(TOO_LARGE.to_owned(), "true".to_owned());
    annotations
}

/// The name of the pointer, which the pods mount.
pub fn pointer_name(detector: &str) -> String {
    format!("{detector}-model")
}

/// The name of the ConfigMap that stores the model of that digest.
pub fn revision_name(detector: &str, digest: &str) -> String {
    format!("{detector}-model-{}", short(digest))
}

/// The first ten digits of a digest: enough to distinguish models.
pub fn short(digest: &str) -> String {
    digest.trim_start_matches("sha256:").chars().take(10).collect()
}

/// Return the metadata of a ConfigMap with a model. Its component label distinguishes it from the rest of the
/// workload, because of models only the metadata is watched.
fn metadata(plan: &Plan, name: String, annotations: BTreeMap<String, String>) -> ObjectMeta {
    let mut metadata = plan.metadata();
    let labels = metadata.labels.get_or_insert_default();
    labels.insert("app.kubernetes.io/component".to_owned(), "model".to_owned());
    ObjectMeta { name: Some(name), annotations: Some(annotations), ..metadata }
}
