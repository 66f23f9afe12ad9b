//! The rows of a recording, as cells, in; the same rows, as times, values and labels, out.

use std::collections::HashMap;
use std::sync::Arc;

use crd::source::{Csv, CsvSensor, Decimal, OutOfOrder};
use jiff::Timestamp;

use super::super::delimited::number::NumberFormat;
use super::super::delimited::{CsvError, Problem, Rows};
use super::super::timestamp::TimeParser;

/// Between the parts of a series' name.
const SEPARATOR: char = '\u{1f}';

/// The parsed content of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// The line of the row, counted from 1; 0 for a sorted row.
    pub(super) line: u64,
    pub(super) time: Timestamp,
    /// The sensors that the row has values of; none where it has those of all sensors.
    pub(super) sensors: Option<Arc<[usize]>>,
    /// One value for each of these sensors.
    pub(super) values: Vec<Option<f64>>,
    /// Whether it is labelled an anomaly; none where it is unknown.
    pub(super) label: Option<bool>,
}

/// The rows of a file in its order. After an error it gives nothing more.
pub(super) struct RowReader {
    spec: Csv,
    rows: Rows,
    columns: Columns,
    time: TimeParser,
    place: Place,
    before: Option<Timestamp>,
}

/// The columns of a row's cells.
struct Columns {
    time: usize,
    /// The column of each sensor's value.
    values: Vec<usize>,
    series: Option<Series>,
    label: Option<usize>,
}

/// The assignment of rows to sensors by series. A row has several sensors where each of them has a column.
struct Series {
    columns: Vec<usize>,
    sensors: HashMap<String, Arc<[usize]>>,
    /// The name of the row at hand.
    name: String,
    /// Whether the log has a line about rows of no sensor.
    met_another: bool,
}

/// How far the recording has been read.
enum Place {
    /// The first row has been looked at for its time format, and is still to be given.
    First,
    Further,
    End,
}

impl RowReader {
    /// Find the columns in the header and the time format in the first row.
    ///
    /// # Errors
    /// There are no rows, a column is missing, or the first timestamp is invalid.
    pub(super) fn new(spec: &Csv, mut rows: Rows, confined: bool) -> Result<Self, CsvError> {
        rows.set_number_format(NumberFormat {
            decimal_comma: spec.decimal == Some(Decimal::Comma),
            null_values: spec.null_values.clone(),
        });
        let columns = Columns::find(spec, &rows, confined)?;
        if !rows.advance()? {
            return Err(rows.refused_whole(Problem::NoRows));
        }
        let time = TimeParser::new(&spec.time_format, spec.time_zone.as_deref(), &rows.text(columns.time))
            .map_err(|expected| rows.unexpected(columns.time, expected))?;
        Ok(Self { spec: spec.clone(), rows, columns, time, place: Place::First, before: None })
    }

    /// Go to the next row; false after the last.
    fn advance(&mut self) -> Result<bool, CsvError> {
        match self.place {
            Place::First => Ok(true),
            Place::Further => self.rows.advance(),
            Place::End => Ok(false),
        }
    }

    /// Parse the current row; none where it belongs to no sensor.
    fn read(&mut self) -> Result<Option<Row>, CsvError> {
        let time = self.time()?;
        let number = |column: &usize| self.rows.number(*column);
        let (sensors, values) = match &mut self.columns.series {
            None => (None, self.columns.values.iter().map(number).collect::<Result<_, _>>()?),
            Some(series) => {
                let Some(sensors) = series.sensors(&self.rows)? else { return Ok(None) };
                let columns = sensors.iter().map(|sensor| &self.columns.values[*sensor]);
                let values = columns.map(number).collect::<Result<_, _>>()?;
                (Some(sensors), values)
            }
        };
        Ok(Some(Row { line: self.rows.line(), time, sensors, values, label: self.label()? }))
    }

    fn time(&mut self) -> Result<Timestamp, CsvError> {
        let column = self.columns.time;
        let parsed = self.time.parse(&self.rows.text(column));
        let time = parsed.ok_or_else(|| self.rows.unexpected(column, self.time.expected()))?;
        match self.before.replace(time) {
            Some(before) if before > time && self.spec.out_of_order() == OutOfOrder::Fail => {
                Err(self.rows.refused(Problem::Falling {
                    column: self.spec.time.clone(),
                    got: self.rows.text(column).into_owned(),
                    before: before.to_string(),
                }))
            }
            _ => Ok(time),
        }
    }

