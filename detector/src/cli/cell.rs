//! What a row of an output is made of: a cell, and the column that it stands in.

use crate::ingest::parquet::column_type::ColumnType;

/// What is in a column of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing: it is not known.
    Missing,
    /// A number.
    Number(f64),
    /// 0 or 1.
    Flag(bool),
    /// A text of the program's own.
    Word(String),
    /// A cell of the input, as it stands there: in JSON a number where it is one.
    Kept(String),
}

/// A column of the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What a format with types has of it.
    pub column_type: ColumnType,
}

impl Column {
    /// Of this name and type.
    pub fn new(name: impl Into<String>, column_type: ColumnType) -> Self {
        Self { name: name.into(), column_type }
    }
}

impl Cell {
    /// As text; nothing where it is missing.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Missing => String::new(),
            Self::Number(number) => number.to_string(),
            Self::Flag(is) => u8::from(*is).to_string(),
            Self::Word(text) | Self::Kept(text) => text.clone(),
        }
    }

    /// As JSON.
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
