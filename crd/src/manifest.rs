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

/// The largest manifest that is read, in bytes: the most that the API server stores.
pub const MAX_BYTES: usize = 1_500_000;

/// Why a text is refused as a manifest.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// The text is larger than any object that Kubernetes stores.
    #[error("a manifest must be at most {MAX_BYTES} bytes, got {0}")]
    TooLarge(usize),
    /// The text is not YAML.
    #[error("expected YAML: {0}")]
    Yaml(String),
    /// The text has no document.
    #[error("expected an AnomalyDetector, got an empty file")]
    Empty,
    /// The text has several documents where one is expected.
    #[error("expected one AnomalyDetector, got {0}")]
    Several(usize),
    /// The detector breaks rules.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// Return all documents of the text, as JSON. `---` separates documents; empty ones are left out.
///
/// # Errors
/// The text is too large, not YAML, or empty.
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

/// The options that read numbers as kubectl does, by YAML 1.1: `010` is octal.
fn as_kubectl() -> serde_saphyr::Options {
    serde_saphyr::options! { legacy_octal_numbers: true }
}

/// Replace whole numbers with a point by integers, as kubectl does: `2.0` becomes `2`.
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

/// Return the first line of a parser's error; the lines after it quote the text.
fn first_line(error: &str) -> String {
    error.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// Check a document and return its valid detector.
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

/// Check a text with one document and return its valid detector.
///
/// # Errors
/// The text is not YAML, does not have exactly one document, or breaks rules: the error has all of them.
#[cfg(feature = "offline")]
pub fn one_detector(text: &str) -> Result<Valid, ManifestError> {
    let mut documents = documents(text)?;
    match (documents.pop(), documents.len()) {
        (Some(document), 0) => Ok(detector(document)?),
        (_, others) => Err(ManifestError::Several(others + 1)),
    }
}

/// Format a manifest as YAML.
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

/// The CustomResourceDefinition. A new object gets the status `observedGeneration: -1`: tools that wait by
/// kstatus, such as `helm --wait`, would take an object without a status for a ready one.
pub(crate) fn crd() -> CustomResourceDefinition {
    let mut crd = AnomalyDetector::crd();
    let schemas = crd.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut());
    let schemas = schemas.filter_map(|schema| schema.open_api_v3_schema.as_mut());
    for fields in schemas.filter_map(|schema| schema.properties.as_mut()) {
        if let Some(status) = fields.get_mut("status") {
            status.default = Some(JSON(json!({ "observedGeneration": -1 })));
        }
        for schema in fields.values_mut() {
            remove_list_defaults(schema, false);
        }
    }
    crd
}

/// Remove the defaults of fields inside of lists. `kubectl apply` compares lists as a whole: an item with a
/// field that the API server has filled in differs from the manifest forever, and each apply prints
/// "configured". The program fills in these defaults.
fn remove_list_defaults(schema: &mut JSONSchemaProps, is_in_list: bool) {
    if is_in_list {
        schema.default = None;
    }
    let fields = schema.properties.iter_mut().flat_map(BTreeMap::values_mut);
    fields.for_each(|field| remove_list_defaults(field, is_in_list));
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        remove_list_defaults(items, true);
    }
}
