//! A file of delimited text in, rows of cells out: plain or gzipped, of any size, one row in memory at a time.
//!
//! The first line is the header. Cells are separated by commas, semicolons, tabs or `|`: by the one that is
//! most frequent in the header, the comma in a tie. Quotes are those of RFC 4180; a byte order mark, CRLF,
//! blank lines and spaces around cells are ignored. Text is UTF-8, or UTF-16 with a byte order mark; cells
//! that are not read may be in any encoding.

/// The errors of a file.
mod problem;
/// Numbers, and the words for missing values.
pub mod number;
/// UTF-16 text.
mod utf16;

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use csv::{ByteRecord, ReaderBuilder, Terminator};
use flate2::bufread::MultiGzDecoder;

use self::number::NumberFormat;
pub use problem::{CsvError, Problem};
use problem::{MAX_ROW_BYTES, escaped, shortened};
use utf16::Utf16;

use crate::ingest::parquet;

const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The rows of a file, one after another.
pub struct Rows {
    file: String,
    header: Vec<String>,
    /// The names that are not UTF-8: the column's index, and the escaped bytes.
    odd_names: Vec<(usize, String)>,
    reader: csv::Reader<Box<dyn Read + Send>>,
    row: ByteRecord,
    numbers: NumberFormat,
    delimiter: u8,
    since_row: Arc<AtomicU64>,
    /// Whether messages leave out the content of the file.
    is_redacted: bool,
    /// Whether the header is not a line of the file, as in NDJSON and Parquet.
    has_no_header_line: bool,
}

/// Open a file of delimited text, without reading it.
///
/// # Errors
/// There is no such file, it is a directory, or it cannot be opened.
pub fn open(path: &Path) -> Result<File, CsvError> {
    let refused = |problem| CsvError { file: path.display().to_string(), line: None, problem };
    let file = File::open(path).map_err(|error| refused(Problem::of(error)))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => Err(refused(Problem::Directory)),
        _ => Ok(file),
    }
}

impl Rows {
    /// Read the header of `input`, which messages call `file`.
    ///
    /// # Errors
    /// The input cannot be read, is empty, or is no text.
    pub fn new(file: &str, input: impl Read + Send + 'static) -> Result<Self, CsvError> {
        let refused = |line, problem| CsvError { file: file.to_owned(), line, problem };
        let mut text = unpacked(input).map_err(|error| refused(None, Problem::of(error)))?;
        let head = text.fill_buf().map_err(|error| refused(None, Problem::of(error)))?;
        check_text(head).map_err(|problem| refused(None, problem))?;
        let mut first = Vec::new();
        let limited = Read::take(&mut text, MAX_ROW_BYTES).read_until(b'\n', &mut first);
        limited.map_err(|error| refused(Some(1), Problem::of(error)))?;
        if first.len() as u64 >= MAX_ROW_BYTES {
            return Err(refused(Some(1), Problem::LongRow));
        }
        let since_row = Arc::new(AtomicU64::new(0));
        let delimiter = delimiter(&first);
        // The last line gets a line end even if the file has none there, so that there are as many lines as
        // line ends.
        let whole =
            Cursor::new(first).chain(Metered { text, since_row: since_row.clone() }).chain(&b"\n"[..]);
        let reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .terminator(Terminator::Any(b'\n'))
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(64 << 10)
            .from_reader(Box::new(whole) as Box<dyn Read + Send>);
        let mut rows = Self {
            file: file.to_owned(),
            header: Vec::new(),
            odd_names: Vec::new(),
            reader,
            row: ByteRecord::new(),
            numbers: NumberFormat::default(),
            delimiter,
            since_row,
            is_redacted: false,
            has_no_header_line: false,
        };
        if !rows.read()? {
            return Err(refused(None, Problem::Empty));
        }
        rows.header = (0..rows.row.len()).map(|column| rows.text(column).into_owned()).collect();
        rows.odd_names = (0..rows.row.len())
            .filter(|column| rows.exact(*column).is_none())
            .map(|column| (column, escaped(&rows.row[column])))
            .collect();
        Ok(rows)
    }

    /// The name of the file in messages.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What separates its cells.
    pub fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// Set the number format of the rows from here on.
    pub fn set_number_format(&mut self, numbers: NumberFormat) {
        self.numbers = numbers;
    }

