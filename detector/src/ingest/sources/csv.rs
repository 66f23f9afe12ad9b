//! A CSV file in, readings out, row by row: streamed, plain or gzipped.

use async_trait::async_trait;
use crd::source::{Csv, CsvSensor, TimeFormat};
use jiff::Timestamp;

use super::data_directory::DataDirectory;
use super::delimited::{CsvError, Problem, Rows};
use super::timestamp;
use crate::ingest::reading::{ActiveFault, Readings};
use crate::ingest::source::{self, Clock, Feed, Source, SourceError, Span, replay};

/// A recording as a source: its history is all there is.
pub struct File(Csv);

impl File {
    /// The file, which is looked into: so that what is wrong with its header or its first row is known at once.
    ///
    /// # Errors
    /// As [`Recording::open`].
    pub fn open(spec: &Csv) -> Result<Self, SourceError> {
        Recording::open(spec).map(|_| Self(spec.clone()))
    }
}

#[async_trait]
impl Source for File {
    fn clock(&self) -> Clock {
        Clock::Own { speed: self.0.speed }
    }

    fn foresees(&self) -> bool {
        true
    }

    fn history(&self, span: Span) -> Result<source::Rows, SourceError> {
        let rows = Recording::open(&self.0)?;
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
    spec: Csv,
    rows: Rows,
    columns: Columns,
    format: TimeFormat,
    place: Place,
    before: Option<Timestamp>,
    /// When the run of rows that are labelled 1 began.
    labelled_since: Option<Timestamp>,
}

/// Where in a row the cells are.
struct Columns {
    time: usize,
    values: Vec<usize>,
    label: Option<usize>,
}

/// How far the recording has been read.
enum Place {
    /// The first row has been looked at for its time format, and is still to be given.
    First,
    Further,
    End,
}

impl Recording {
    /// Open the file, find the columns in its header and the time format in its first row.
    ///
    /// # Errors
    /// The file cannot be read, has no rows, lacks a column, or its first timestamp is none.
    pub fn open(spec: &Csv) -> Result<Self, SourceError> {
        let data = DataDirectory::here();
        let mut rows = Rows::new(&spec.path, data.open(&spec.path)?)?;
        let columns = Columns::find(spec, &rows, data.is_confined())?;
        if !rows.advance()? {
            return Err(rows.refused_whole(Problem::NoRows).into());
        }
        let format = timestamp::format_of(spec.time_format, &rows.text(columns.time))
            .map_err(|expected| rows.unexpected(columns.time, expected))?;
        let (place, before, labelled_since) = (Place::First, None, None);
        Ok(Self { spec: spec.clone(), rows, columns, format, place, before, labelled_since })
    }

    /// The next row; false after the last.
    fn advance(&mut self) -> Result<bool, CsvError> {
        match self.place {
            Place::First => Ok(true),
            Place::Further => self.rows.advance(),
            Place::End => Ok(false),
        }
    }

    /// What the current row says.
    fn readings(&mut self) -> Result<Readings, CsvError> {
        let time = self.time()?;
        let values = self.columns.values.iter().map(|column| self.rows.number(*column));
        let values = values.collect::<Result<_, _>>()?;
        Ok(Readings { time, values, truth: self.truth(time)? })
    }

    fn time(&mut self) -> Result<Timestamp, CsvError> {
        let column = self.columns.time;
        let time = timestamp::parse(self.format, &self.rows.text(column))
            .ok_or_else(|| self.rows.unexpected(column, timestamp::expected(self.format)))?;
        match self.before.replace(time) {
            Some(before) if before > time => Err(self.rows.refused(Problem::Falling {
                column: self.spec.time.clone(),
                got: self.rows.text(column).into_owned(),
                before: before.to_string(),
            })),
            _ => Ok(time),
        }
    }

    /// A run of rows that are labelled 1 is one event. A row whose label is missing counts neither way.
    fn truth(&mut self, time: Timestamp) -> Result<Option<Vec<ActiveFault>>, CsvError> {
        let Some(column) = self.columns.label else { return Ok(None) };
        let label = self.rows.number(column)?;
        if !matches!(label, None | Some(0.0 | 1.0)) {
            return Err(self.rows.unexpected(column, "0 or 1"));
        }
        let start = (label == Some(1.0)).then(|| self.labelled_since.unwrap_or(time));
        self.labelled_since = start;
        let active = start.map(|start| ActiveFault { sensor: None, type_: None, start });
        Ok(label.map(|_| active.into_iter().collect()))
    }
}

impl Columns {
    /// In a pod, a header with none of the spec's columns is no CSV that anybody meant: its words may be a Secret's, and are
    /// not repeated.
    fn find(spec: &Csv, rows: &Rows, confined: bool) -> Result<Self, CsvError> {
        let mut wanted =
            spec.sensors.iter().map(name).chain([spec.time.as_str()]).chain(spec.label.as_deref());
        if confined && !wanted.any(|name| rows.header().iter().any(|there| there == name)) {
            return Err(rows.refused_whole(Problem::Foreign));
        }
        let column = |sensor: &CsvSensor| rows.column(name(sensor));
        Ok(Self {
            time: rows.column(&spec.time)?,
            values: spec.sensors.iter().map(column).collect::<Result<_, _>>()?,
            label: spec.label.as_ref().map(|label| rows.column(label)).transpose()?,
        })
    }
}

/// The name of the sensor's column.
fn name(sensor: &CsvSensor) -> &str {
    sensor.column.as_deref().unwrap_or(&sensor.name)
}

impl Iterator for Recording {
    type Item = Result<Readings, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = match self.advance() {
            Ok(true) => self.readings(),
            Ok(false) => {
                self.place = Place::End;
                return None;
            }
            Err(error) => Err(error),
        };
        self.place = if row.is_ok() { Place::Further } else { Place::End };
        Some(row.map_err(SourceError::from))
    }
}

#[cfg(test)]
mod tests;
