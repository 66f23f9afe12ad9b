//! A manifest as JSON in; every rule that it breaks out: unknown fields, types and bounds of the CRD's own schema, its CEL
//! rules, as the API server would say, and those that no schema can say.

use std::collections::HashMap;
use std::sync::LazyLock;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use kube::Resource;
use kube::core::cel::{self, CompiledSchema, ErrorKind, ValidationErrors};
use serde_json::{Value, json};

use crate::AnomalyDetector;
use crate::names::{LABEL_VALUE, QUALIFIED, SUBDOMAIN};
use crate::repair::{self, Fault, StandIn};
use crate::rules::{Violation, spec_violations};

/// The OpenAPI schema that the API server applies, without its descriptions. As JSON: the YAML of the CRD takes ten times as
/// long to read, at each start.
static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../schema.json")).expect("the committed schema is JSON")
});

/// The same, closed: what the schema does not name is refused, as `kubectl apply` does (field validation Strict).
static CLOSED: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let mut schema = SCHEMA.clone();
    close(&mut schema);
    schema["properties"]["apiVersion"] = json!({ "const": AnomalyDetector::api_version(&()) });
    schema["properties"]["kind"] = json!({ "const": AnomalyDetector::kind(&()) });
    schema["properties"]["metadata"] = metadata();
    close(&mut schema["properties"]["metadata"]);
    schema["required"] = json!(["apiVersion", "kind", "metadata", "spec"]);
    let options = jsonschema::options().should_validate_formats(true);
    options.build(&schema).expect("a structural schema is a JSON schema")
});

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
    cel::compile_schema(&restricted(&SCHEMA, &[document]))
}

