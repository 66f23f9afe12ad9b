//! A manifest as JSON in; every rule that it breaks out: unknown fields, types and bounds of the CRD's own schema, its CEL
//! rules, as the API server would say, and those that no schema can say.

mod path;
mod sentence;

use std::collections::HashMap;
use std::sync::LazyLock;

use jsonschema::error::ValidationErrorKind;
use kube::Resource;
use kube::core::cel::{self, CompiledSchema, ErrorKind, ValidationErrors};
use serde_json::{Value, json};

use self::path::{is_within, join};
use self::sentence::sentences;
use crate::AnomalyDetector;
use crate::names::{LABEL_VALUE, QUALIFIED, SUBDOMAIN};
use crate::repair::{self, Fault, StandIn};
use crate::rules::{Violation, spec_violations};

/// The OpenAPI schema that the API server applies, without its descriptions. As JSON: the YAML of the CRD takes ten times as
/// long to read, at each start.
static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../schema.json")).expect("the committed schema is JSON")
});

/// The same about what the document has, closed: what the schema does not name is refused, as `kubectl apply` does (field
/// validation Strict). To prepare all of it would take most of the time that a detector needs to start.
fn closed_for(document: &Value) -> jsonschema::Validator {
    let mut schema = restricted(&SCHEMA, &[document], Absent::Named);
    close(&mut schema);
    schema["properties"]["apiVersion"] = json!({ "const": AnomalyDetector::api_version(&()) });
    schema["properties"]["kind"] = json!({ "const": AnomalyDetector::kind(&()) });
    schema["properties"]["metadata"] = metadata();
    close(&mut schema["properties"]["metadata"]);
    schema["required"] = json!(["apiVersion", "kind", "metadata", "spec"]);
    // The newest draft that says what is needed and whose own schema, which this one is checked by, is small.
    let options = jsonschema::options().with_draft(jsonschema::Draft::Draft7).should_validate_formats(true);
    options.build(&schema).expect("a structural schema is a JSON schema")
}

/// The metadata of an object that a person writes.
fn metadata() -> Value {
    let (name, key) = (json!({ "type": "string", "pattern": SUBDOMAIN }), json!({ "pattern": QUALIFIED }));
    let text = json!({ "type": "string" });
    let label = json!({ "type": "string", "pattern": LABEL_VALUE });
    json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": text,
            "generateName": text,
            "namespace": name,
            "labels": { "type": "object", "propertyNames": key, "additionalProperties": label },
            "annotations": { "type": "object", "propertyNames": key, "additionalProperties": text },
            "finalizers": { "type": "array", "items": { "type": "string", "pattern": QUALIFIED } },
            "ownerReferences": { "type": "array", "items": {
                "type": "object",
                "required": ["apiVersion", "kind", "name", "uid"],
                "properties": {
                    "apiVersion": text, "kind": text, "name": text, "uid": text,
                    "controller": { "type": "boolean" }, "blockOwnerDeletion": { "type": "boolean" },
                },
            } },
            // What the API server fills in: an object may have been read from it.
            "uid": text, "resourceVersion": text, "selfLink": text, "creationTimestamp": text, "deletionTimestamp": text,
            "generation": { "type": "integer" }, "deletionGracePeriodSeconds": { "type": "integer" },
            "managedFields": { "type": "array" },
        },
    })
}

/// Functions of CEL rules that are left to the API server: [`crate::rules`] says the same, and which value it was. The
/// interpreter has no hours of a time zone.
const ONLY_ON_THE_SERVER: [&str; 2] = [".getHours(", "sets.intersects("];

fn is_left_to_the_server(rule: &str) -> bool {
    ONLY_ON_THE_SERVER.iter().any(|function| rule.contains(function))
}

