//! Rows with their scores in, CSV, NDJSON or Parquet out.

use std::io::{self, Write};
use std::path::Path;

use clap::ValueEnum;

use crate::cli::cell::{Cell, Column};
#[cfg(feature = "parquet")]
use crate::cli::parquet_output::ParquetWriter;
#[cfg(not(feature = "parquet"))]
use crate::ingest::parquet;

/// How scores are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// A header line and comma-separated rows.
    Csv,
    /// One JSON object per line.
    Ndjson,
    /// A Parquet file, in a build with the feature `parquet`.
    Parquet,
}

impl RowFormat {
    /// The format of a file by its extension; `None` where the extension does not decide it.
    pub fn of_file(path: &Path) -> Option<Self> {
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        match extension.to_str() {
            Some("ndjson" | "jsonl") => Some(Self::Ndjson),
            Some("parquet") => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// A writer of rows in one of the formats.
pub struct RowWriter<W: Write + Send> {
    columns: Vec<Column>,
    format: Format<W>,
}

enum Format<W: Write + Send> {
    Csv(Box<csv::Writer<W>>),
    Ndjson(W),
    #[cfg(feature = "parquet")]
    Parquet(Box<ParquetWriter<W>>),
}

impl<W: Write + Send> RowWriter<W> {
    /// Create a writer, and write the header where the format has one.
    ///
    /// # Errors
    /// The header cannot be written, or the format is Parquet and the build does not have it.
    pub fn new(format: RowFormat, columns: Vec<Column>, output: W) -> io::Result<Self> {
        let format = match format {
            RowFormat::Ndjson => Format::Ndjson(output),
            RowFormat::Csv => {
                let mut writer = csv::Writer::from_writer(output);
                writer.write_record(columns.iter().map(|column| &column.name)).map_err(io_error)?;
                Format::Csv(Box::new(writer))
            }
            #[cfg(feature = "parquet")]
            RowFormat::Parquet => Format::Parquet(Box::new(ParquetWriter::new(&columns, output)?)),
            #[cfg(not(feature = "parquet"))]
            RowFormat::Parquet => return Err(io::Error::new(io::ErrorKind::Unsupported, parquet::WITHOUT)),
        };
        Ok(Self { columns, format })
    }

    /// Write one row, which has one cell for each column.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, cells: &[Cell]) -> io::Result<()> {
        match &mut self.format {
            Format::Csv(writer) => writer.write_record(cells.iter().map(Cell::text)).map_err(io_error),
            Format::Ndjson(output) => {
                for (at, (Column { name, .. }, cell)) in self.columns.iter().zip(cells).enumerate() {
                    let separator = if at == 0 { "{" } else { "," };
                    write!(output, "{separator}{}:{}", serde_json::Value::from(name.as_str()), cell.json())?;
                }
                writeln!(output, "}}")
            }
            #[cfg(feature = "parquet")]
            Format::Parquet(writer) => writer.write(cells),
        }
    }

    /// Write the end of the output, and flush it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> io::Result<()> {
        match self.format {
            Format::Csv(mut writer) => writer.flush(),
            Format::Ndjson(mut output) => output.flush(),
            #[cfg(feature = "parquet")]
            Format::Parquet(writer) => writer.finish(),
        }
    }
}

/// Convert an error, but keep an I/O error as it is: callers do not treat a closed pipe as a failure.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::parquet::column_type::ColumnType;

    fn written(format: RowFormat) -> String {
        let columns =
            ["id", "score", "anomaly", "sensor"].map(|name| Column::new(name, ColumnType::Text)).to_vec();
        let mut bytes = Vec::new();
        let mut rows = RowWriter::new(format, columns, &mut bytes).unwrap();
        let row =
            [Cell::Kept("7".to_owned()), Cell::Number(0.5), Cell::Flag(true), Cell::Word("a,\"b".to_owned())];
        rows.write(&row).unwrap();
        rows.write(&[Cell::Kept("x".to_owned()), Cell::Missing, Cell::Missing, Cell::Missing]).unwrap();
        rows.finish().unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn rows_are_text_or_json() {
        assert_eq!(written(RowFormat::Csv), "id,score,anomaly,sensor\n7,0.5,1,\"a,\"\"b\"\nx,,,\n");
        assert_eq!(
            written(RowFormat::Ndjson),
            "{\"id\":7,\"score\":0.5,\"anomaly\":1,\"sensor\":\"a,\\\"b\"}\n{\"id\":\"x\",\"score\":null,\"anomaly\":null,\"sensor\":null}\n"
        );
    }
}
