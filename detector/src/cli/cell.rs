//! The parts of an output table: a cell, and the column that it belongs to.

use crate::ingest::parquet::column_type::ColumnType;

/// The value of one column in one row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// No value: it is not known.
    Missing,
    /// A number.
    Number(f64),
    /// 0 or 1.
    Flag(bool),
    /// A text that the program writes, such as the name of a sensor.
    Word(String),
    /// A cell of the input, copied unchanged. In JSON it is a number where it parses as one.
    Kept(String),
}

/// A column of the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name of the column.
    pub name: String,
    /// The type of the cells, for formats that have types (Parquet).
    pub column_type: ColumnType,
}

impl Column {
    /// A column with this name and type.
    pub fn new(name: impl Into<String>, column_type: ColumnType) -> Self {
        Self { name: name.into(), column_type }
    }
}

impl Cell {
    /// Return the cell as text. A missing cell is empty.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Missing => String::new(),
            Self::Number(number) => number.to_string(),
            Self::Flag(is) => u8::from(*is).to_string(),
            Self::Word(text) | Self::Kept(text) => text.clone(),
        }
    }

    /// Return the cell as JSON. A missing cell is null.
    pub(super) fn json(&self) -> serde_json::Value {
        match self {
            Self::Missing => serde_json::Value::Null,
            Self::Number(number) => (*number).into(),
            Self::Flag(is) => u8::from(*is).into(),
            Self::Word(text) => text.as_str().into(),
            Self::Kept(text) => match serde_json::from_str(text) {
                Ok(number @ serde_json::Value::Number(_)) => number,
                _ => text.as_str().into(),
            },
        }
    }
}
