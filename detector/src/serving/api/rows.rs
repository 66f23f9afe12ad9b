//! `[[number,…],…]` in; all numbers in one flat buffer out, or the first row that is wrong.

use serde::de::{IgnoredAny, SeqAccess};

use super::cell::Cell;
use super::error::ApiError;
use super::expected::Expected;
use super::shape::{By, Read, Shape};

/// Reads the rows.
pub(super) struct Rows<'a> {
    pub(super) expected: Expected<'a>,
    /// How many numbers there can be at most: pages that are not written to take no memory.
    pub(super) capacity: usize,
}

impl Shape for Rows<'_> {
    type Value = Vec<f64>;

    fn refused(self, shown: &str) -> ApiError {
        let sentence = format!("expected an array of rows, got {shown}");
        ApiError::Unprocessable("instances".to_owned(), sentence)
    }

    fn array<'de, A: SeqAccess<'de>>(self, mut rows: A) -> Result<Read<Vec<f64>>, A::Error> {
        let Expected { columns, most_rows, .. } = self.expected;
        let mut cells = Vec::with_capacity(self.capacity);
        let mut index = 0;
        while let Some(row) = rows.next_element_seed(By(Row { columns, index, cells: &mut cells }))? {
            let wrong =
                row.err().or_else(|| (index == most_rows).then_some(ApiError::TooManyRows(most_rows)));
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

/// Reads one row into the buffer.
struct Row<'a> {
    columns: usize,
    index: usize,
    cells: &'a mut Vec<f64>,
}

impl Row<'_> {
    fn wrong(&self, why: String) -> ApiError {
        ApiError::Unprocessable(format!("instances[{}]", self.index), why)
    }
}

impl Shape for Row<'_> {
    type Value = ();

    fn refused(self, shown: &str) -> ApiError {
        self.wrong(format!("expected an array of {} numbers, got {shown}", self.columns))
    }

    fn array<'de, A: SeqAccess<'de>>(self, mut row: A) -> Result<Read<()>, A::Error> {
        let (mut count, mut wrong) = (0, None);
        while count < self.columns
            && let Some(cell) = row.next_element::<Cell>()?
        {
            match cell.number(|| format!("instances[{}][{count}]", self.index)) {
                Ok(number) => self.cells.push(number),
                Err(error) => wrong = wrong.or(Some(error)),
            }
            count += 1;
        }
        while row.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        if count != self.columns {
            let why = format!("expected {} numbers, one a column, got {count}", self.columns);
            return Ok(Err(self.wrong(why)));
        }
        Ok(wrong.map_or(Ok(()), Err))
    }
}
