//! A Parquet file in; the same rows as comma-separated text, for the readers of tables, out.
//!
//! Columns of lists, maps and structs are left out, and so are times of the day: no table of readings has a cell for them.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray, Int96};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use super::column_type::{ColumnType, TimeType};

/// How many rows are turned into text at a time.
const BATCH: usize = 4096;
/// A day, in seconds.
const DAY: i64 = 86_400;

/// A Parquet file, read as comma-separated text.
pub struct Parquet<R: ChunkReader> {
    file: SerializedFileReader<R>,
    columns: Vec<Column>,
    readers: Vec<ColumnReader>,
    /// The next row group, counted from 0, and the number of rows left in the current one.
    group: usize,
    left: usize,
    /// Text that is produced and not read yet.
    text: VecDeque<u8>,
}

struct Column {
    /// The index of the column among the leaves of the schema.
    leaf: usize,
    name: String,
    kind: Kind,
    /// Whether a cell may be missing.
    is_optional: bool,
}

/// The type of the cells of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Flag,
    Signed,
    Unsigned,
    Real,
    Half,
    Decimal { scale: u32 },
    Date,
    Time(TimeType),
    Text,
}

/// The cells of a column that are not missing.
enum Values {
    Flags(Vec<bool>),
    Ints(Vec<i32>),
    Longs(Vec<i64>),
    Int96s(Vec<Int96>),
    Floats(Vec<f32>),
    Doubles(Vec<f64>),
    Bytes(Vec<ByteArray>),
    Fixed(Vec<FixedLenByteArray>),
}

/// The cells of a column for the next rows.
struct Cells {
    kind: Kind,
    values: Values,
    /// The definition level of each row: 0 where the cell is missing. Empty where no cell may be missing.
    levels: Vec<i16>,
    /// How many of the values have been taken.
    taken: usize,
}

impl<R: ChunkReader + 'static> Parquet<R> {
    /// Read the schema.
    ///
    /// # Errors
    /// It is no Parquet file, or has no column that a table can have.
    pub fn open(input: R) -> io::Result<Self> {
        let file = SerializedFileReader::new(input).map_err(refused)?;
        let schema = file.metadata().file_metadata().schema_descr_ptr();
        let leaves = schema.columns().iter().enumerate();
        let columns: Vec<Column> = leaves.filter_map(|(leaf, column)| Column::of(leaf, column)).collect();
        if columns.is_empty() {
            return Err(invalid("expected columns of numbers or text in the Parquet file, got none"));
        }
        let mut header = csv::Writer::from_writer(Vec::new());
        header.write_record(columns.iter().map(|column| &column.name))?;
        let text = header.into_inner().map_err(|error| io::Error::other(error.to_string()))?.into();
        Ok(Self { file, columns, readers: Vec::new(), group: 0, left: 0, text })
    }

    /// The types of its columns, in the order of the header.
    pub fn types(&self) -> Vec<ColumnType> {
        self.columns.iter().map(|column| column.kind.column_type()).collect()
    }

    /// Turn the next rows into text; false after the last.
    fn advance(&mut self) -> io::Result<bool> {
        while self.left == 0 {
            if self.group == self.file.num_row_groups() {
                return Ok(false);
            }
            let group = self.file.get_row_group(self.group).map_err(refused)?;
            self.left = usize::try_from(group.metadata().num_rows())
                .map_err(|_| invalid("a row group has a negative number of rows"))?;
            let reader = |column: &Column| group.get_column_reader(column.leaf);
            self.readers = self.columns.iter().map(reader).collect::<Result<_, _>>().map_err(refused)?;
            self.group += 1;
        }
        let rows = self.left.min(BATCH);
        self.left -= rows;
        let mut cells = Vec::with_capacity(self.columns.len());
        for (column, reader) in self.columns.iter().zip(&mut self.readers) {
            cells
                .push(Cells::read(column, reader, rows).map_err(|error| column.refused(&error.to_string()))?);
        }
        let mut writer = csv::Writer::from_writer(std::mem::take(&mut self.text));
        let mut text = String::new();
        for row in 0..rows {
            for (column, cells) in self.columns.iter().zip(&mut cells) {
                text.clear();
                cells.write(row, &mut text).map_err(|why| column.refused(&why))?;
                writer.write_field(&text)?;
            }
            writer.write_record(None::<&[u8]>)?;
        }
        self.text = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        Ok(true)
    }
}

impl Column {
    /// The column of a leaf; none where no cell of a table can hold its type.
    fn of(leaf: usize, column: &ColumnDescriptor) -> Option<Self> {
        let is_flat =
            column.max_rep_level() == 0 && column.max_def_level() <= 1 && column.path().parts().len() == 1;
        let kind = Kind::of(column).filter(|_| is_flat)?;
        Some(Self { leaf, name: column.name().to_owned(), kind, is_optional: column.max_def_level() == 1 })
    }

    fn refused(&self, why: &str) -> io::Error {
        invalid(&format!("column {:?}: {why}", self.name))
    }
}

