//! `{"NAME":number,…}` in; the readings of all sensors, or the cells of a row, out. Each name must occur
//! once.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::cell::Cell;
use super::error::ApiError;
use super::expected::Place;
use super::shape::{Read, Shape};
use crate::excerpt::{MAX_EXCERPT, excerpt};
use crate::model::names;

/// Reads an object of numbers by name.
pub(super) struct Values<'a> {
    /// The names that must occur, in the order of the values.
    pub(super) names: &'a [String],
    /// The place of the object in the request.
    pub(super) place: Place,
}

impl Shape for Values<'_> {
    type Value = Vec<f64>;

    fn refused(self, shown: &str) -> ApiError {
        ApiError::Unprocessable(self.place.to_string(), format!("expected an object, got {shown}"))
    }

    fn object<'de, A: MapAccess<'de>>(self, mut entries: A) -> Result<Read<Vec<f64>>, A::Error> {
        let cells = vec![None; self.names.len()];
        let mut named = Named { expected: self, cells, next: 0, wrong: None };
        while let Some(name) = entries.next_key_seed(Name(&named))? {
            match name {
                Ok(index) if named.cells[index].is_none() => {
                    named.cells[index] = Some(entries.next_value()?);
                    named.next = index + 1;
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

/// The values that were read so far, and the first error in a name.
struct Named<'a> {
    expected: Values<'a>,
    cells: Vec<Option<Cell>>,
    /// The index of the name that is expected next: most clients keep the model's order.
    next: usize,
    wrong: Option<ApiError>,
}

impl Named<'_> {
    fn index(&self, name: &str) -> Option<usize> {
        let names = self.expected.names;
        let next = names.get(self.next).filter(|next| *next == name).map(|_| self.next);
        next.or_else(|| names.iter().position(|each| each == name))
    }

    /// The error of a name that occurs twice, or that is unknown.
    fn refused(&self, name: &Result<usize, String>) -> ApiError {
        let Values { names, place } = self.expected;
        let kind = if place.is_of_sensors() { "sensor" } else { "column" };
        let (name, why) = match name {
            Ok(index) => (&*names[*index], "expected it once, got it twice".to_owned()),
            Err(unknown) => (&**unknown, format!("no such {kind}: expected {}", names::list(names))),
        };
        ApiError::Unprocessable(format!("{place}.{name}"), why)
    }

    fn row(self) -> Read<Vec<f64>> {
        let Values { names, place } = self.expected;
        let number = |(name, cell): (&String, Option<Cell>)| {
            let field = || format!("{place}.{name}");
            cell.map_or_else(|| Err(missing(field())), |cell| cell.number(field))
        };
        let row = names.iter().zip(self.cells).map(number).collect::<Result<_, _>>()?;
        self.wrong.map_or(Ok(row), Err)
    }
}

fn missing(field: String) -> ApiError {
    ApiError::Unprocessable(field, "expected a finite number, got nothing".to_owned())
}

/// Reads the index of a name; or the name itself, truncated, if it is unknown.
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
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.index(name).ok_or_else(|| excerpt(name, MAX_EXCERPT)))
    }
}
