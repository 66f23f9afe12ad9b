//! A complete CSV file in; its readings out. The source has no readings but its history.

use std::io::Read;
use std::sync::Arc;

use async_trait::async_trait;
use crd::source::Csv;
use jiff::Timestamp;

use super::order::{Dropped, InOrder};
use super::row::{Row, RowReader};
use crate::ingest::reading::{ActiveFault, Readings};
use crate::ingest::source::{self, Clock, Feed, Source, SourceError, Span, replay};
use crate::ingest::sources::data_directory::DataDirectory;
use crate::ingest::sources::delimited::{CsvError, Rows};
use crate::ingest::status::SourceStatus;

/// A recording as a source, which has no readings but its history.
pub struct File {
    spec: Csv,
    dropped: Arc<Dropped>,
}

impl File {
    /// Open the file and check its header and first row, so that errors in them are found at once.
    ///
    /// # Errors
    /// As [`Recording::open`].
    pub fn open(spec: &Csv, status: Option<Arc<SourceStatus>>) -> Result<Self, SourceError> {
        let file = Self { spec: spec.clone(), dropped: Arc::new(dropped(spec, status)) };
        file.recording().map(|_| file)
    }

    fn recording(&self) -> Result<Recording, SourceError> {
        let input = DataDirectory::here().open(&self.spec.path)?;
        Recording::new(&self.spec, input, self.dropped.clone())
    }
}

/// Counts the rows that are dropped.
pub(super) fn dropped(spec: &Csv, status: Option<Arc<SourceStatus>>) -> Dropped {
    Dropped::new(&spec.path, status)
}

#[async_trait]
impl Source for File {
    fn clock(&self) -> Clock {
        Clock::Own { speed: self.spec.speed }
    }

    fn history_covers_future(&self) -> bool {
        true
    }

    fn history(&self, span: Span) -> Result<source::Rows, SourceError> {
        let rows = self.recording()?;
        let is_of_span =
            move |row: &Result<Readings, _>| row.as_ref().map_or(true, |row| span.contains(row.time));
        Ok(Box::new(rows.filter(is_of_span)))
    }

    async fn live(&self, feed: &Feed) -> Result<(), SourceError> {
        replay(self, feed).await
    }
}

/// A recording, replayed from its first row to its last. After an error it gives nothing more.
pub struct Recording {
    rows: InOrder,
    /// A row that was read ahead: it belongs to the next instant.
    ahead: Option<Row>,
    sensors: usize,
    is_labelled: bool,
    /// The time of the first row of the current run of rows labelled anomalous.
    labelled_since: Option<Timestamp>,
}

impl Recording {
    /// Open the file, find the columns in its header and the time format in its first row.
    ///
    /// # Errors
    /// The file cannot be read, has no rows, lacks a column, or its first timestamp is invalid.
    pub fn open(spec: &Csv) -> Result<Self, SourceError> {
        File::open(spec, None)?.recording()
    }

    pub(super) fn new(
        spec: &Csv,
        input: impl Read + Send + 'static,
        dropped: Arc<Dropped>,
    ) -> Result<Self, SourceError> {
        let confined = DataDirectory::here().is_confined();
        // In a pod, the file may be a Secret that was mounted beside the recordings, and many people can read
        // the log.
        let rows = Rows::new(&spec.path, input)?.redacted(confined);
        let rows = RowReader::new(spec, rows, confined)?;
        Ok(Self {
            rows: InOrder::new(rows, spec.out_of_order(), dropped),
            ahead: None,
            sensors: spec.sensors.len(),
            is_labelled: spec.label.is_some(),
            labelled_since: None,
        })
    }

    /// The next row, or in long form all rows of the next time.
    fn read(&mut self) -> Result<Option<Readings>, CsvError> {
        let Some(row) = self.ahead.take().map(Ok).or_else(|| self.rows.next()).transpose()? else {
            return Ok(None);
        };
        let (time, mut label) = (row.time, row.label);
        let Some(sensors) = row.sensors else {
            return Ok(Some(Readings { time, values: row.values, truth: self.truth(time, label) }));
        };
        let mut values = vec![None; self.sensors];
        let put = |values: &mut [Option<f64>], sensors: &[usize], given: Vec<Option<f64>>| {
            sensors.iter().zip(given).for_each(|(sensor, value)| values[*sensor] = value);
        };
        put(&mut values, &sensors, row.values);
        while let Some(next) = self.rows.next().transpose()? {
            match &next.sensors {
                Some(sensors) if next.time == time => {
                    let sensors = sensors.clone();
                    put(&mut values, &sensors, next.values);
                    label = label.max(next.label);
                }
                _ => {
                    self.ahead = Some(next);
                    break;
                }
            }
        }
        Ok(Some(Readings { time, values, truth: self.truth(time, label) }))
    }

    /// The active faults of a row by its label. A run of rows labelled anomalous is one event. Where the
    /// label is missing, they are unknown.
    fn truth(&mut self, time: Timestamp, label: Option<bool>) -> Option<Vec<ActiveFault>> {
        if !self.is_labelled {
            return None;
        }
        let start = (label == Some(true)).then(|| self.labelled_since.unwrap_or(time));
        self.labelled_since = start;
        let active = start.map(|start| ActiveFault { sensor: None, type_: None, start });
        label.map(|_| active.into_iter().collect())
    }
}

impl Iterator for Recording {
    type Item = Result<Readings, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().map_err(SourceError::from).transpose()
    }
}
