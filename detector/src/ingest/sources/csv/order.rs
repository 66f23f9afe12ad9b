//! Rows in the order of a file in; the rows, in ascending order of time, out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crd::source::OutOfOrder;
use jiff::Timestamp;

use super::super::delimited::CsvError;
use super::row::{Row, RowReader};
use crate::ingest::status::SourceStatus;

/// The count of the rows of a recording that were dropped because their time is before that of a row above.
/// Each row is counted once, even if the recording is read several times.
#[derive(Debug)]
pub(super) struct Dropped {
    file: String,
    status: Option<Arc<SourceStatus>>,
    /// The last line that was counted, and the number of rows counted.
    last: AtomicU64,
    count: AtomicU64,
}

impl Dropped {
    pub(super) fn new(file: &str, status: Option<Arc<SourceStatus>>) -> Self {
        let (last, count) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { file: file.to_owned(), status, last, count }
    }

    fn count(&self, row: &Row, before: Timestamp) {
        if self.last.fetch_max(row.line, Ordering::Relaxed) >= row.line {
            return;
        }
        if let Some(status) = &self.status {
            status.arrived(row.values.len());
            status.discard(row.values.len());
        }
        if self.count.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(
                "{}:{}: {} is earlier than {before} of the previous row: such rows are dropped (outOfOrder: Drop)",
                self.file,
                row.line,
                row.time
            );
        }
    }

    /// Log at the end of the recording how many rows were dropped, if the log does not have it yet.
    fn finish(&self) {
        let count = self.count.swap(1, Ordering::Relaxed);
        if count > 1 {
            tracing::warn!(
                "{}: {count} rows were dropped, whose time is earlier than that of a previous row",
                self.file
            );
        }
    }
}

/// The rows of a recording in ascending order of time.
pub(super) enum InOrder {
    /// The rows in the order of the file, without those whose time is before that of a row above.
    Dropping { rows: RowReader, before: Option<Timestamp>, dropped: Arc<Dropped> },
    /// All rows, which are not read yet: the first call reads and sorts them.
    Unsorted(Option<RowReader>),
    /// All rows, sorted.
    Sorted(Sorted),
}

impl InOrder {
    pub(super) fn new(rows: RowReader, order: OutOfOrder, dropped: Arc<Dropped>) -> Self {
        match order {
            OutOfOrder::Sort => Self::Unsorted(Some(rows)),
            // For `Fail`, the row reader returns the error.
            OutOfOrder::Drop | OutOfOrder::Fail => Self::Dropping { rows, before: None, dropped },
        }
    }
}

impl Iterator for InOrder {
    type Item = Result<Row, CsvError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Dropping { rows, before, dropped } => loop {
                let row = match rows.next() {
                    Some(Ok(row)) => row,
                    other => {
                        dropped.finish();
                        return other;
                    }
                };
                match *before {
                    Some(newest) if newest > row.time => dropped.count(&row, newest),
                    _ => {
                        *before = Some(row.time);
                        return Some(Ok(row));
                    }
                }
            },
            Self::Unsorted(rows) => match Sorted::read(rows.take()?) {
                Ok(sorted) => {
                    *self = Self::Sorted(sorted);
                    self.next()
                }
                Err(error) => Some(Err(error)),
            },
            Self::Sorted(sorted) => sorted.next().map(Ok),
        }
    }
}

/// The rows of a whole recording, sorted, in as little memory as possible.
#[derive(Default)]
pub(super) struct Sorted {
    rows: Vec<Place>,
    /// The values of one row after another; NaN is missing.
    values: Vec<f64>,
    /// The indices of the rows that are left, latest first.
    left: Vec<usize>,
}

/// A row, and the index of its first value.
struct Place {
    time: Timestamp,
    label: Option<bool>,
    sensors: Option<Arc<[usize]>>,
    first: usize,
}

impl Sorted {
    fn read(rows: RowReader) -> Result<Self, CsvError> {
        let mut all = Self::default();
        for row in rows {
            let Row { time, sensors, values, label, .. } = row?;
            all.rows.push(Place { time, label, sensors, first: all.values.len() });
            all.values.extend(values.into_iter().map(|value| value.unwrap_or(f64::NAN)));
        }
        all.left = (0..all.rows.len()).collect();
        // Rows of one time stay in their order.
        all.left.sort_by_key(|place| std::cmp::Reverse((all.rows[*place].time, *place)));
        Ok(all)
    }

    fn next(&mut self) -> Option<Row> {
        let index = self.left.pop()?;
        let end = self.rows.get(index + 1).map_or(self.values.len(), |next| next.first);
        let Place { time, label, sensors, first } = &self.rows[index];
        let values = self.values[*first..end].iter();
        let values = values.map(|value| Some(*value).filter(|value| !value.is_nan())).collect();
        Some(Row { line: 0, time: *time, sensors: sensors.clone(), values, label: *label })
    }
}