/// The document without what the API server drops: a null stands for a field that is left out.
pub fn without_nulls(document: &mut Value) {
    match document {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// The CEL rules about what the document has. All of them would take most of the time that a detector needs to start.
fn rules_for(document: &Value) -> CompiledSchema {
    cel::compile_schema(&restricted(&SCHEMA, &[document], Absent::LeftOut))
}

/// What is left of the fields that no value has.
#[derive(Clone, Copy)]
enum Absent {
    /// Nothing.
    LeftOut,
    /// The names.
    Named,
}

/// The schema of the fields that any of the values has; of a list, those of its items.
fn restricted(schema: &Value, values: &[&Value], absent: Absent) -> Value {
    let Value::Object(node) = schema else { return schema.clone() };
    let restrict = |(key, child): (&String, &Value)| match (key.as_str(), child) {
        ("properties", Value::Object(properties)) => {
            let present = properties.iter().filter_map(|(name, property)| {
                let values: Vec<&Value> = values.iter().filter_map(|value| value.get(name)).collect();
                match absent {
                    Absent::LeftOut if values.is_empty() => None,
                    Absent::Named if values.is_empty() => Some((name.clone(), Value::Bool(true))),
                    _ => Some((name.clone(), restricted(property, &values, absent))),
                }
            });
            (key.clone(), Value::Object(present.collect()))
        }
        ("x-kubernetes-validations", Value::Array(rules)) => {
            let is_left = |rule: &&Value| rule["rule"].as_str().is_some_and(is_left_to_the_server);
            (key.clone(), rules.iter().filter(|rule| !is_left(rule)).cloned().collect())
        }
        ("items", _) => {
            let items: Vec<&Value> = values.iter().filter_map(|value| value.as_array()).flatten().collect();
            (key.clone(), restricted(child, &items, absent))
        }
        _ => (key.clone(), child.clone()),
    };
    Value::Object(node.iter().map(restrict).collect())
}

/// The most violations that are found in a document: a person reads no more.
const MAX_VIOLATIONS: usize = 100;

/// The rules that the document breaks, sorted by path; a hundred at most. Where a value is of a wrong shape, the rules about
/// the rest of the document are checked all the same, but not where it is too large: their cost grows with its square.
pub fn violations(document: &Value) -> Vec<Violation> {
    let closed = closed_for(document);
    let errors: Vec<_> = closed.iter_errors(document).take(MAX_VIOLATIONS).collect();
    let mut found: Vec<Violation> = errors
        .iter()
        .flat_map(|error| sentences(error, &SCHEMA, MAX_VIOLATIONS))
        .take(MAX_VIOLATIONS)
        .collect();
    if errors.iter().any(is_too_large) {
        found.sort();
        return found;
    }
    repeated("", document, &SCHEMA, &mut found);
    if errors.is_empty() {
        found.extend(rule_violations(document, |_| true));
    } else {
        let faults: Vec<Fault> = errors.iter().filter_map(fault).collect();
        let broken = |stand_in| {
            let document = repair::repaired(document, &SCHEMA, &faults, stand_in);
            rule_violations(&document, |kind| *kind == ErrorKind::ValidationFailure)
        };
        let (low, high) = (broken(StandIn::Low), broken(StandIn::High));
        let mut both: Vec<Violation> = low.into_iter().filter(|rule| high.contains(rule)).collect();
        both.retain(|rule| !found.iter().any(|known| is_within(&rule.path, &known.path)));
        found.extend(both);
    }
    found.sort();
    found.dedup();
    found.truncate(MAX_VIOLATIONS);
    found
}

/// Whether there is more of something than the schema has room for.
fn is_too_large(error: &jsonschema::ValidationError<'_>) -> bool {
    matches!(
        error.kind(),
        ValidationErrorKind::MaxItems { .. }
            | ValidationErrorKind::MaxProperties { .. }
            | ValidationErrorKind::MaxLength { .. }
    )
}

/// The items of lists that are sets, or maps by keys, that stand there already.
fn repeated(path: &str, value: &Value, schema: &Value, found: &mut Vec<Violation>) {
    if let Some(items) = value.as_array() {
        let keys = schema["x-kubernetes-list-map-keys"].as_array().map_or(&[] as &[Value], Vec::as_slice);
        let id = |item: &Value| -> Option<Vec<Value>> {
            let of_key = |key: &Value| item.get(key.as_str()?).cloned();
            match schema["x-kubernetes-list-type"].as_str()? {
                "map" => keys.iter().map(of_key).collect(),
                "set" => Some(vec![item.clone()]),
                _ => None,
            }
        };
        let mut seen: HashMap<String, usize> = HashMap::new();
        for (i, item) in items.iter().enumerate() {
            repeated(&format!("{path}[{i}]"), item, &schema["items"], found);
            let Some(known) = id(item) else { continue };
            let got = known.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
            let first = *seen.entry(got.clone()).or_insert(i);
            if first < i {
                let field = if let [Value::String(key)] = keys { format!(".{key}") } else { String::new() };
                let message = format!("must be unique, got {got}, which {path}[{first}] has too");
                found.push(Violation::new(format!("{path}[{i}]{field}"), message));
            }
        }
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        repeated(&join(path, name), value, &schema["properties"][name], found);
    }
}

/// The rules that fields break together: CEL's, failing as `counts` says, and those that no schema can say.
fn rule_violations(document: &Value, counts: impl Fn(&ErrorKind) -> bool) -> Vec<Violation> {
    let broken =
        cel::validate_compiled(&rules_for(document), document, None).err().map(ValidationErrors::into_vec);
    let broken = broken.into_iter().flatten().filter(|error| counts(&error.kind));
    let found = broken.map(|error| {
        let message = with_number(&error.message, document, &error.field_path);
        Violation::new(error.field_path, message)
    });
    let detector = serde_json::from_value::<AnomalyDetector>(document.clone());
    let ours = detector.map(|detector| spec_violations(&detector.spec)).unwrap_or_default();
    // Of two sentences about one field, ours has the value.
    let is_ours = |path: &str| ours.iter().any(|rule| rule.path == path);
    let mut found: Vec<Violation> = found.filter(|rule| !is_ours(&rule.path)).collect();
    found.extend(ours);
    found
}

/// What has to be replaced before the document can be read; nothing where a list only has too many items, or too few.
fn fault(error: &jsonschema::ValidationError<'_>) -> Option<Fault> {
    let pointer = error.instance_path().as_str().to_owned();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            Some(Fault::Unknown(pointer, unexpected.clone()))
        }
        ValidationErrorKind::Required { property } => {
            Some(Fault::Lacks(pointer, property.as_str()?.to_owned()))
        }
        ValidationErrorKind::Constant { .. }
        | ValidationErrorKind::MinItems { .. }
        | ValidationErrorKind::MaxItems { .. }
        | ValidationErrorKind::MaxProperties { .. } => None,
        _ => Some(Fault::Value(pointer)),
    }
}