impl Kind {
    fn of(column: &ColumnDescriptor) -> Option<Self> {
        let instant = |nanoseconds, is_utc| Self::Time(TimeType { nanoseconds, is_utc });
        let scale = |scale: i32| u32::try_from(scale).ok().map(|scale| Self::Decimal { scale });
        match (column.physical_type(), column.logical_type_ref(), column.converted_type()) {
            (_, Some(LogicalType::Decimal(decimal)), _) => scale(decimal.scale),
            (_, _, ConvertedType::DECIMAL) => scale(column.type_scale()),
            (_, Some(LogicalType::Timestamp(time)), _) => {
                let nanoseconds = match time.unit {
                    TimeUnit::MILLIS => 1_000_000,
                    TimeUnit::MICROS => 1000,
                    TimeUnit::NANOS => 1,
                };
                Some(instant(nanoseconds, time.is_adjusted_to_u_t_c))
            }
            (_, _, ConvertedType::TIMESTAMP_MILLIS) => Some(instant(1_000_000, true)),
            (_, _, ConvertedType::TIMESTAMP_MICROS) => Some(instant(1000, true)),
            // Written by older programs of Hadoop: local times of an unknown zone.
            (Type::INT96, ..) => Some(instant(1, false)),
            (_, Some(LogicalType::Time(_)), _)
            | (_, _, ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS) => None,
            (_, Some(LogicalType::Date), _) | (_, _, ConvertedType::DATE) => Some(Self::Date),
            (_, Some(LogicalType::Integer(integer)), _) if !integer.is_signed => Some(Self::Unsigned),
            (
                _,
                _,
                ConvertedType::UINT_8
                | ConvertedType::UINT_16
                | ConvertedType::UINT_32
                | ConvertedType::UINT_64,
            ) => Some(Self::Unsigned),
            (Type::BOOLEAN, ..) => Some(Self::Flag),
            (Type::INT32 | Type::INT64, ..) => Some(Self::Signed),
            (Type::FLOAT | Type::DOUBLE, ..) => Some(Self::Real),
            (Type::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Float16), _) => Some(Self::Half),
            (Type::BYTE_ARRAY, ..) => Some(Self::Text),
            (Type::FIXED_LEN_BYTE_ARRAY, ..) => None,
        }
    }

    fn column_type(self) -> ColumnType {
        match self {
            Self::Flag | Self::Signed => ColumnType::Integer,
            Self::Real | Self::Half | Self::Decimal { .. } => ColumnType::Real,
            Self::Time(time) => ColumnType::Time(time),
            Self::Unsigned | Self::Date | Self::Text => ColumnType::Text,
        }
    }
}

impl Cells {
    fn read(column: &Column, reader: &mut ColumnReader, rows: usize) -> Result<Self, ParquetError> {
        let (values, levels) = match reader {
            ColumnReader::BoolColumnReader(reader) => taken(reader, rows, Values::Flags)?,
            ColumnReader::Int32ColumnReader(reader) => taken(reader, rows, Values::Ints)?,
            ColumnReader::Int64ColumnReader(reader) => taken(reader, rows, Values::Longs)?,
            ColumnReader::Int96ColumnReader(reader) => taken(reader, rows, Values::Int96s)?,
            ColumnReader::FloatColumnReader(reader) => taken(reader, rows, Values::Floats)?,
            ColumnReader::DoubleColumnReader(reader) => taken(reader, rows, Values::Doubles)?,
            ColumnReader::ByteArrayColumnReader(reader) => taken(reader, rows, Values::Bytes)?,
            ColumnReader::FixedLenByteArrayColumnReader(reader) => taken(reader, rows, Values::Fixed)?,
        };
        let levels = if column.is_optional { levels } else { Vec::new() };
        Ok(Self { kind: column.kind, values, levels, taken: 0 })
    }

    /// Write the cell of this row: each row once, in order.
    fn write(&mut self, row: usize, text: &mut String) -> Result<(), String> {
        if self.levels.get(row) == Some(&0) {
            return Ok(());
        }
        let at = self.taken;
        self.taken += 1;
        let shown = match &self.values {
            Values::Flags(values) => values.get(at).map(|value| Ok(write!(text, "{}", u8::from(*value)))),
            Values::Ints(values) => values.get(at).map(|value| self.kind.integer((*value).into(), 32, text)),
            Values::Longs(values) => values.get(at).map(|value| self.kind.integer(*value, 64, text)),
            Values::Int96s(values) => {
                values.get(at).map(|value| self.kind.integer(value.to_nanos(), 64, text))
            }
            // The shortest number that reads back as the same.
            Values::Floats(values) => values.get(at).map(|value| Ok(write!(text, "{value:?}"))),
            Values::Doubles(values) => values.get(at).map(|value| Ok(write!(text, "{value:?}"))),
            Values::Bytes(values) => values.get(at).map(|value| self.kind.bytes(value.data(), text)),
            Values::Fixed(values) => values.get(at).map(|value| self.kind.bytes(value.data(), text)),
        };
        shown.ok_or("a page has fewer values than it says")??.map_err(|error| error.to_string())
    }
}

