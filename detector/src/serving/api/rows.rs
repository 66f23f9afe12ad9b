//! `[[number,…],…]` or `[{"NAME":number,…},…]`, of columns or of sensors, in; all numbers in one flat buffer,
//! or the first row that is wrong, out.

use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use super::cell::Cell;
use super::error::ApiError;
use super::expected::{Expected, MAX_NAMED, Place};
use super::shape::{By, Read, Shape};
use super::values::Values;
use crate::model::model::Model;

/// Reads the rows.
pub(super) struct Rows<'a> {
    pub(super) expected: Expected<'a>,
    /// The place of a row in the request.
    pub(super) place: fn(usize) -> Place,
    /// The most numbers that there can be: memory pages that are never written cost nothing.
    pub(super) capacity: usize,
}

impl Shape for Rows<'_> {
    type Value = Vec<f64>;

    fn refused(self, shown: &str) -> ApiError {
        let sentence = format!("expected an array of rows, got {shown}");
        let place = (self.place)(0).to_string();
        ApiError::Unprocessable(place.trim_end_matches("[0]").to_owned(), sentence)
    }

    fn array<'de, A: SeqAccess<'de>>(self, mut rows: A) -> Result<Read<Vec<f64>>, A::Error> {
        let Expected { model, most_rows } = self.expected;
        let mut cells = Vec::with_capacity(self.capacity);
        let mut index = 0;
        while let Some(read) =
            rows.next_element_seed(By(Row { model, place: (self.place)(index), cells: &mut cells }))?
        {
            let wrong =
                read.err().or_else(|| (index == most_rows).then_some(ApiError::TooManyRows(most_rows)));
            if let Some(wrong) = wrong {
                while rows.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Err(wrong));
            }
            index += 1;
        }
        cells.shrink_to_fit();
        Ok(Ok(cells))
    }
}

/// Reads one row, an array or an object with each column by name, into the buffer.
pub(super) struct Row<'a> {
    pub(super) model: &'a Model,
    pub(super) place: Place,
    pub(super) cells: &'a mut Vec<f64>,
}

impl Row<'_> {
    fn columns(&self) -> usize {
        if self.place.is_of_sensors() { self.model.sensors().len() } else { self.model.columns() }
    }

    fn names(&self) -> &[String] {
        if self.place.is_of_sensors() { self.model.sensors() } else { self.model.column_names() }
    }

    fn wrong(&self, why: String) -> ApiError {
        ApiError::Unprocessable(self.place.to_string(), why)
    }
}

impl Shape for Row<'_> {
    type Value = ();

    fn refused(self, shown: &str) -> ApiError {
        self.wrong(format!("expected an array of {} numbers, got {shown}", self.columns()))
    }

    fn array<'de, A: SeqAccess<'de>>(self, mut row: A) -> Result<Read<()>, A::Error> {
        let (mut count, mut wrong) = (0, None);
        let columns = self.columns();
        while count < columns
            && let Some(cell) = row.next_element::<Cell>()?
        {
            match cell.number(|| format!("{}[{count}]", self.place)) {
                Ok(number) => self.cells.push(number),
                Err(error) => wrong = wrong.or(Some(error)),
            }
            count += 1;
        }
        while row.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        if count != columns {
            let kind = if self.place.is_of_sensors() { "sensor" } else { "column" };
            let why = format!("expected {columns} numbers, one a {kind}, got {count}");
            return Ok(Err(self.wrong(why)));
        }
        Ok(wrong.map_or(Ok(()), Err))
    }

    fn object<'de, A: MapAccess<'de>>(self, mut entries: A) -> Result<Read<()>, A::Error> {
        let columns = self.columns();
        if columns > MAX_NAMED {
            while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            let why = format!("expected an array, as the model has {columns} columns, more than {MAX_NAMED}");
            return Ok(Err(self.wrong(why)));
        }
        let row = Values { names: self.names(), place: self.place }.object(entries)?;
        Ok(row.map(|row| self.cells.extend(row)))
    }
}