    fn label(&self) -> Result<Option<bool>, CsvError> {
        let Some(column) = self.columns.label else { return Ok(None) };
        let text = self.rows.text(column);
        if self.rows.is_null(column) {
            return Ok(None);
        }
        if !self.spec.label_anomalous.is_empty() {
            let text = self.rows.words(column)?;
            return Ok(Some(self.spec.label_anomalous.iter().any(|word| word == text)));
        }
        match self.rows.number(column) {
            Ok(Some(0.0)) => Ok(Some(false)),
            Ok(Some(1.0)) => Ok(Some(true)),
            _ if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            _ if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            _ => Err(self.rows.unexpected(column, "0 or 1, or a word of labelAnomalous")),
        }
    }
}

impl Columns {
    /// Find the columns in the header. In a pod, a header with none of the spec's columns may not be from a
    /// CSV file but from a Secret: its words are not repeated.
    fn find(spec: &Csv, rows: &Rows, confined: bool) -> Result<Self, CsvError> {
        let name = |sensor: &'_ CsvSensor| -> String {
            let default = if spec.series_columns.is_empty() { sensor.name.as_str() } else { "value" };
            sensor.column.as_deref().unwrap_or(default).to_owned()
        };
        let names: Vec<String> = spec.sensors.iter().map(name).collect();
        let mut wanted =
            names.iter().map(String::as_str).chain([spec.time.as_str()]).chain(spec.label.as_deref());
        if confined && !wanted.any(|name| rows.header().iter().any(|there| there == name)) {
            return Err(rows.refused_whole(Problem::Foreign));
        }
        Ok(Self {
            time: rows.column(&spec.time)?,
            values: names.iter().map(|name| rows.column(name)).collect::<Result<_, _>>()?,
            series: Series::find(spec, rows)?,
            label: spec.label.as_ref().map(|label| rows.column(label)).transpose()?,
        })
    }
}

impl Series {
    /// Find the series columns of the spec; none where each row has values of all sensors.
    fn find(spec: &Csv, rows: &Rows) -> Result<Option<Self>, CsvError> {
        if spec.series_columns.is_empty() {
            return Ok(None);
        }
        let name = |sensor: &CsvSensor| match &*sensor.series {
            [] => sensor.name.clone(),
            parts => parts.join(&SEPARATOR.to_string()),
        };
        let mut sensors = HashMap::<String, Vec<usize>>::new();
        for (index, sensor) in spec.sensors.iter().enumerate() {
            sensors.entry(name(sensor)).or_default().push(index);
        }
        let sensors = sensors.into_iter().map(|(name, sensors)| (name, sensors.into())).collect();
        let columns = spec.series_columns.iter().map(|name| rows.column(name)).collect::<Result<_, _>>()?;
        Ok(Some(Self { columns, sensors, name: String::new(), met_another: false }))
    }

    /// The sensors of the current row, if there are some.
    fn sensors(&mut self, rows: &Rows) -> Result<Option<Arc<[usize]>>, CsvError> {
        self.name.clear();
        for (index, column) in self.columns.iter().enumerate() {
            if index > 0 {
                self.name.push(SEPARATOR);
            }
            self.name.push_str(rows.words(*column)?);
        }
        let sensors = self.sensors.get(&self.name).cloned();
        if sensors.is_none() && !std::mem::replace(&mut self.met_another, true) {
            let series = self.name.replace(SEPARATOR, ", ");
            tracing::info!(
                "{}: rows of no sensor are skipped, such as those of series [{series}]",
                rows.file()
            );
        }
        Ok(sensors)
    }
}

impl Iterator for RowReader {
    type Item = Result<Row, CsvError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let row = match self.advance() {
                Ok(true) => self.read(),
                Ok(false) => {
                    self.place = Place::End;
                    return None;
                }
                Err(error) => Err(error),
            };
            self.place = if row.is_ok() { Place::Further } else { Place::End };
            if let Some(row) = row.transpose() {
                return Some(row);
            }
        }
    }
}
