//! The text of a manifest in, valid detectors out, or every rule that it breaks.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;
use serde_json::{Value, json};
use thiserror::Error;

use crate::AnomalyDetector;
#[cfg(feature = "offline")]
use crate::rules::Violation;
#[cfg(feature = "offline")]
use crate::schema;
use crate::valid::Invalid;
#[cfg(feature = "offline")]
use crate::valid::Valid;

/// The largest manifest that is read: what the API server's storage takes.
pub const MAX_BYTES: usize = 1_500_000;

/// The text is no manifest, or breaks rules.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// Larger than any object that Kubernetes stores.
    #[error("a manifest must be at most {MAX_BYTES} bytes, got {0}")]
    TooLarge(usize),
    /// Not YAML.
    #[error("expected YAML: {0}")]
    Yaml(String),
    /// No document in it.
    #[error("expected an AnomalyDetector, got an empty file")]
    Empty,
    /// More detectors than one where one was wanted.
    #[error("expected one AnomalyDetector, got {0}")]
    Several(usize),
    /// Rules are broken.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// All documents of the text, as JSON. `---` stands between documents; empty ones are left out.
///
/// # Errors
/// The text is too large, no YAML, or empty.
pub fn documents(text: &str) -> Result<Vec<Value>, ManifestError> {
    if text.len() > MAX_BYTES {
        return Err(ManifestError::TooLarge(text.len()));
    }
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, as_kubectl())
        .map_err(|error| ManifestError::Yaml(first_line(&error.to_string())))?;
    let mut documents: Vec<Value> = documents.into_iter().filter(|document| !document.is_null()).collect();
    documents.iter_mut().for_each(whole_numbers);
    if documents.is_empty() { Err(ManifestError::Empty) } else { Ok(documents) }
}

/// YAML as kubectl reads it: 1.1 in its numbers.
fn as_kubectl() -> serde_saphyr::Options {
    serde_saphyr::options! { legacy_octal_numbers: true }
}

/// `2.0` is 2 in JSON without a point, which kubectl writes.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let whole = number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 9e15);
            if let Some(whole) = whole {
                *value = json!(whole as i64);
            }
        }
        Value::Object(fields) => fields.values_mut().for_each(whole_numbers),
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        _ => {}
    }
}

/// One sentence of an error that goes on to quote the text.
fn first_line(error: &str) -> String {
    error.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// The valid detector that a document is.
///
/// # Errors
/// Every rule that it breaks.
#[cfg(feature = "offline")]
pub fn detector(mut document: Value) -> Result<Valid, Invalid> {
    schema::without_nulls(&mut document);
    let violations = schema::violations(&document);
    if !violations.is_empty() {
        return Err(Invalid(violations));
    }
    let detector = serde_json::from_value(document)
        .map_err(|error| Invalid(vec![Violation::new("", error.to_string())]))?;
    Valid::new(detector)
}

/// The one detector that the text describes.
///
/// # Errors
/// The text is no YAML, not one document, or breaks rules: all of them are named.
#[cfg(feature = "offline")]
pub fn one_detector(text: &str) -> Result<Valid, ManifestError> {
    let mut documents = documents(text)?;
    match (documents.pop(), documents.len()) {
        (Some(document), 0) => Ok(detector(document)?),
        (_, others) => Err(ManifestError::Several(others + 1)),
    }
}

/// A manifest as YAML.
pub fn yaml(document: &Value) -> String {
    serde_saphyr::to_string(document).expect("JSON is YAML")
}

/// The CustomResourceDefinition as `crd/anomalydetectors.yaml` holds it and `operator crd` prints it.
pub fn crd_yaml() -> String {
    let crd = serde_saphyr::to_string(&crd()).expect("a CRD is YAML");
    format!("# Generated from the types in crd/src; a test fails when it is not current.\n{crd}")
}

/// The OpenAPI schema of the CustomResourceDefinition as `crd/schema.json` holds it: without descriptions, which are three
/// quarters of it and are for people.
pub fn schema_json() -> String {
    let mut crd = serde_json::to_value(crd()).expect("a CRD is JSON");
    let mut schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].take();
    remove_descriptions(&mut schema);
    schema.to_string()
}

fn remove_descriptions(schema: &mut Value) {
    let Value::Object(node) = schema else { return };
    node.remove("description");
    for (key, child) in node {
        match (key.as_str(), child) {
            ("properties", Value::Object(fields)) => fields.values_mut().for_each(remove_descriptions),
            (_, child) => remove_descriptions(child),
        }
    }
}

/// The CustomResourceDefinition. An object that the operator has not seen yet has observed no generation: tools that wait
/// by kstatus, such as `helm --wait`, take an object without a status for one that is done.
pub(crate) fn crd() -> CustomResourceDefinition {
    let mut crd = AnomalyDetector::crd();
    let schemas = crd.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut());
    let schemas = schemas.filter_map(|schema| schema.open_api_v3_schema.as_mut());
    for fields in schemas.filter_map(|schema| schema.properties.as_mut()) {
        if let Some(status) = fields.get_mut("status") {
            status.default = Some(JSON(json!({ "observedGeneration": -1 })));
        }
        for schema in fields.values_mut() {
            leave_items_alone(schema, false);
        }
    }
    crd
}

/// No default inside of a list. `kubectl apply` compares lists as a whole: an item with a field that the API server has filled in
/// differs from the manifest forever, and each apply says "configured". The program fills these in.
fn leave_items_alone(schema: &mut JSONSchemaProps, is_in_list: bool) {
    if is_in_list {
        schema.default = None;
    }
    let fields = schema.properties.iter_mut().flat_map(BTreeMap::values_mut);
    fields.for_each(|field| leave_items_alone(field, is_in_list));
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        leave_items_alone(items, true);
    }
}
