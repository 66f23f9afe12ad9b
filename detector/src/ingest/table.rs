//! A CSV, NDJSON or Parquet file of numeric columns in, blocks of rows out: what `train` and `score` read, one block in memory at a time.

use std::fs::Metadata;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use crd::source::TimeFormat;
use forest::cell;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use crate::ingest::ndjson::Ndjson;
use crate::ingest::parquet;
use crate::ingest::parquet::column_type::ColumnType;
#[cfg(feature = "parquet")]
use crate::ingest::parquet::reader::Parquet;
use crate::ingest::sources::delimited::{self, CsvError, Problem, Rows};
use crate::ingest::sources::timestamp::TimeParser;

/// The columns that are left out by default: they are seldom measurements.
pub const NO_MEASUREMENTS: [&str; 2] = [TIMESTAMP, "label"];
/// The column that has the times.
const TIMESTAMP: &str = "timestamp";

/// Which columns of a file to read.
pub enum Selection<'a> {
    /// The columns with these names, in this order.
    Named(&'a [String]),
    /// All columns except these, in the file's order. Each of these names must exist.
    AllBut(&'a [String]),
    /// All columns except [`NO_MEASUREMENTS`], which need not exist.
    Measurements,
    /// All columns except [`NO_MEASUREMENTS`] and these. Each of these names must exist.
    MeasurementsBut(&'a [String]),
}

/// A file of numeric columns, read in blocks of rows.
pub struct Table {
    rows: Rows,
    columns: Vec<usize>,
    names: Vec<String>,
    line: ProgressBar,
    may_miss: bool,
    times: Option<Times>,
    labels: Option<Labels>,
    kept: Vec<usize>,
    kept_cells: Vec<String>,
    /// The types of the file's columns, where it has types.
    types: Vec<ColumnType>,
}

/// The labels of the rows read so far: whether each row is anomalous.
struct Labels {
    column: usize,
    read: Vec<bool>,
}

/// The times of the rows read so far, from the column `timestamp`.
struct Times {
    column: usize,
    /// None before the first row.
    parser: Option<TimeParser>,
    read: Result<Vec<Timestamp>, CsvError>,
}

impl Table {
    /// Open the file, `-` for the standard input, and find the columns in its header. On a terminal, a bar shows how
    /// much of the file has been read.
    ///
    /// # Errors
    /// The file cannot be read, or lacks a column.
    pub fn open(path: &Path, selection: &Selection) -> Result<Self, CsvError> {
        let (Typed { rows, types }, line) = if path == Path::new("-") {
            (rows("standard input", None, io::stdin())?, ProgressBar::hidden())
        } else {
            let file = delimited::open(path)?;
            let metadata = file.metadata().ok();
            let line = bar(metadata.as_ref().map_or(0, Metadata::len));
            let seekable = metadata.filter(Metadata::is_file).map(|_| path);
            (rows(&path.display().to_string(), seekable, line.wrap_read(file))?, line)
        };
        let columns = selection.columns(&rows)?;
        let names = columns.iter().map(|column| rows.header()[*column].clone()).collect();
        Ok(Self {
            rows,
            columns,
            names,
            line,
            may_miss: false,
            times: None,
            labels: None,
            kept: Vec::new(),
            kept_cells: Vec::new(),
            types,
        })
    }

    /// The same file, whose cells may be empty, `NaN`, `NA` or `null`: they are NaN then, and not refused.
    #[must_use]
    pub fn with_missing(self) -> Self {
        Self { may_miss: true, ..self }
    }

    /// The same file, whose times are read too where it has a column `timestamp`.
    #[must_use]
    pub fn with_times(self) -> Self {
        let column = self.rows.header().iter().position(|name| name == TIMESTAMP);
        let times = column.map(Times::of);
        Self { times, ..self }
    }

    /// The same file, whose times are in this column.
    ///
    /// # Errors
    /// There is no such column.
    pub fn with_times_of(self, name: &str) -> Result<Self, CsvError> {
        let times = Some(Times::of(self.rows.column(name)?));
        Ok(Self { times, ..self })
    }

    /// The same file, whose labels are in this column: 0, false or normal; 1, true or anomalous.
    ///
    /// # Errors
    /// There is no such column.
    pub fn with_label(self, name: &str) -> Result<Self, CsvError> {
        let labels = Some(Labels { column: self.rows.column(name)?, read: Vec::new() });
        Ok(Self { labels, ..self })
    }

    /// The same file, with the cells of these columns kept too, as text.
    ///
    /// # Errors
    /// There is no such column.
    pub fn with_kept(self, names: &[String]) -> Result<Self, CsvError> {
        let kept = self.rows.columns(names)?;
        Ok(Self { kept, ..self })
    }

    /// The kept cells of the rows read since the last call, row after row.
    pub fn take_kept(&mut self) -> Vec<String> {
        std::mem::take(&mut self.kept_cells)
    }

    /// The types of the kept columns.
    pub fn kept_types(&self) -> Vec<ColumnType> {
        self.kept.iter().map(|column| self.types.get(*column).copied().unwrap_or(ColumnType::Text)).collect()
    }

    /// Whether the file has a column of this name.
    pub fn has(&self, name: &str) -> bool {
        self.rows.header().iter().any(|column| column == name)
    }

    /// The labels of the rows read so far; empty where none are read.
    pub fn labels(&mut self) -> Vec<bool> {
        self.labels.take().map_or(Vec::new(), |labels| labels.read)
    }

    /// The times of the rows read so far; none where the file has no column `timestamp`.
    ///
    /// # Errors
    /// A cell of the column is no time, or before the one above it.
    pub fn times(&mut self) -> Result<Option<Vec<Timestamp>>, CsvError> {
        self.times.take().map(|times| times.read).transpose()
    }

    /// The names of the columns that are read, in order.
    pub fn columns(&self) -> &[String] {
        &self.names
    }

    /// The cells of the next `most` rows, in row-major order; fewer at the end of the file, and then none.
    /// Each cell is finite, also as a 32-bit float, or NaN where it is missing and missing cells are
    /// accepted.
    ///
    /// # Errors
    /// The file cannot be read, or a cell is missing or no such number.
    pub fn block(&mut self, most: usize) -> Result<Vec<f64>, CsvError> {
        let mut cells = Vec::with_capacity(self.columns.len() * most.min(1 << 16));
        for _ in 0..most {
            if !self.rows.advance()? {
                self.line.finish_and_clear();
                break;
            }
            if let Some(times) = &mut self.times {
                times.push(&self.rows);
            }
            if let Some(labels) = &mut self.labels {
                labels.push(&self.rows)?;
            }
            for column in &self.kept {
                self.kept_cells.push(self.rows.words(*column)?.to_owned());
            }
            for column in &self.columns {
                let value = self.rows.number(*column)?;
                if value.is_none() && self.may_miss {
                    cells.push(f64::NAN);
                    continue;
                }
                let value = value.ok_or_else(|| self.rows.unexpected(*column, "a number"))?;
                cell(value).ok_or_else(|| self.rows.unexpected(*column, "a number within ±3.4e38"))?;
                cells.push(value);
            }
        }
        Ok(cells)
    }

    /// The cells of all rows that are not read yet.
    ///
    /// # Errors
    /// As [`Table::block`], or there are no rows left.
    pub fn rest(&mut self) -> Result<Vec<f64>, CsvError> {
        let cells = self.block(usize::MAX)?;
        if cells.is_empty() { Err(self.rows.refused_whole(Problem::NoRows)) } else { Ok(cells) }
    }
}

impl Labels {
    fn push(&mut self, rows: &Rows) -> Result<(), CsvError> {
        let text = rows.text(self.column);
        let label = match text.to_ascii_lowercase().as_str() {
            "0" | "0.0" | "false" | "normal" => Some(false),
            "1" | "1.0" | "true" | "anomalous" => Some(true),
            _ => None,
        };
        let expected = "0 (normal) or 1 (anomalous)";
        self.read.push(label.ok_or_else(|| rows.unexpected(self.column, expected))?);
        Ok(())
    }
}

impl Times {
    fn of(column: usize) -> Self {
        Self { column, parser: None, read: Ok(Vec::new()) }
    }

    /// Read the row's time. After the first cell that is not a time, no more times are read.
    fn push(&mut self, rows: &Rows) {
        let Ok(read) = &mut self.read else { return };
        match time(rows, self.column, &mut self.parser, read.last().copied()) {
            Ok(time) => read.push(time),
            Err(error) => self.read = Err(error),
        }
    }
}

fn time(
    rows: &Rows,
    column: usize,
    parser: &mut Option<TimeParser>,
    last: Option<Timestamp>,
) -> Result<Timestamp, CsvError> {
    let text = rows.text(column);
    let parser = match parser {
        Some(parser) => parser,
        None => parser.insert(
            TimeParser::new(&TimeFormat::Auto, None, &text)
                .map_err(|expected| rows.unexpected(column, expected))?,
        ),
    };
    let time = parser.parse(&text).ok_or_else(|| rows.unexpected(column, parser.expected()))?;
    let rises = last.is_none_or(|last| time >= last);
    if rises { Ok(time) } else { Err(rows.unexpected(column, "a time not before the row above")) }
}

impl Selection<'_> {
    /// The positions of the columns.
    fn columns(&self, rows: &Rows) -> Result<Vec<usize>, CsvError> {
        let left_out = match self {
            Self::Named(names) => return rows.columns(names),
            Self::AllBut(names) | Self::MeasurementsBut(names) => rows.columns(names)?,
            Self::Measurements => Vec::new(),
        };
        let measures =
            |name: &String| matches!(self, Self::AllBut(_)) || !NO_MEASUREMENTS.contains(&name.as_str());
        let all = 0..rows.header().len();
        let columns: Vec<usize> =
            all.filter(|column| !left_out.contains(column) && measures(&rows.header()[*column])).collect();
        match columns[..] {
            [] => Err(rows.refused_whole(Problem::NoColumns)),
            _ => columns.iter().map(|column| rows.column(&rows.header()[*column])).collect(),
        }
    }
}

/// Rows, and the types of their columns where they have types.
struct Typed {
    rows: Rows,
    types: Vec<ColumnType>,
}

/// The rows of delimited text, of JSON objects (text that begins with a brace), or of Parquet. `file` is the
/// path of the input, where it allows random access.
fn rows(name: &str, file: Option<&Path>, input: impl Read + Send + 'static) -> Result<Typed, CsvError> {
    let mut input = BufReader::new(input);
    let head = input.fill_buf().unwrap_or_default();
    let (is_json, is_parquet) = (head.trim_ascii_start().starts_with(b"{"), head.starts_with(parquet::MAGIC));
    if is_parquet && cfg!(feature = "parquet") {
        return parquet_rows(name, file, input);
    }
    let rows = if is_json {
        Rows::new(name, Ndjson::new(input))?.without_header_line()
    } else {
        Rows::new(name, input)?
    };
    Ok(Typed { rows, types: Vec::new() })
}

#[cfg(feature = "parquet")]
fn parquet_rows(name: &str, file: Option<&Path>, mut input: impl Read) -> Result<Typed, CsvError> {
    let refused = |error| CsvError::of_file(name, error);
    // The index of a Parquet file is at its end: input from a pipe is copied to a temporary file first.
    let mut kept = || {
        let mut kept = tempfile::tempfile()?;
        io::copy(&mut input, &mut kept).map(|_| kept)
    };
    let file = if let Some(file) = file { delimited::open(file)? } else { kept().map_err(refused)? };
    let parquet = Parquet::open(file).map_err(refused)?;
    Ok(Typed { types: parquet.types(), rows: Rows::new(name, parquet)?.without_header_line() })
}

#[cfg(not(feature = "parquet"))]
fn parquet_rows(name: &str, _: Option<&Path>, input: impl Read + Send + 'static) -> Result<Typed, CsvError> {
    Ok(Typed { rows: Rows::new(name, input)?, types: Vec::new() })
}

/// A progress bar for this many bytes; indicatif shows it on a terminal only.
fn bar(bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("reading {wide_bar} {bytes}/{total_bytes}, {eta} left")
        .expect("the template is well-formed: a test opens a table");
    ProgressBar::new(bytes).with_style(style)
}

#[cfg(test)]
mod tests;
