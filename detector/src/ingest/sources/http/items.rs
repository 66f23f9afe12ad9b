//! The items of a request that pushes readings in; the valid readings, and the refused items with their
//! reasons, out.

use crate::ingest::source::{MAX_READINGS, Reading};

/// The most readings of a request, valid and refused: the feed cannot hold more.
pub const MAX_ITEMS: usize = MAX_READINGS;
/// How many refused items are named.
const MAX_NAMED: usize = 20;

/// The readings and refused items of a request.
#[derive(Debug, Default, PartialEq)]
pub struct Items {
    /// The readings of the items that are good.
    pub readings: Vec<Reading>,
    /// How many readings, samples or data points are refused.
    pub refused: usize,
    /// The first refused items: each one's number, counted from 1 (in a body of lines, the line), and a
    /// sentence.
    pub named: Vec<(usize, String)>,
    /// The number of samples of series that no sensor selects; they are ignored.
    pub unselected: usize,
}

impl Items {
    /// Add the reading of a valid item.
    ///
    /// # Errors
    /// There are more than a request may have.
    pub fn take(&mut self, reading: Reading) -> Result<(), String> {
        self.readings.push(reading);
        self.within()
    }

    /// Count an item as refused, and keep its number and reason.
    ///
    /// # Errors
    /// There are more than a request may have.
    pub fn refuse(&mut self, item: usize, why: impl FnOnce() -> String) -> Result<(), String> {
        self.refused += 1;
        if self.named.len() < MAX_NAMED {
            self.named.push((item, why()));
        }
        self.within()
    }

    fn within(&self) -> Result<(), String> {
        if self.readings.len() + self.refused > MAX_ITEMS {
            return Err(format!("a request must have at most {MAX_ITEMS} readings: send them in several"));
        }
        Ok(())
    }
}
