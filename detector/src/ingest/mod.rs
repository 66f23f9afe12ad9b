//! Where readings come from: sources and files in, readings instant after instant out.

/// What every sensor gave at one instant.
pub mod reading;
/// How far a training is.
pub mod progress;
/// What a sensor cannot have given.
pub mod sensor_check;
/// A source's state, and what became of its readings.
pub mod status;
/// The seam: what every kind of source can do.
pub mod source;
/// Where readings come from, a file a kind.
pub mod sources;
/// A source that is connected to, again and again.
pub mod connection;
/// Readings that arrive at any time -> instants.
pub mod alignment;
/// The newest readings, where no source remembers any.
pub mod buffer;
/// JSON objects as the rows of a table.
mod ndjson;
/// Parquet, as far as this build has it.
pub mod parquet;
/// CSV, NDJSON and Parquet files as training and scoring data.
pub mod table;
/// The readings to come.
pub mod stream;
/// The readings that were.
pub mod history;
