//! Sources and files in; the readings of all sensors, one instant after another, out.

/// The readings of all sensors at one instant.
pub mod reading;
/// The progress of a training.
pub mod progress;
/// The checks for readings that a sensor cannot give.
pub mod sensor_check;
/// The state of a source, and the counts of its readings by outcome.
pub mod status;
/// The trait that every kind of source implements.
pub mod source;
/// The kinds of sources, one file per kind.
pub mod sources;
/// The connection of a source, renewed whenever it breaks.
pub mod connection;
/// The alignment of readings, which arrive at any time, to instants.
pub mod alignment;
/// The buffer of the newest readings, for sources without a history.
pub mod buffer;
/// JSON objects as the rows of a table.
mod ndjson;
/// Parquet files, in builds with the feature `parquet`.
pub mod parquet;
/// CSV, NDJSON and Parquet files as training and scoring data.
pub mod table;
/// The stream of readings to judge.
pub mod stream;
/// The readings of the past, for training and for models that look back.
pub mod history;