/// Values and levels of the next rows. A reader may give fewer at a time: it stops at the end of a page.
fn taken<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    values_of: fn(Vec<T::T>) -> Values,
) -> Result<(Values, Vec<i16>), ParquetError> {
    let (mut values, mut levels) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    let mut read = 0;
    while read < rows {
        let (records, ..) = reader.read_records(rows - read, Some(&mut levels), None, &mut values)?;
        if records == 0 {
            return Err(ParquetError::General(format!("it ends {} rows early", rows - read)));
        }
        read += records;
    }
    Ok((values_of(values), levels))
}

type Written = Result<std::fmt::Result, String>;

impl Kind {
    fn integer(self, value: i64, bits: u32, text: &mut String) -> Written {
        Ok(match self {
            Self::Unsigned if bits == 32 => write!(text, "{}", value as u32),
            Self::Unsigned => write!(text, "{}", value as u64),
            Self::Decimal { scale } => text.write_str(&decimal(value.into(), scale)),
            Self::Date => {
                let day =
                    Timestamp::from_second(value.saturating_mul(DAY)).map_err(|error| error.to_string())?;
                write!(text, "{}", day.to_zoned(TimeZone::UTC).date())
            }
            Self::Time(TimeType { nanoseconds, is_utc }) => {
                let time = i128::from(value) * i128::from(nanoseconds);
                let time = Timestamp::from_nanosecond(time).map_err(|error| error.to_string())?;
                if is_utc {
                    write!(text, "{time}")
                } else {
                    write!(text, "{}", time.to_zoned(TimeZone::UTC).datetime())
                }
            }
            _ => write!(text, "{value}"),
        })
    }

    fn bytes(self, bytes: &[u8], text: &mut String) -> Written {
        Ok(match self {
            Self::Decimal { scale } => text.write_str(&decimal(big_endian(bytes)?, scale)),
            Self::Half => {
                let bits: [u8; 2] =
                    bytes.try_into().map_err(|_| format!("expected 2 bytes, got {}", bytes.len()))?;
                write!(text, "{:?}", half(u16::from_le_bytes(bits)))
            }
            _ => {
                let got =
                    || format!("expected UTF-8, got \"{}\"", bytes[..bytes.len().min(40)].escape_ascii());
                text.write_str(str::from_utf8(bytes).map_err(|_| got())?)
            }
        })
    }
}

/// An IEEE 754 binary16.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from((bits >> 10) & 31), f32::from(bits & 1023));
    match exponent {
        0 => sign * fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    }
}

/// Decode a big-endian integer in two's complement, 1 to 16 bytes.
fn big_endian(bytes: &[u8]) -> Result<i128, String> {
    if bytes.is_empty() || bytes.len() > 16 {
        return Err(format!("a decimal must have 1 to 16 bytes, got {}", bytes.len()));
    }
    let mut whole = [if bytes[0] >> 7 == 1 { 0xFF } else { 0 }; 16];
    whole[16 - bytes.len()..].copy_from_slice(bytes);
    Ok(i128::from_be_bytes(whole))
}

/// `-12345` of scale 2 is `-123.45`.
fn decimal(value: i128, scale: u32) -> String {
    let scale = scale as usize;
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, part) = digits.split_at(digits.len() - scale);
    let sign = if value < 0 { "-" } else { "" };
    if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

fn refused(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => invalid(&error.to_string()),
        other => invalid(&other.to_string()),
    }
}

impl<R: ChunkReader + 'static> Read for Parquet<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.text.is_empty() && !self.advance()? {
            return Ok(0);
        }
        self.text.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_their_digits() {
        for (value, scale, text) in
            [(-12345, 2, "-123.45"), (5, 3, "0.005"), (7, 0, "7"), (0, 1, "0.0"), (-1, 2, "-0.01")]
        {
            assert_eq!(decimal(value, scale), text);
        }
        assert_eq!(big_endian(&[0xFF, 0x85]), Ok(-123));
        assert_eq!(big_endian(&[0; 17]).unwrap_err(), "a decimal must have 1 to 16 bytes, got 17");
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "halves are exact")]
    fn halves_are_read_as_they_are() {
        for (bits, value) in [
            (0x3C00, 1.0),
            (0xC000, -2.0),
            (0x7BFF, 65504.0),
            (0x0001, 2f32.powi(-24)),
            (0x3555, 0.333_251_95),
        ] {
            assert_eq!(half(bits), value);
        }
        assert!(half(0x7E00).is_nan() && half(0xFC00) == f32::NEG_INFINITY);
    }

    #[test]
    fn what_is_no_parquet_is_refused() {
        let refused =
            |bytes: &'static [u8]| Parquet::open(bytes::Bytes::from_static(bytes)).err().unwrap().to_string();
        for bytes in [&b"PAR1"[..], b"PAR1 and so on and on PAR1"] {
            assert!(refused(bytes).contains("Parquet"), "{}", refused(bytes));
        }
    }
}
