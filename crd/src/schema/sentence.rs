//! An error of the JSON Schema validator in; sentences for people, with the rule and the value, out.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

use super::path::{dotted, is_within, join};
use crate::repair;
use crate::rules::Violation;

/// Return the sentences of one error against the schema: one for each affected field, at most `most`.
pub fn sentences(error: &jsonschema::ValidationError<'_>, schema: &Value, most: usize) -> Vec<Violation> {
    let path = dotted(error.instance_path().as_str());
    let got = shown(error.instance());
    let message = match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let fields =
                repair::at(schema, error.instance_path().as_str()).map(|schema| &schema["properties"]);
            let unknown =
                |name: &String| Violation::new(join(&path, name), unknown_field(name, &path, fields, schema));
            return unexpected.iter().take(most).map(unknown).collect();
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

/// Return the message about a field that does not exist. It suggests a field of the object with a similar
/// name, else the only field of the same name further up or down in the spec, else lists the fields of the
/// object.
fn unknown_field(name: &str, object: &str, fields: Option<&Value>, schema: &Value) -> String {
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
    fields_named(name, "spec", &schema["properties"]["spec"], &mut elsewhere);
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

/// Find the paths of all fields with this name.
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

/// The value as JSON, cut after 80 characters.
fn shown(value: &Value) -> String {
    const MAX_CHARACTERS: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((cut, _)) => format!("{}...", &text[..cut]),
        None => text,
    }
}
