//! The type of a table's column, as far as a table has types: what a cell that is kept is written as.

/// A column's type. CSV and JSON have none: their cells are text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Text, and everything else.
    Text,
    /// A whole number of at most 64 bits.
    Integer,
    /// A number.
    Real,
    /// A time.
    Time(TimeType),
}

/// How a time is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeType {
    /// Nanoseconds in a unit.
    pub nanoseconds: i64,
    /// Whether it is an instant; else it is what a clock shows somewhere.
    pub is_utc: bool,
}
