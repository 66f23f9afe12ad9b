//! The first rows of a table in; the kind of each of its columns out.

use std::collections::{HashMap, HashSet};

use crd::source::TimeFormat;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::ingest::sources::delimited::number::NumberFormat;
use crate::ingest::sources::timestamp::TimeParser;

/// The usual names of columns with timestamps, in lower case.
const TIME_NAMES: [&str; 12] = [
    "timestamp",
    "time",
    "datetime",
    "date",
    "ts",
    "date_time",
    "epoch",
    "unix",
    "unixtime",
    "when",
    "zeit",
    "_time",
];
/// The usual names of columns with labels, in lower case.
const LABEL_NAMES: [&str; 9] =
    ["label", "anomaly", "is_anomaly", "anomalous", "in_window", "fault", "outlier", "attack", "changepoint"];
/// Formats that cannot be detected from one timestamp, the likelier ones first.
const DIRECTIVES: [&str; 11] = [
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
    "%d/%b/%Y:%H:%M:%S %z",
    "%a, %d %b %Y %H:%M:%S %z",
];
/// The most sensors of a source.
const MAX_SENSORS: usize = 128;

/// The first rows of a table.
pub(super) struct Sample {
    pub(super) header: Vec<String>,
    pub(super) delimiter: u8,
    /// The rows, each with as many cells as the header.
    pub(super) rows: Vec<Vec<String>>,
}

impl Sample {
    fn cells(&self, column: usize) -> impl Iterator<Item = &str> {
        self.rows.iter().map(move |row| row[column].as_str())
    }

    fn name(&self, column: usize) -> &str {
        &self.header[column]
    }

    fn is_called(&self, column: usize, names: &[&str]) -> bool {
        names.iter().any(|name| self.header[column].eq_ignore_ascii_case(name))
    }
}

/// The columns of a table by their kind.
pub(super) struct Columns {
    time: Time,
    numbers: NumberFormat,
    sensors: Vec<Sensor>,
    /// The name of the column that tells which sensors a row belongs to, where the table has one.
    series: Option<String>,
    label: Option<String>,
    left_out: Vec<String>,
}

struct Time {
    column: usize,
    name: String,
    format: TimeFormat,
    first: String,
    interval: String,
}

struct Sensor {
    name: String,
    unit: Option<String>,
    column: String,
    /// The word in the series column of its rows.
    series: Option<String>,
}

impl Columns {
    /// Find the kind of each column.
    ///
    /// # Errors
    /// There are no rows, no timestamps or no numbers: one sentence.
    pub(super) fn find(sample: &Sample) -> Result<Self, String> {
        if sample.rows.is_empty() {
            return Err("expected rows after the header, got none".to_owned());
        }
        let time = Time::find(sample).ok_or_else(|| {
            let columns = sample.header.join(", ");
            format!("expected a column of timestamps, got {columns}: detector train and detector score take tables without time")
        })?;
        let mut found = Self {
            numbers: numbers(sample, time.column),
            time,
            sensors: Vec::new(),
            series: None,
            label: None,
            left_out: Vec::new(),
        };
        let mut words = Vec::new();
        let mut values = Vec::new();
        let time = found.time.column;
        for column in (0..sample.header.len()).filter(|column| *column != time) {
            match found.kind_of(sample, column) {
                ColumnKind::Number => values.push(column),
                ColumnKind::Label if found.label.is_none() => {
                    found.label = Some(sample.name(column).to_owned());
                }
                ColumnKind::Words => {
                    words.push(column);
                    found.leave_out(sample, column, "text");
                }
                ColumnKind::Label => found.leave_out(sample, column, "a second label"),
                ColumnKind::Index => found.leave_out(sample, column, "counts the rows"),
                ColumnKind::Nothing => found.leave_out(sample, column, "empty"),
            }
        }
        match (&*words, &*values) {
            (_, []) => return Err(format!("expected a column of numbers, got {}", sample.header.join(", "))),
            ([word], values) if is_long(sample, time, *word) => found.take_series(sample, *word, values),
            (_, values) => found.take(sample, values),
        }
        Ok(found)
    }

    fn leave_out(&mut self, sample: &Sample, column: usize, why: &str) {
        self.left_out.push(format!("{} ({why})", sample.name(column)));
    }

