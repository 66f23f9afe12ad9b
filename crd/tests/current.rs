//! `anomalydetectors.yaml` and `schema.json` are current: they are what the types generate;
//! `UPDATE=1 cargo test -p crd` rewrites them.
#![cfg(test)]

use crd::AnomalyDetector;
use kube::CustomResourceExt;

#[test]
fn the_committed_crd_and_schema_are_what_the_types_say() {
    let files =
        [("anomalydetectors.yaml", crd::manifest::crd_yaml()), ("schema.json", crd::manifest::schema_json())];
    for (name, generated) in files {
        let path = format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &generated).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == generated, "{path} is not current: UPDATE=1 cargo test -p crd rewrites it");
    }
}

#[test]
fn every_field_is_documented_for_kubectl_explain() {
    fn undocumented(path: &str, schema: &serde_json::Value, found: &mut Vec<String>) {
        let fields = schema["properties"].as_object();
        for (name, field) in fields.into_iter().flatten() {
            let path = format!("{path}.{name}");
            if field["description"].as_str().is_none_or(str::is_empty) {
                found.push(path.clone());
            }
            undocumented(&path, field, found);
            undocumented(&path, &field["items"], found);
        }
    }
    let crd = serde_json::to_value(AnomalyDetector::crd()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut found = Vec::new();
    undocumented("spec", &schema["properties"]["spec"], &mut found);
    undocumented("status", &schema["properties"]["status"], &mut found);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_list_and_string_of_ours_is_bounded() {
    fn unbounded(path: &str, schema: &serde_json::Value, found: &mut Vec<String>) {
        let is = |kind: &str| schema["type"] == kind;
        let bounded = |bound: &str| !schema[bound].is_null() || !schema["enum"].is_null();
        if (is("array") && !bounded("maxItems")) || (is("string") && !bounded("maxLength")) {
            found.push(path.to_owned());
        }
        let fields = schema["properties"].as_object();
        for (name, field) in fields.into_iter().flatten() {
            // Kubernetes' own types, which the API server and the scheduler bound.
            if !["affinity", "tolerations", "topologySpreadConstraints"].contains(&name.as_str()) {
                unbounded(&format!("{path}.{name}"), field, found);
            }
        }
        if schema["items"].is_object() {
            unbounded(&format!("{path}[]"), &schema["items"], found);
        }
    }
    let crd = serde_json::to_value(AnomalyDetector::crd()).unwrap();
    let mut found = Vec::new();
    unbounded(
        "spec",
        &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"],
        &mut found,
    );
    assert_eq!(found, Vec::<String>::new());
}

/// `kubectl apply` compares lists as a whole: a default that the API server fills in there would be a
/// difference at each apply.
#[test]
fn no_default_is_filled_in_inside_of_a_list() {
    fn defaults(path: &str, schema: &serde_json::Value, is_in_list: bool, found: &mut Vec<String>) {
        if is_in_list && !schema["default"].is_null() {
            found.push(path.to_owned());
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            defaults(&format!("{path}.{name}"), field, is_in_list, found);
        }
        if schema["items"].is_object() {
            defaults(&format!("{path}[]"), &schema["items"], true, found);
        }
    }
    let crd: serde_json::Value = serde_saphyr::from_str(&crd::manifest::crd_yaml()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut found = Vec::new();
    defaults("", schema, false, &mut found);
    assert_eq!(found, Vec::<String>::new());
}
