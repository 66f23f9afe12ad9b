//! Rows of cells in, a Parquet file out: compressed by Snappy, in groups of 65,536 rows.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use crate::cli::cell::{Cell, Column};
use crate::ingest::parquet::column_type::{ColumnType, TimeType};

/// The rows of a row group, which are buffered in memory until it is written.
const GROUP: usize = 1 << 16;

/// A Parquet file that is written row by row.
pub(super) struct ParquetWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<ColumnBuffer>,
    rows: usize,
}

/// The buffered cells of a column.
struct ColumnBuffer {
    values: Values,
    /// The definition levels: 1 for each cell with a value, 0 for a missing one.
    levels: Vec<i16>,
}

enum Values {
    Text(Vec<ByteArray>),
    Integers(Vec<i64>),
    Reals(Vec<f64>),
    Times(TimeType, Vec<i64>),
}

impl<W: Write + Send> ParquetWriter<W> {
    pub(super) fn new(columns: &[Column], output: W) -> io::Result<Self> {
        let fields = columns.iter().map(field).collect::<Result<_, _>>().map_err(failed)?;
        let schema = Type::group_type_builder("scores").with_fields(fields).build().map_err(failed)?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let file =
            SerializedFileWriter::new(output, Arc::new(schema), Arc::new(properties)).map_err(failed)?;
        let columns = columns.iter().map(|column| ColumnBuffer::of(column.column_type)).collect();
        Ok(Self { file, columns, rows: 0 })
    }

    pub(super) fn write(&mut self, cells: &[Cell]) -> io::Result<()> {
        self.columns.iter_mut().zip(cells).for_each(|(held, cell)| held.push(cell));
        self.rows += 1;
        if self.rows == GROUP { self.flush() } else { Ok(()) }
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.rows > 0 {
            self.flush()?;
        }
        let mut output = self.file.into_inner().map_err(failed)?;
        output.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.rows = 0;
        let mut group = self.file.next_row_group().map_err(failed)?;
        self.columns.iter_mut().try_for_each(|held| held.write(&mut group)).map_err(failed)?;
        group.close().map_err(failed)?;
        Ok(())
    }
}

/// The schema's field for a column. It is optional, since every cell may be missing.
fn field(column: &Column) -> Result<Arc<Type>, ParquetError> {
    let (physical, logical) = match column.column_type {
        ColumnType::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        ColumnType::Integer => (Physical::INT64, None),
        ColumnType::Real => (Physical::DOUBLE, None),
        ColumnType::Time(TimeType { nanoseconds, is_utc }) => {
            let unit = match nanoseconds {
                1 => TimeUnit::NANOS,
                1000 => TimeUnit::MICROS,
                _ => TimeUnit::MILLIS,
            };
            (Physical::INT64, Some(LogicalType::timestamp(is_utc, unit)))
        }
    };
    let field = Type::primitive_type_builder(&column.name, physical);
    field.with_repetition(Repetition::OPTIONAL).with_logical_type(logical).build().map(Arc::new)
}

impl ColumnBuffer {
    fn of(column_type: ColumnType) -> Self {
        let values = match column_type {
            ColumnType::Text => Values::Text(Vec::new()),
            ColumnType::Integer => Values::Integers(Vec::new()),
            ColumnType::Real => Values::Reals(Vec::new()),
            ColumnType::Time(time) => Values::Times(time, Vec::new()),
        };
        Self { values, levels: Vec::new() }
    }

    /// Append a cell. It is missing where it is empty or not of the column's type. Kept cells come from a
    /// column of the same type.
    fn push(&mut self, cell: &Cell) {
        let text = cell.text();
        let is_there = !text.is_empty()
            && match &mut self.values {
                Values::Text(values) => pushed(values, Some(text.as_str().into())),
                Values::Integers(values) => pushed(values, text.parse().ok()),
                Values::Reals(values) => pushed(values, text.parse().ok()),
                Values::Times(time, values) => pushed(values, units(&text, *time)),
            };
        self.levels.push(i16::from(is_there));
    }

    fn write<W: Write + Send>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        let levels = std::mem::take(&mut self.levels);
        match &mut self.values {
            Values::Text(values) => written::<ByteArrayType, W>(group, values, &levels),
            Values::Integers(values) | Values::Times(_, values) => {
                written::<Int64Type, W>(group, values, &levels)
            }
            Values::Reals(values) => written::<DoubleType, W>(group, values, &levels),
        }
    }
}

fn pushed<T>(values: &mut Vec<T>, value: Option<T>) -> bool {
    let is_there = value.is_some();
    values.extend(value);
    is_there
}

/// The time since 1970 in the type's unit; `None` where the text is not a time.
fn units(text: &str, time: TimeType) -> Option<i64> {
    let instant = if time.is_utc {
        text.parse::<Timestamp>().ok()?
    } else {
        text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp()
    };
    i64::try_from(instant.as_nanosecond() / i128::from(time.nanoseconds)).ok()
}

fn written<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &mut Vec<T::T>,
    levels: &[i16],
) -> Result<(), ParquetError> {
    let mut column = group.next_column()?.expect("as many columns as the schema has");
    column.typed::<T>().write_batch(&std::mem::take(values), Some(levels), None)?;
    column.close()
}

/// Convert an error, but keep an I/O error as it is: callers do not treat a closed pipe as a failure.
fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        other => io::Error::new(ErrorKind::InvalidData, other.to_string()),
    }
}
