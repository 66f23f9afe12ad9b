//! A document that the schema refuses in; the same document with stand-in values out, so that the rules about
//! its other fields can be checked too.

use serde_json::{Map, Value, json};

/// Which stand-in replaces a broken value. A rule that is broken with both stand-ins is broken whatever the
/// right value is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum StandIn {
    /// The first choice, the least number, the shortest time.
    Low,
    /// The last choice, the greatest number, the longest time.
    High,
}

/// A part of a document that the schema refuses.
#[derive(Clone, Debug)]
pub enum SchemaError {
    /// The value at this JSON pointer.
    Value(String),
    /// A field that the object at this pointer lacks.
    Lacks(String, String),
    /// Fields that the object at this pointer may not have.
    Unknown(String, Vec<String>),
}

/// Return the document with broken values replaced by stand-ins, missing fields added and unknown fields
/// removed.
pub fn repaired(document: &Value, schema: &Value, errors: &[SchemaError], stand_in: StandIn) -> Value {
    let mut document = document.clone();
    for error in errors {
        match error {
            SchemaError::Value(pointer) => {
                if let (Some(value), Some(schema)) = (document.pointer_mut(pointer), at(schema, pointer)) {
                    *value = value_of(schema, stand_in);
                }
            }
            SchemaError::Lacks(pointer, name) => {
                let field = at(schema, pointer).and_then(|schema| schema["properties"].get(name));
                if let (Some(Value::Object(fields)), Some(schema)) = (document.pointer_mut(pointer), field) {
                    fields.insert(name.clone(), value_of(schema, stand_in));
                }
            }
            SchemaError::Unknown(pointer, names) => {
                if let Some(Value::Object(fields)) = document.pointer_mut(pointer) {
                    for name in names {
                        fields.remove(name);
                    }
                }
            }
        }
    }
    document
}

/// Return the schema of the value at a JSON pointer.
pub fn at<'a>(schema: &'a Value, pointer: &str) -> Option<&'a Value> {
    pointer.split('/').skip(1).try_fold(schema, |schema, part| {
        let part = part.replace("~1", "/").replace("~0", "~");
        let is_index = part.bytes().all(|byte| byte.is_ascii_digit());
        let item = schema.get("items").filter(|_| is_index);
        item.or_else(|| schema.get("properties")?.get(&part)).or_else(|| schema.get("additionalProperties"))
    })
}

/// Return a value of the schema's type that can be deserialized. It is not always within the schema's bounds.
fn value_of(schema: &Value, stand_in: StandIn) -> Value {
    if let Some(choices) = schema["enum"].as_array() {
        let mut choices = choices.iter().filter(|choice| !choice.is_null());
        return match stand_in {
            StandIn::Low => choices.next(),
            StandIn::High => choices.next_back(),
        }
        .cloned()
        .unwrap_or_default();
    }
    let is_low = stand_in == StandIn::Low;
    let bound = |name: &str, otherwise: f64| schema[name].as_f64().unwrap_or(otherwise);
    let number = if is_low { bound("minimum", 0.0) } else { bound("maximum", 1e6) };
    match schema["type"].as_str() {
        Some("object") => Value::Object(required(schema, stand_in)),
        Some("array") if schema["minItems"].as_u64() > Some(0) => {
            json!([value_of(&schema["items"], stand_in)])
        }
        Some("array") => json!([]),
        Some("integer") => json!(number as i64),
        Some("number") => json!(number),
        Some("boolean") => json!(!is_low),
        Some("string") => json!(text(schema, is_low)),
        _ => json!(0),
    }
}

fn required(schema: &Value, stand_in: StandIn) -> Map<String, Value> {
    let names = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    names.map(|name| (name.to_owned(), value_of(&schema["properties"][name], stand_in))).collect()
}

fn text(schema: &Value, is_low: bool) -> &'static str {
    let is_duration = schema["pattern"] == crate::duration::PATTERN;
    match (is_duration, schema["format"] == "date-time", is_low) {
        (true, _, true) => "1ms",
        (true, _, false) => "8760h",
        (_, true, true) => "1970-01-01T00:00:00Z",
        (_, true, false) => "2100-01-01T00:00:00Z",
        (.., true) => "a",
        (.., false) => "z",
    }
}