    fn kind_of(&self, sample: &Sample, column: usize) -> ColumnKind {
        let mut values = Vec::new();
        for cell in sample.cells(column) {
            match self.numbers.read(cell) {
                Ok(value) => values.extend(value),
                Err(_) => return ColumnKind::Words,
            }
        }
        let counts =
            || values.len() > 2 && values.windows(2).all(|pair| (pair[1] - pair[0] - 1.0).abs() < 1e-9);
        let is_binary = || values.iter().all(|value| [0.0, 1.0].contains(value));
        match values.first() {
            None => ColumnKind::Nothing,
            Some(_) if sample.is_called(column, &LABEL_NAMES) && is_binary() => ColumnKind::Label,
            Some(_) if counts() => ColumnKind::Index,
            Some(_) => ColumnKind::Number,
        }
    }

    /// Make each of these columns a sensor.
    fn take(&mut self, sample: &Sample, values: &[usize]) {
        let mut taken = HashSet::new();
        for column in values {
            if self.sensors.len() == MAX_SENSORS {
                self.leave_out(sample, *column, "beyond 128 sensors");
                continue;
            }
            let (name, unit) = named(sample.name(*column), &mut taken);
            let column = sample.name(*column).to_owned();
            self.sensors.push(Sensor { name, unit, column, series: None });
        }
    }

    /// Make a sensor of each word in the column `word` with each of the columns `values`.
    fn take_series(&mut self, sample: &Sample, word: usize, values: &[usize]) {
        let (mut taken, mut seen) = (HashSet::new(), HashSet::new());
        for cell in sample.cells(word).filter(|cell| seen.insert(*cell)) {
            for value in values {
                if self.sensors.len() == MAX_SENSORS {
                    self.left_out.push(format!("{cell} (beyond 128 sensors)"));
                    break;
                }
                let column = sample.name(*value).to_owned();
                let both = if values.len() == 1 { cell.to_owned() } else { format!("{cell}_{column}") };
                let (name, unit) = named(&both, &mut taken);
                self.sensors.push(Sensor { name, unit, column, series: Some(cell.to_owned()) });
            }
        }
        self.left_out.retain(|note| *note != format!("{} (text)", sample.name(word)));
        self.series = Some(sample.name(word).to_owned());
    }

    /// The interval from one row to the next, such as `1m`.
    pub(super) fn interval(&self) -> &str {
        &self.time.interval
    }

    /// The csv source for a manifest.
    pub(super) fn source(&self, path: &str) -> Value {
        let sensor = |sensor: &Sensor| {
            let mut fields = json!({ "name": sensor.name });
            if let Some(unit) = &sensor.unit {
                fields["unit"] = json!(unit);
            }
            let default = if self.series.is_none() { sensor.name.as_str() } else { "value" };
            if sensor.column != default {
                fields["column"] = json!(sensor.column);
            }
            if let Some(series) = sensor.series.as_ref().filter(|series| **series != sensor.name) {
                fields["series"] = json!([series]);
            }
            fields
        };
        let sensors: Vec<Value> = self.sensors.iter().map(sensor).collect();
        let mut source = json!({ "path": path, "time": self.time.name, "sensors": sensors, "speed": 0 });
        if let TimeFormat::Strptime(directives) = &self.time.format {
            source["timeFormat"] = json!(directives);
        }
        if self.numbers.decimal_comma {
            source["decimal"] = json!(",");
        }
        if let Some(column) = &self.series {
            source["seriesColumns"] = json!([column]);
        }
        if let Some(label) = &self.label {
            source["label"] = json!(label);
        }
        source
    }

    /// Sentences about the inferred properties, for people.
    pub(super) fn notes(&self) -> Vec<String> {
        let Time { name, format, first, interval, .. } = &self.time;
        let zone = match format {
            TimeFormat::DateTime | TimeFormat::Strptime(_) => " (UTC; timeZone sets another zone)",
            _ => "",
        };
        let names: Vec<&str> = self.sensors.iter().map(|sensor| sensor.name.as_str()).collect();
        let each = self
            .series
            .as_ref()
            .map_or(String::new(), |column| format!(", by the words in column {column:?}"));
        let sensors = format!("sensors: {}{each}", names.join(", "));
        let mut notes = vec![
            format!("time: column {name:?} as {format}, {first:?}{zone}; a row every {interval}"),
            sensors,
        ];
        if self.numbers.decimal_comma {
            notes.push("numbers have a decimal comma".to_owned());
        }
        notes.push(match &self.label {
            Some(label) => format!("truth: column {label:?}, which the summary is computed by"),
            None => "truth: no column of labels".to_owned(),
        });
        if !self.left_out.is_empty() {
            notes.push(format!("left out: {}", self.left_out.join(", ")));
        }
        notes
    }
}