    /// The same rows, with messages that repeat neither cells nor the header: for a file whose content the
    /// readers of the log must not see.
    #[must_use]
    pub fn redacted(self, is_redacted: bool) -> Self {
        Self { is_redacted, ..self }
    }

    /// The same rows, of a file that has no line for the header: lines are counted without it.
    #[must_use]
    pub fn without_header_line(self) -> Self {
        Self { has_no_header_line: true, ..self }
    }

    /// The names of the columns.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The position of the column of this name.
    ///
    /// # Errors
    /// The header does not name it, or more than once.
    pub fn column(&self, name: &str) -> Result<usize, CsvError> {
        let mut places = (0..self.header.len()).filter(|place| self.header[*place] == name);
        let odd = |place: Option<usize>| {
            let found = self.odd_names.iter().find(|odd| place.is_none_or(|place| place == odd.0))?;
            let got = if self.is_redacted { "other bytes".to_owned() } else { found.1.clone() };
            Some(Problem::Encoding { place: format!("the name of column {}", found.0 + 1), got })
        };
        let problem = match (places.next(), places.next()) {
            (Some(place), None) => match odd(Some(place)) {
                None => return Ok(place),
                Some(problem) => problem,
            },
            (None, _) if !self.odd_names.is_empty() => odd(None).expect("there is one"),
            (Some(_), Some(_)) => Problem::ManyColumns(name.to_owned()),
            (None, _) if self.is_redacted => {
                Problem::NoColumnOf { name: name.to_owned(), count: self.header.len() }
            }
            (None, _) => Problem::NoColumn { name: name.to_owned(), there: self.header.clone() },
        };
        Err(CsvError { file: self.file.clone(), line: Some(1), problem })
    }

    /// The positions of the columns of these names, in their order.
    ///
    /// # Errors
    /// The header does not name some of them, or names one more than once.
    pub fn columns(&self, names: &[String]) -> Result<Vec<usize>, CsvError> {
        let missing: Vec<String> = names.iter().filter(|name| !self.header.contains(name)).cloned().collect();
        if missing.len() < 2 || !self.odd_names.is_empty() {
            return names.iter().map(|name| self.column(name)).collect();
        }
        let problem = Problem::NoneOfColumns { names: missing, there: self.header.clone() };
        Err(CsvError { file: self.file.clone(), line: Some(1), problem })
    }

    /// Go to the next row; false after the last.
    ///
    /// # Errors
    /// The input cannot be read, or the row has not as many cells as the header.
    pub fn advance(&mut self) -> Result<bool, CsvError> {
        let more = self.read()?;
        if more && self.row.len() != self.header.len() {
            return Err(self.refused(Problem::Ragged { expected: self.header.len(), got: self.row.len() }));
        }
        Ok(more)
    }

