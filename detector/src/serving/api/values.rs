//! `{"NAME":number,…}` in; the readings of all sensors, each given once, out.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::cell::Cell;
use super::error::ApiError;
use super::expected::Expected;
use super::shape::{Read, Shape};
use crate::excerpt::{MAX_EXCERPT, excerpt};

/// Reads the object.
pub(super) struct Values<'a>(pub(super) Expected<'a>);

impl Shape for Values<'_> {
    type Value = Vec<f64>;

    fn refused(self, shown: &str) -> ApiError {
        ApiError::Unprocessable("values".to_owned(), format!("expected an object, got {shown}"))
    }

    fn object<'de, A: MapAccess<'de>>(self, mut entries: A) -> Result<Read<Vec<f64>>, A::Error> {
        let cells = vec![None; self.0.sensors.len()];
        let mut named = Named { expected: self.0, cells, next: 0, wrong: None };
        while let Some(name) = entries.next_key_seed(Name(&named))? {
            match name {
                Ok(sensor) if named.cells[sensor].is_none() => {
                    named.cells[sensor] = Some(entries.next_value()?);
                    named.next = sensor + 1;
                }
                name => {
                    let wrong = named.refused(&name);
                    named.wrong.get_or_insert(wrong);
                    entries.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(named.row())
    }
}

/// The sensors' values as far as they are known, and the first name that is wrong.
struct Named<'a> {
    expected: Expected<'a>,
    cells: Vec<Option<Cell>>,
    /// Where the next name is expected: most clients keep the model's order.
    next: usize,
    wrong: Option<ApiError>,
}

impl Named<'_> {
    fn sensor(&self, name: &str) -> Option<usize> {
        let sensors = self.expected.sensors;
        let next = sensors.get(self.next).filter(|sensor| *sensor == name).map(|_| self.next);
        next.or_else(|| sensors.iter().position(|sensor| sensor == name))
    }

    /// The sentence on a name that was given before, or that no sensor has.
    fn refused(&self, name: &Result<usize, String>) -> ApiError {
        let (name, why) = match name {
            Ok(sensor) => (&*self.expected.sensors[*sensor], "expected it once, got it twice".to_owned()),
            Err(unknown) => (&**unknown, format!("no such sensor: expected {}", self.expected.names())),
        };
        ApiError::Unprocessable(format!("values.{name}"), why)
    }

    fn row(self) -> Read<Vec<f64>> {
        let number = |(sensor, cell): (&String, Option<Cell>)| {
            let field = || format!("values.{sensor}");
            cell.map_or_else(|| Err(missing(field())), |cell| cell.number(field))
        };
        let row = self.expected.sensors.iter().zip(self.cells).map(number).collect::<Result<_, _>>()?;
        self.wrong.map_or(Ok(row), Err)
    }
}

fn missing(field: String) -> ApiError {
    ApiError::Unprocessable(field, "expected a finite number, got nothing".to_owned())
}

/// Reads a sensor's place; or its name, cut, where there is no such sensor.
struct Name<'a, 'b>(&'a Named<'b>);

impl<'de> DeserializeSeed<'de> for Name<'_, '_> {
    type Value = Result<usize, String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_, '_> {
    type Value = Result<usize, String>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a sensor")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.sensor(name).ok_or_else(|| excerpt(name, MAX_EXCERPT)))
    }
}