/// The message of a rule about a number, and the number, which a rule of the CRD cannot name.
fn with_number(message: &str, document: &Value, path: &str) -> String {
    match path.split('.').try_fold(document, |value, field| value.get(field)) {
        Some(Value::Number(number)) => format!("{message}, got {number}"),
        _ => message.to_owned(),
    }
}

/// Refuse what is not named, at every level that names its fields; and say in JSON Schema what Kubernetes says in
/// extensions of its own.
fn close(schema: &mut Value) {
    let Value::Object(node) = schema else { return };
    if node.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        node.insert("type".into(), json!(["integer", "string"]));
    }
    if node.remove("nullable") == Some(Value::Bool(true)) {
        // The API server drops a null where the field is optional: so an empty `pod:` in a manifest is fine.
        if let Some(Value::String(kind)) = node.get("type") {
            let kinds = json!([kind, "null"]);
            node.insert("type".into(), kinds);
        }
        if let Some(Value::Array(choices)) = node.get_mut("enum") {
            choices.push(Value::Null);
        }
    }
    if node.contains_key("properties") && !node.contains_key("additionalProperties") {
        node.insert("additionalProperties".into(), Value::Bool(false));
    }
    for (key, child) in node.iter_mut() {
        match (key.as_str(), child) {
            ("properties", Value::Object(fields)) => fields.values_mut().for_each(close),
            ("items" | "additionalProperties", child) => close(child),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where they differ, but for documentation.
    fn differences(path: &str, types: &Value, schema: &Value, found: &mut Vec<String>) {
        let (Value::Object(types), Value::Object(schema)) = (types, schema) else {
            found.extend((types != schema).then(|| format!("{path}: {types}, got {schema}")));
            return;
        };
        let unknown = schema.keys().filter(|name| !types.contains_key(*name));
        found.extend(unknown.map(|name| join(path, name)));
        let documentation = |name: &str, field: &Value| name == "description" && field.is_string();
        for (name, field) in types.iter().filter(|(name, field)| !documentation(name, field)) {
            differences(&join(path, name), field, schema.get(name).unwrap_or(&Value::Null), found);
        }
    }

    #[test]
    fn the_rules_that_are_checked_here_are_those_of_the_types() {
        let crd = serde_json::to_value(crate::manifest::crd()).unwrap();
        let types = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let mut found = Vec::new();
        differences("", types, &SCHEMA, &mut found);
        assert!(found.is_empty(), "UPDATE=1 cargo test -p crd brings the schema up to date: {found:#?}");
    }
}
