//! A manifest as JSON in; every rule that it breaks out: unknown fields, types and bounds of the CRD's
//! schema, its CEL rules as the API server applies them, and the rules that no schema can express.

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
use crate::repair::{self, SchemaError, StandIn};
use crate::rules::{Violation, spec_violations};

/// The OpenAPI schema that the API server applies, without its descriptions. It is stored as JSON: the YAML
/// of the CRD would take ten times as long to read, at each start.
static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../schema.json")).expect("the committed schema is JSON")
});

/// Return a validator for the fields that the document has. It refuses fields that the schema does not name,
/// as `kubectl apply` does (field validation Strict). Compiling the whole schema would take most of the time
/// that a detector needs to start.
fn closed_for(document: &Value) -> jsonschema::Validator {
    let mut schema = restricted(&SCHEMA, &[document], AbsentFields::Named);
    close(&mut schema);
    schema["properties"]["apiVersion"] = json!({ "const": AnomalyDetector::api_version(&()) });
    schema["properties"]["kind"] = json!({ "const": AnomalyDetector::kind(&()) });
    schema["properties"]["metadata"] = metadata();
    close(&mut schema["properties"]["metadata"]);
    schema["required"] = json!(["apiVersion", "kind", "metadata", "spec"]);
    // The newest draft that has the needed keywords and a small metaschema, which this schema is checked by.
    let options = jsonschema::options().with_draft(jsonschema::Draft::Draft7).should_validate_formats(true);
    options.build(&schema).expect("a structural schema is a JSON schema")
}

/// The schema of the metadata of an object that a person writes.
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
            // Fields that the API server fills in: the manifest may be an object that was read from it.
            "uid": text, "resourceVersion": text, "selfLink": text, "creationTimestamp": text, "deletionTimestamp": text,
            "generation": { "type": "integer" }, "deletionGracePeriodSeconds": { "type": "integer" },
            "managedFields": { "type": "array" },
        },
    })
}

/// CEL functions whose rules only the API server evaluates. [`crate::rules`] has the same rules, with the
/// value in the message. The interpreter does not support the hours of a time zone.
const ONLY_ON_THE_SERVER: [&str; 2] = [".getHours(", "sets.intersects("];

fn is_left_to_the_server(rule: &str) -> bool {
    ONLY_ON_THE_SERVER.iter().any(|function| rule.contains(function))
}

/// Remove fields that are null, as the API server does: null means that a field is left out.
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

/// Compile the CEL rules about the fields that the document has. Compiling all rules would take most of the
/// time that a detector needs to start.
fn rules_for(document: &Value) -> CompiledSchema {
    cel::compile_schema(&restricted(&SCHEMA, &[document], AbsentFields::LeftOut))
}

/// What a restricted schema keeps of the fields that no value has.
#[derive(Clone, Copy)]
enum AbsentFields {
    /// The fields are removed.
    LeftOut,
    /// The names are kept, with any value allowed.
    Named,
}

/// Reduce a schema to the fields that at least one of the values has, and for lists to those that their items
/// have. CEL rules that only the API server evaluates are removed.
fn restricted(schema: &Value, values: &[&Value], absent: AbsentFields) -> Value {
    let Value::Object(node) = schema else { return schema.clone() };
    let restrict = |(key, child): (&String, &Value)| match (key.as_str(), child) {
        ("properties", Value::Object(properties)) => {
            let present = properties.iter().filter_map(|(name, property)| {
                let values: Vec<&Value> = values.iter().filter_map(|value| value.get(name)).collect();
                match absent {
                    AbsentFields::LeftOut if values.is_empty() => None,
                    AbsentFields::Named if values.is_empty() => Some((name.clone(), Value::Bool(true))),
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

/// The most violations that are reported for a document: nobody reads more.
const MAX_VIOLATIONS: usize = 100;

/// Return the rules that the document breaks, sorted by path; at most 100. Where a value has a wrong type or
/// bound, the rules about the other fields are checked too; but not where a list, map or string is too large,
/// because the cost of checking grows with the square of its size.
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
        let repairable: Vec<SchemaError> = errors.iter().filter_map(schema_error).collect();
        let broken = |stand_in| {
            let document = repair::repaired(document, &SCHEMA, &repairable, stand_in);
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

/// Whether the error is a list, map or string that is larger than the schema allows.
fn is_too_large(error: &jsonschema::ValidationError<'_>) -> bool {
    matches!(
        error.kind(),
        ValidationErrorKind::MaxItems { .. }
            | ValidationErrorKind::MaxProperties { .. }
            | ValidationErrorKind::MaxLength { .. }
    )
}

/// Find items that repeat an earlier item, in lists that are sets or maps by keys (`x-kubernetes-list-type`).
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

/// Return the violations of rules that join several fields: CEL rules, of which only errors that `counts`
/// accepts, and the rules that no schema can express.
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
    // Where both have a sentence about one field, ours is kept: it has the value.
    let is_ours = |path: &str| ours.iter().any(|rule| rule.path == path);
    let mut found: Vec<Violation> = found.filter(|rule| !is_ours(&rule.path)).collect();
    found.extend(ours);
    found
}

/// Return the part that must be repaired before the document can be deserialized; none where the error does
/// not prevent that, such as too many or too few items in a list.
fn schema_error(error: &jsonschema::ValidationError<'_>) -> Option<SchemaError> {
    let pointer = error.instance_path().as_str().to_owned();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            Some(SchemaError::Unknown(pointer, unexpected.clone()))
        }
        ValidationErrorKind::Required { property } => {
            Some(SchemaError::Lacks(pointer, property.as_str()?.to_owned()))
        }
        ValidationErrorKind::Constant { .. }
        | ValidationErrorKind::MinItems { .. }
        | ValidationErrorKind::MaxItems { .. }
        | ValidationErrorKind::MaxProperties { .. } => None,
        _ => Some(SchemaError::Value(pointer)),
    }
}

/// Return the message of a rule. Where its field is a number, append the value, which the message of a CRD's
/// rule cannot contain.
fn with_number(message: &str, document: &Value, path: &str) -> String {
    match path.split('.').try_fold(document, |value, field| value.get(field)) {
        Some(Value::Number(number)) => format!("{message}, got {number}"),
        _ => message.to_owned(),
    }
}

/// Make the schema refuse unknown fields, at every level that names its fields. Translate Kubernetes'
/// extensions (`nullable`, `x-kubernetes-int-or-string`) to JSON Schema.
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

    /// Find the paths at which the two schemas differ, except for descriptions.
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
