//! What a request that pushes readings holds: the readings, and what of it can be none, and why.

use crate::ingest::source::Reading;

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
    /// An item cannot be a reading.
    pub fn refuse(&mut self, item: usize, why: impl FnOnce() -> String) {
        self.refused += 1;
        if self.named.len() < MAX_NAMED {
            self.named.push((item, why()));
        }
    }
}
