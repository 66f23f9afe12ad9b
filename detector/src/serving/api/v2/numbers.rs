//! The `data` of a tensor in JSON, flat or nested, in; its numbers in one flat buffer, and the first value
//! that is not a number, out.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::super::cell::{Cell, CellVisitor};
use super::super::error::ApiError;

/// The content of `data`.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// The numbers.
    cells: Vec<f64>,
    /// The index and the value of the first one that is not a finite number.
    wrong: Option<(usize, Cell)>,
}

impl Numbers {
    /// Return the numbers. Errors name the input.
    ///
    /// # Errors
    /// A value is not a finite number.
    pub(super) fn of(self, input: &str) -> Result<Vec<f64>, ApiError> {
        match self.wrong {
            None => Ok(self.cells),
            Some((index, cell)) => {
                let why = format!("expected a finite number, got {}", cell.shown());
                Err(ApiError::Unprocessable(format!("{input}: data[{index}]"), why))
            }
        }
    }

    fn push(&mut self, cell: Cell) {
        match cell {
            Cell::Number(number) if forest::cell(number).is_some() => self.cells.push(number),
            cell => {
                self.wrong.get_or_insert((self.cells.len(), cell));
            }
        }
    }
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut numbers = Self::default();
        Flat(&mut numbers).deserialize(deserializer)?;
        numbers.cells.shrink_to_fit();
        Ok(numbers)
    }
}

/// Reads a number, or an array of numbers, also nested.
struct Flat<'a>(&'a mut Numbers);

impl Flat<'_> {
    fn scalar<E>(self, cell: Result<Cell, E>) -> Result<(), E> {
        self.0.push(cell?);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Flat<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Flat<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("numbers")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.scalar(CellVisitor.visit_bool(value))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.scalar(CellVisitor.visit_u64(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.scalar(CellVisitor.visit_i64(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.scalar(CellVisitor.visit_f64(number))
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.scalar(CellVisitor.visit_unit())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.scalar(CellVisitor.visit_str(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<(), A::Error> {
        self.scalar(CellVisitor.visit_map(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Flat(&mut *self.0))?.is_some() {}
        Ok(())
    }
}
