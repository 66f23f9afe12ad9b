//! The errors of a file of delimited text: the place, and one sentence.

use std::borrow::Cow;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use thiserror::Error;

use crate::excerpt::excerpt;
use crate::ingest::parquet;

/// The longest row, in bytes. An unclosed quote ends here, not at the end of the memory.
pub(super) const MAX_ROW_BYTES: u64 = 16 << 20;
/// The most columns, and the most characters of a cell, that a message shows.
const SHOWN: usize = 40;

/// Why a file of delimited text cannot be read: where, and one sentence.
#[derive(Debug, Error)]
#[error("{file}{}: {problem}", .line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct CsvError {
    pub(in crate::ingest::sources) file: String,
    /// Counted from 1; `None` where the whole file is meant.
    pub(in crate::ingest::sources) line: Option<u64>,
    pub(in crate::ingest::sources) problem: Problem,
}

impl CsvError {
    /// The whole file cannot be read.
    pub fn of_file(file: &str, error: io::Error) -> Self {
        Self { file: file.to_owned(), line: None, problem: Problem::of(error) }
    }
}

/// What is wrong.
#[derive(Debug, Error)]
pub enum Problem {
    /// No such file.
    #[error("no such file")]
    NoFile,
    /// The path leads out of the folder of recordings.
    #[error("must be a file in {}", .0.display())]
    Outside(PathBuf),
    /// The header has none of the columns that the spec names.
    #[error("the first line has none of the columns that the spec names: is it a CSV file?")]
    Foreign,
    /// A directory.
    #[error("expected a CSV file, got a directory")]
    Directory,
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(#[source] io::Error),
    /// The end of a gzip stream is missing.
    #[error("the gzip stream is truncated")]
    CutShort,
    /// Nothing in it.
    #[error("expected a header line, got an empty file")]
    Empty,
    /// Nothing but the header in it.
    #[error("expected rows after the header, got none")]
    NoRows,
    /// Not text.
    #[error("expected CSV text, got binary data")]
    Binary,
    /// A Parquet file, where text is read.
    #[error("expected CSV text, got Parquet: {}", if cfg!(feature = "parquet") { "score, train, evaluate and compare read it" } else { parquet::WITHOUT })]
    Parquet,
    /// Text that is neither UTF-8 nor has a byte order mark: the place in the line, and its bytes.
    #[error("{place}: expected UTF-8, got \"{got}\": convert the file, as by iconv -f latin1 -t utf-8")]
    Encoding {
        /// The column, or the name of a column.
        place: String,
        /// What was there, with `\xe9` for a byte that is no ASCII.
        got: String,
    },
    /// A row longer than 16 MiB (`MAX_ROW_BYTES`).
    #[error("a row must be at most {MAX_ROW_BYTES} bytes: is a quote left open?")]
    LongRow,
    /// A row with more or fewer cells than the header.
    #[error("expected {expected} cells as in the header, got {got}")]
    Ragged {
        /// Cells in the header.
        expected: usize,
        /// Cells in the row.
        got: usize,
    },
    /// A column that the header does not name.
    #[error("no column {name:?}; there are {}", list(.there))]
    NoColumn {
        /// The name that was asked for.
        name: String,
        /// The names in the header.
        there: Vec<String>,
    },
    /// Several columns that the header does not name.
    #[error("no columns {}; there are {}", list(.names), list(.there))]
    NoneOfColumns {
        /// The names that were asked for, and are not there.
        names: Vec<String>,
        /// The names in the header.
        there: Vec<String>,
    },
    /// A column that the header does not name, in a message that does not repeat the header.
    #[error("no column {name:?} among the {count} of the first line")]
    NoColumnOf {
        /// The name that was asked for.
        name: String,
        /// How many names the header has.
        count: usize,
    },
    /// No column is left to be read.
    #[error("expected a column of measurements, got none")]
    NoColumns,
    /// A column that the header names more than once.
    #[error("expected one column {0:?}, got several")]
    ManyColumns(String),
    /// A cell that is not what its column holds.
    #[error("column {column:?}: expected {expected}, got {got:?}")]
    Cell {
        /// The column.
        column: String,
        /// What was expected.
        expected: Cow<'static, str>,
        /// What was there.
        got: String,
    },
    /// A cell that is not what its column should hold, in a message that does not repeat the cell.
    #[error("column {column:?}: expected {expected}, got {characters} characters of something else")]
    Withheld {
        /// The column.
        column: String,
        /// What was expected.
        expected: Cow<'static, str>,
        /// The number of characters in the cell.
        characters: usize,
    },
    /// A timestamp before that of the row above.
    #[error("column {column:?}: timestamps must not fall, got {got:?} after {before:?}")]
    Falling {
        /// The column.
        column: String,
        /// The timestamp.
        got: String,
        /// The timestamp of the row above.
        before: String,
    },
}

impl Problem {
    /// What an error of the operating system, of gzip or of `Metered` means.
    pub(in crate::ingest::sources) fn of(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::NoFile,
            ErrorKind::IsADirectory => Self::Directory,
            ErrorKind::UnexpectedEof => Self::CutShort,
            ErrorKind::FileTooLarge => Self::LongRow,
            _ => Self::Unreadable(error),
        }
    }
}

/// Bytes that are no UTF-8, or as many of them as a message shows.
pub(super) fn escaped(bytes: &[u8]) -> String {
    shortened(&bytes.escape_ascii().to_string())
}

/// A cell, or as much of it as a message shows.
pub(super) fn shortened(text: &str) -> String {
    excerpt(text, SHOWN)
}

fn list(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| shortened(name)).collect();
    let more = names.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}
