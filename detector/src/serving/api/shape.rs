//! A JSON value that must be an array or an object in; what was read from it, or an error that shows it, out.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::cell::{Cell, CellVisitor};
use super::error::ApiError;

/// The result of reading a value: the value, or an error after which the JSON around it can still be read.
pub(super) type Read<T> = Result<T, ApiError>;

/// A reader of an array or an object, which refuses all other values.
pub(super) trait Shape: Sized {
    /// The result of the reader.
    type Value;

    /// The error of a value of another shape; `shown` is its beginning.
    fn refused(self, shown: &str) -> ApiError;

    /// Read an array to its end. Default: refuse it.
    fn array<'de, A: SeqAccess<'de>>(self, items: A) -> Result<Read<Self::Value>, A::Error> {
        Ok(Err(self.refused(&CellVisitor.visit_seq(items)?.shown())))
    }

    /// Read an object to its end. Default: refuse it.
    fn object<'de, A: MapAccess<'de>>(self, entries: A) -> Result<Read<Self::Value>, A::Error> {
        Ok(Err(self.refused(&CellVisitor.visit_map(entries)?.shown())))
    }
}

/// Reads a value by its shape.
pub(super) struct By<S>(pub(super) S);

impl<S: Shape> By<S> {
    fn scalar<E>(self, cell: Result<Cell, E>) -> Result<Read<S::Value>, E> {
        cell.map(|cell| Err(self.0.refused(&cell.shown())))
    }
}

impl<'de, S: Shape> DeserializeSeed<'de> for By<S> {
    type Value = Read<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: Shape> Visitor<'de> for By<S> {
    type Value = Read<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        self.scalar(CellVisitor.visit_bool(value))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        self.scalar(CellVisitor.visit_u64(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        self.scalar(CellVisitor.visit_i64(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        self.scalar(CellVisitor.visit_f64(number))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        self.scalar(CellVisitor.visit_unit())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        self.scalar(CellVisitor.visit_str(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        self.0.array(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        self.0.object(entries)
    }
}