/// The kind of a column other than the time.
enum ColumnKind {
    Number,
    Label,
    Index,
    Words,
    Nothing,
}

impl Time {
    /// The first column of timestamps with one of the usual names, else the first column of timestamps.
    fn find(sample: &Sample) -> Option<Self> {
        let columns = 0..sample.header.len();
        let (called, others): (Vec<_>, Vec<_>) =
            columns.partition(|column| sample.is_called(*column, &TIME_NAMES));
        called.into_iter().chain(others).find_map(|column| {
            let (format, times) = times(sample, column)?;
            let first = sample.rows[0][column].clone();
            Some(Self {
                column,
                name: sample.name(column).to_owned(),
                format,
                first,
                interval: interval(&times),
            })
        })
    }
}

/// The format of the timestamps in a column, and the timestamps; `None` where not all cells are timestamps.
/// Numbers are timestamps only in a column with one of the usual names.
fn times(sample: &Sample, column: usize) -> Option<(TimeFormat, Vec<Timestamp>)> {
    let first = sample.rows[0][column].as_str();
    let is_number = first.parse::<f64>().is_ok();
    if is_number && !sample.is_called(column, &TIME_NAMES) {
        return None;
    }
    let detected = TimeParser::new(&TimeFormat::Auto, None, first).ok();
    let named = DIRECTIVES.iter().filter_map(|directives| {
        TimeParser::new(&TimeFormat::Strptime((*directives).to_owned()), None, first).ok()
    });
    let parsed = detected.into_iter().chain(named).filter_map(|mut parser| {
        let times: Option<Vec<Timestamp>> = sample.cells(column).map(|cell| parser.parse(cell)).collect();
        Some((parser.format().clone(), times?))
    });
    // If several formats fit, such as month first and day first: the one whose times step back least often.
    parsed.min_by_key(|(_, times)| times.windows(2).filter(|pair| pair[0] > pair[1]).count())
}

/// The median of the steps forward in time, at least 10 ms and at most 24 h; 1 s where there are none.
fn interval(times: &[Timestamp]) -> String {
    let mut steps: Vec<i128> =
        times.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_millis()).collect();
    steps.retain(|step| *step > 0);
    steps.sort_unstable();
    let median = steps.get(steps.len() / 2).copied().unwrap_or(1000).clamp(10, 24 * 3_600_000);
    let duration = format!("{median}ms").parse::<crd::Duration>();
    duration.map_or_else(|_| "1s".to_owned(), |duration| duration.to_string())
}

/// The number format: with a decimal comma if that makes more columns numbers, else with a decimal point.
fn numbers(sample: &Sample, time: usize) -> NumberFormat {
    let comma = NumberFormat { decimal_comma: true, ..NumberFormat::default() };
    let fitting = |format: &NumberFormat| {
        let is_number = |column: &usize| sample.cells(*column).all(|cell| format.read(cell).is_ok());
        (0..sample.header.len()).filter(|column| *column != time).filter(is_number).count()
    };
    if fitting(&comma) > fitting(&NumberFormat::default()) { comma } else { NumberFormat::default() }
}

/// Whether a table has a row for each reading: the column `word` has 2 to 128 different words, and most rows
/// share their time with another row.
fn is_long(sample: &Sample, time: usize, word: usize) -> bool {
    let words: HashSet<&str> = sample.cells(word).collect();
    let mut times = HashMap::<&str, usize>::new();
    sample.cells(time).for_each(|cell| *times.entry(cell).or_default() += 1);
    let repeated: usize = times.values().filter(|count| **count > 1).sum();
    (2..=MAX_SENSORS).contains(&words.len()) && repeated * 2 > sample.rows.len()
}

/// The name of a sensor, made of a column's name and different from the `taken` ones; and the unit from the
/// brackets at the end of the column's name.
fn named(column: &str, taken: &mut HashSet<String>) -> (String, Option<String>) {
    let unit = column.strip_suffix([')', ']']).and_then(|rest| rest.rsplit_once(['(', '[']));
    let (name, unit) = unit.map_or((column, None), |(name, unit)| (name, Some(unit.trim())));
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_-.".contains(c) { c } else { '_' };
    let mut name: String = name.trim().chars().map(plain).take(56).collect();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        name.insert_str(0, "s_");
    }
    let base = name.clone();
    let mut count = 1;
    while !taken.insert(name.clone()) {
        count += 1;
        name = format!("{base}_{count}");
    }
    (name, unit.filter(|unit| !unit.is_empty() && unit.chars().count() <= 32).map(str::to_owned))
}
