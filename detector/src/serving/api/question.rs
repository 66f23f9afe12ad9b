//! The JSON of a prediction request in; its numbers in one flat buffer, or its first error, out.
//!
//! Values go straight into the buffer: no cell becomes a JSON value of its own. The whole body is read, so
//! that invalid JSON is reported before any other error.

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use super::cell::Cell;
use super::error::ApiError;
use super::expected::{Expected, Place};
use super::limit::time;
use super::rows::Rows;
use super::shape::{By, Read};
use super::values::Values;
use crate::excerpt::{MAX_EXCERPT, excerpt};
use crate::model::names;

/// `inputs` is another name of `instances` (KServe).
const FIELDS: &[&str] = &["value", "values", "instances", "inputs", "readings", "start"];

/// The content of a prediction request: exactly one of these.
#[derive(Debug, PartialEq)]
pub(super) enum Question {
    /// The readings of all sensors, in the model's order, to be judged as the next readings.
    Next(Vec<f64>),
    /// Whole rows of the model's columns, one after another.
    Rows(Vec<f64>),
    /// The readings of all sensors at consecutive times, one interval apart.
    Readings {
        /// The readings, in the model's order.
        values: Vec<f64>,
        /// The time of the first readings.
        start: Option<Timestamp>,
    },
}

impl Expected<'_> {
    /// Read the request in a body: an object with the fields of [`FIELDS`], each at most once.
    pub(super) fn question(self, body: &[u8]) -> Result<Question, ApiError> {
        let refused =
            |why: &str| ApiError::Malformed(format!("expected JSON such as {{\"value\":0.95}}: {why}"));
        if body.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
            return Err(refused("expected an object"));
        }
        let mut json = serde_json::Deserializer::from_slice(body);
        let mut found = Found::default();
        let fields = Fields { expected: self, capacity: body.len() / 2, found: &mut found };
        let read = fields.deserialize(&mut json).and_then(|()| json.end());
        read.map_err(|error| refused(&error.to_string()))?;
        if found.start.is_some() && found.readings.is_none() {
            return Err(ApiError::Malformed("start: expected only beside readings".to_owned()));
        }
        match (found.value, found.values, found.instances, found.readings) {
            (Some(value), None, None, None) => self.value(&value).map(Question::Next),
            (None, Some(values), None, None) => values.map(Question::Next),
            (None, None, Some(rows), None) => rows.map(Question::Rows),
            (None, None, None, Some(values)) => {
                let start = found.start.as_deref().map(|text| time("start", text)).transpose()?;
                Ok(Question::Readings { values: values?, start })
            }
            _ => Err(ApiError::Malformed(
                "expected exactly one of value, values, instances, readings".to_owned(),
            )),
        }
    }

    /// The reading of the only sensor.
    fn value(self, value: &Cell) -> Result<Vec<f64>, ApiError> {
        let sensors = self.model.sensors();
        if sensors.len() == 1 {
            return Ok(vec![value.number(|| "value".to_owned())?]);
        }
        Err(ApiError::Unprocessable(
            "value".to_owned(),
            format!(
                "the model has {} sensors, {}: expected {{\"values\":{{…}}}} with each",
                sensors.len(),
                names::list(sensors)
            ),
        ))
    }
}

/// The values that were found, by field.
#[derive(Default)]
struct Found {
    value: Option<Cell>,
    values: Option<Read<Vec<f64>>>,
    instances: Option<Read<Vec<f64>>>,
    readings: Option<Read<Vec<f64>>>,
    start: Option<String>,
}

struct Fields<'a> {
    expected: Expected<'a>,
    /// The most numbers that there can be.
    capacity: usize,
    /// Filled in place, because it is large.
    found: &'a mut Found,
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let (found, expected) = (self.found, self.expected);
        while let Some(field) = entries.next_key::<Field>()? {
            match field {
                Field::Value => once(&mut found.value, "value", || entries.next_value())?,
                Field::Values => {
                    let values = Values { names: expected.model.sensors(), place: Place::Values };
                    once(&mut found.values, "values", || entries.next_value_seed(By(values)))?;
                }
                Field::Instances => {
                    let rows = Rows { expected, place: Place::Instance, capacity: self.capacity };
                    once(&mut found.instances, "instances", || entries.next_value_seed(By(rows)))?;
                }
                Field::Readings => {
                    let rows = Rows { expected, place: Place::Reading, capacity: self.capacity };
                    once(&mut found.readings, "readings", || entries.next_value_seed(By(rows)))?;
                }
                Field::Start => once(&mut found.start, "start", || entries.next_value())?,
            }
        }
        Ok(())
    }
}

/// Read a field's value. A field that occurs twice is an error.
fn once<T, E: Error>(
    slot: &mut Option<T>,
    name: &'static str,
    value: impl FnOnce() -> Result<T, E>,
) -> Result<(), E> {
    if slot.is_some() {
        return Err(E::duplicate_field(name));
    }
    *slot = Some(value()?);
    Ok(())
}

enum Field {
    Value,
    Values,
    Instances,
    Readings,
    Start,
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(FieldVisitor)
    }
}

struct FieldVisitor;

impl Visitor<'_> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Field, E> {
        match name {
            "value" => Ok(Field::Value),
            "values" => Ok(Field::Values),
            "instances" | "inputs" => Ok(Field::Instances),
            "readings" => Ok(Field::Readings),
            "start" => Ok(Field::Start),
            other => Err(E::unknown_field(&excerpt(other, MAX_EXCERPT), FIELDS)),
        }
    }
}
