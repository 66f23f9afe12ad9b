//! What a request that pushes readings holds: the readings, and what of it can be none, and why.

use crate::ingest::source::{MAX_READINGS, Reading};

/// The most readings of a request, good and refused: more could not wait to be judged.
pub const MAX_ITEMS: usize = MAX_READINGS;
/// How many refused items are named.
const MAX_NAMED: usize = 20;

/// What a request holds.
#[derive(Debug, Default, PartialEq)]
pub struct Items {
    /// The readings of the items that are good.
    pub readings: Vec<Reading>,
    /// How many readings, samples or data points are refused.
    pub refused: usize,
    /// The first of them: the item, counted from 1 (of lines: the line), and a sentence.
    pub named: Vec<(usize, String)>,
    /// How many samples are of series that no sensor selects: they are left out.
    pub unselected: usize,
}

impl Items {
    /// An item is a reading.
    ///
    /// # Errors
    /// There are more than a request may have.
    pub fn take(&mut self, reading: Reading) -> Result<(), String> {
        self.readings.push(reading);
        self.within()
    }

    /// An item cannot be a reading.
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