    /// The cell of this row in this column; bytes that are not UTF-8 are replaced.
    pub fn text(&self, column: usize) -> Cow<'_, str> {
        String::from_utf8_lossy(self.row[column].trim_ascii())
    }

    /// The cell of this row in this column, which must be UTF-8: for a cell that is used as text.
    ///
    /// # Errors
    /// The cell is not UTF-8.
    pub fn words(&self, column: usize) -> Result<&str, CsvError> {
        self.exact(column).ok_or_else(|| self.unexpected(column, "UTF-8"))
    }

    fn exact(&self, column: usize) -> Option<&str> {
        str::from_utf8(self.row[column].trim_ascii()).ok()
    }

    /// The number in this cell; `None` where it is missing (empty, `NaN`, `NA`, `null`).
    ///
    /// # Errors
    /// The cell is no finite number.
    pub fn number(&self, column: usize) -> Result<Option<f64>, CsvError> {
        self.numbers.read(&self.text(column)).map_err(|expected| self.unexpected(column, expected))
    }

    /// Whether this cell is missing: empty, or a word for a missing value.
    pub fn is_null(&self, column: usize) -> bool {
        self.numbers.is_null(&self.text(column))
    }

    /// The line on which this row ends.
    pub fn line(&self) -> u64 {
        self.reader.position().line().saturating_sub(1)
    }

    /// The error that this row's cell is not what its column should hold.
    pub fn unexpected(&self, column: usize, expected: impl Into<Cow<'static, str>>) -> CsvError {
        let (text, mut expected) = (self.text(column), expected.into());
        let is_odd = self.exact(column).is_none();
        if self.is_redacted {
            if is_odd {
                expected = "UTF-8".into();
            }
            let (column, characters) = (self.header[column].clone(), text.chars().count());
            return self.refused(Problem::Withheld { column, expected, characters });
        }
        if is_odd {
            let (place, got) = (format!("column {:?}", self.header[column]), escaped(&self.row[column]));
            return self.refused(Problem::Encoding { place, got });
        }
        let got = shortened(&text);
        self.refused(Problem::Cell { column: self.header[column].clone(), expected, got })
    }

    /// The error that this row cannot be used.
    pub fn refused(&self, problem: Problem) -> CsvError {
        // The reader is past the row and its line end; the message names the line on which the row starts.
        let within: usize = self.row.iter().map(|cell| cell.split(|byte| *byte == b'\n').count() - 1).sum();
        let line = self.line().saturating_sub(within as u64 + u64::from(self.has_no_header_line));
        CsvError { file: self.file.clone(), line: Some(line.max(1)), problem }
    }

    /// The error that the whole file cannot be used.
    pub fn refused_whole(&self, problem: Problem) -> CsvError {
        CsvError { file: self.file.clone(), line: None, problem }
    }

    /// Read the next record that is not blank; return false after the last.
    fn read(&mut self) -> Result<bool, CsvError> {
        loop {
            self.since_row.store(0, Ordering::Relaxed);
            match self.reader.read_byte_record(&mut self.row) {
                Ok(false) => return Ok(false),
                // In a file that is not text, such as Parquet, each record is a row, also a blank one.
                Ok(true)
                    if !self.has_no_header_line
                        && self.row.len() == 1
                        && self.row[0].trim_ascii().is_empty() => {}
                Ok(true) => return Ok(true),
                Err(error) => return Err(self.broken(error)),
            }
        }
    }

    /// The error that reading failed in the middle of a row.
    fn broken(&self, error: csv::Error) -> CsvError {
        let problem = match error.into_kind() {
            csv::ErrorKind::Io(error) => Problem::of(error),
            other => Problem::Unreadable(io::Error::other(format!("{other:?}"))),
        };
        // The readers of NDJSON and Parquet write the place into the message.
        let line = (!self.has_no_header_line).then(|| self.reader.position().line());
        CsvError { file: self.file.clone(), line, problem }
    }
}

/// A reader that fails after more than [`MAX_ROW_BYTES`] bytes since the last row.
struct Metered<R> {
    text: R,
    since_row: Arc<AtomicU64>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read(buffer)?;
        let before = self.since_row.fetch_add(read as u64, Ordering::Relaxed);
        if before > MAX_ROW_BYTES { Err(ErrorKind::FileTooLarge.into()) } else { Ok(read) }
    }
}

/// gzip is known by its first two bytes, whatever the file is called.
fn unpacked(input: impl Read + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    let mut input = BufReader::new(input);
    if input.fill_buf()?.starts_with(&[0x1F, 0x8B]) {
        decoded(BufReader::new(MultiGzDecoder::new(input)))
    } else {
        decoded(input)
    }
}

/// UTF-16 is known by its byte order mark.
fn decoded(mut input: impl BufRead + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    Ok(match utf16::order(input.fill_buf()?) {
        Some(order) => Box::new(BufReader::new(Utf16::new(input, order))),
        None => Box::new(input),
    })
}

/// The first kilobytes must look like text, which has no byte 0.
fn check_text(head: &[u8]) -> Result<(), Problem> {
    if head.starts_with(parquet::MAGIC) {
        return Err(Problem::Parquet);
    }
    if head.contains(&0) { Err(Problem::Binary) } else { Ok(()) }
}

/// The delimiter that the line has most of outside quotes, the earliest of [`DELIMITERS`] in a tie.
fn delimiter(line: &[u8]) -> u8 {
    let mut counts = [0; DELIMITERS.len()];
    let mut quoted = false;
    for byte in line {
        quoted ^= *byte == b'"';
        if let Some(place) = DELIMITERS.iter().position(|delimiter| delimiter == byte && !quoted) {
            counts[place] += 1;
        }
    }
    let most = (0..DELIMITERS.len()).rev().max_by_key(|place| counts[*place]);
    most.map_or(b',', |place| DELIMITERS[place])
}

#[cfg(test)]
mod tests;