/// The schema of the fields that any of the values has; of a list, those of its items.
fn restricted(schema: &Value, values: &[&Value]) -> Value {
    let Value::Object(node) = schema else { return schema.clone() };
    let restrict = |(key, child): (&String, &Value)| match (key.as_str(), child) {
        ("properties", Value::Object(properties)) => {
            let present = properties.iter().filter_map(|(name, property)| {
                let values: Vec<&Value> = values.iter().filter_map(|value| value.get(name)).collect();
                (!values.is_empty()).then(|| (name.clone(), restricted(property, &values)))
            });
            (key.clone(), Value::Object(present.collect()))
        }
        ("items", _) => {
            let items: Vec<&Value> = values.iter().filter_map(|value| value.as_array()).flatten().collect();
            (key.clone(), restricted(child, &items))
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
    let errors: Vec<_> = CLOSED.iter_errors(document).take(MAX_VIOLATIONS).collect();
    let mut found: Vec<Violation> = errors.iter().flat_map(sentences).take(MAX_VIOLATIONS).collect();
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
    let is_left = |rule: &str| ONLY_ON_THE_SERVER.iter().any(|function| rule.contains(function));
    let broken = broken.into_iter().flatten().filter(|error| counts(&error.kind) && !is_left(&error.rule));
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

/// Whether a path is another, or leads on from it. The document itself holds everything, but is seldom meant.
fn is_within(path: &str, other: &str) -> bool {
    path.strip_prefix(other)
        .is_some_and(|rest| rest.is_empty() || (!other.is_empty() && rest.starts_with(['.', '['])))
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

/// One JSON Schema error, in sentences with the rule and the value.
fn sentences(error: &jsonschema::ValidationError<'_>) -> Vec<Violation> {
    let path = dotted(error.instance_path().as_str());
    let got = shown(error.instance());
    let message = match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let fields =
                repair::at(&SCHEMA, error.instance_path().as_str()).map(|schema| &schema["properties"]);
            let unknown =
                |name: &String| Violation::new(join(&path, name), unknown_field(name, &path, fields));
            return unexpected.iter().take(MAX_VIOLATIONS).map(unknown).collect();
        }
        ValidationErrorKind::Required { property } => {
            return vec![Violation::new(
                join(&path, property.as_str().unwrap_or_default()),
                "required, and missing",
            )];
        }
        ValidationErrorKind::Minimum { limit } => format!("must be at least {}, got {got}", number(limit)),
        ValidationErrorKind::Maximum { limit } => format!("must be at most {}, got {got}", number(limit)),
        ValidationErrorKind::MinItems { limit } => format!("must have at least {limit} item, got none"),
        ValidationErrorKind::MaxItems { limit } => format!("must have at most {limit} items"),
        ValidationErrorKind::MinLength { .. } => "must not be empty".to_owned(),
        ValidationErrorKind::MaxLength { limit } => {
            format!("must have at most {limit} characters, got {got}")
        }
        ValidationErrorKind::Pattern { pattern } => format!("must match {pattern}, got {got}"),
        ValidationErrorKind::Enum { options } => format!("must be one of {}, got {got}", choices(options)),
        ValidationErrorKind::PropertyNames { error } => {
            let key = error.instance().as_str().unwrap_or_default();
            return vec![Violation::new(
                join(&path, key),
                "must be a qualified name, such as team or example.com/team",
            )];
        }
        ValidationErrorKind::Format { format } if format == "date-time" => {
            format!("must be an RFC 3339 time such as 2026-11-22T12:00:00Z, got {got}")
        }
        ValidationErrorKind::Constant { expected_value } => format!("must be {expected_value}, got {got}"),
        ValidationErrorKind::Type { kind: TypeKind::Single(kind) } => {
            format!("must be of type {kind}, got {got}")
        }
        ValidationErrorKind::Type { kind: TypeKind::Multiple(kinds) } => {
            let kinds: Vec<String> =
                kinds.iter().map(|kind| kind.to_string()).filter(|kind| kind != "null").collect();
            format!("must be of type {}, got {got}", kinds.join(" or "))
        }
        _ => error.to_string(),
    };
    vec![Violation::new(path, message)]
}

/// What may have been meant by a field that does not exist: one of nearly the same name, else the only one of the same name
/// further up or down, else any that is there.
fn unknown_field(name: &str, object: &str, fields: Option<&Value>) -> String {
    const SIMILAR: f64 = 0.85;
    let known: Vec<&String> =
        fields.and_then(Value::as_object).into_iter().flat_map(|fields| fields.keys()).collect();
    let similarity = |known: &str| strsim::jaro_winkler(&name.to_lowercase(), &known.to_lowercase());
    let nearest = known.iter().map(|known| (similarity(known), known));
    let nearest = nearest.filter(|(similarity, _)| *similarity >= SIMILAR).max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((_, nearest)) = nearest {
        return format!("unknown field, did you mean {nearest}?");
    }
    let mut elsewhere = Vec::new();
    fields_named(name, "spec", &SCHEMA["properties"]["spec"], &mut elsewhere);
    let object: String = object.chars().filter(|c| !c.is_ascii_digit()).collect();
    elsewhere.retain(|path| {
        let parent = path.rsplit_once('.').map_or("", |(parent, _)| parent);
        is_within(parent, &object) || is_within(&object, parent)
    });
    match (&elsewhere[..], &known[..]) {
        ([path], _) => format!("unknown field, did you mean {path}?"),
        (_, []) => "unknown field".to_owned(),
        (_, known) => {
            let known: Vec<&str> = known.iter().map(|known| known.as_str()).collect();
            format!("unknown field, expected one of {}", known.join(", "))
        }
    }
}

/// The paths of all fields of a name.
fn fields_named(name: &str, path: &str, schema: &Value, found: &mut Vec<String>) {
    for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
        let path = join(path, field);
        found.extend((field == name).then(|| path.clone()));
        fields_named(name, &path, schema, found);
        fields_named(name, &format!("{path}[]"), &schema["items"], found);
    }
}

/// `"A", "B", "C"` of an enumeration, without the null that stands for an absent field.
fn choices(options: &Value) -> String {
    let options = options.as_array().map_or(&[] as &[Value], Vec::as_slice);
    options.iter().filter(|option| !option.is_null()).map(Value::to_string).collect::<Vec<_>>().join(", ")
}

/// `1` rather than `1.0`: schemas keep every bound as a float.
fn number(limit: &Value) -> String {
    limit.as_f64().map_or_else(|| limit.to_string(), |limit| limit.to_string())
}

/// The value as JSON, cut where it is long.
fn shown(value: &Value) -> String {
    const MOST: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((cut, _)) => format!("{}...", &text[..cut]),
        None => text,
    }
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

/// `/spec/sources/0/name` -> `spec.sources[0].name`.
fn dotted(pointer: &str) -> String {
    pointer.split('/').skip(1).fold(String::new(), |path, part| {
        let part = part.replace("~1", "/").replace("~0", "~");
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            format!("{path}[{part}]")
        } else {
            join(&path, &part)
        }
    })
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
