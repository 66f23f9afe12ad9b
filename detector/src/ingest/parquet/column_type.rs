//! The type of a table's column, where it has one: it decides how a kept cell is written.

/// A column's type. CSV and JSON have none: their cells are text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Text, and all other types.
    Text,
    /// A whole number of at most 64 bits.
    Integer,
    /// A number.
    Real,
    /// A time.
    Time(TimeType),
}

/// How a time is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeType {
    /// Nanoseconds in a unit.
    pub nanoseconds: i64,
    /// Whether it is an instant; else it is a local time of an unknown zone.
    pub is_utc: bool,
}
