//! An array or an object where one is expected in; what was made of it, or the sentence on what came instead, out.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::cell::{Cell, CellVisitor};
use super::error::ApiError;

/// What became of a value: read, or wrong in a way that leaves the JSON around it readable.
pub(super) type Read<T> = Result<T, ApiError>;

/// What reads an array, or an object, and refuses everything else.
pub(super) trait Shape: Sized {
    /// What is made of it.
    type Value;

    /// The sentence on a value of another shape, which is shown.
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
