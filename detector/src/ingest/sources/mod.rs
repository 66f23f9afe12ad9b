//! A spec's sources in, readings out: simulated ones at any time that is asked for, recorded ones row by row.

/// Random numbers that are found by an index.
mod random;
/// Baseline, waves, trend.
mod signal;
/// What makes a sensor tremble.
mod noise;
/// What goes wrong, and when.
mod fault;
/// Sources that answer for any instant.
mod simulated;
/// Files of delimited text, row by row.
pub mod delimited;
/// The ways in which recordings write time.
pub mod timestamp;
/// Where CSV files are.
mod data_directory;
/// A CSV file, replayed.
mod recording;

pub use recording::Recording;
pub use simulated::SimulatedSource;

use crd::Valid;
use crd::valid::SourceKind;
use thiserror::Error;

use delimited::CsvError;

/// Why a source cannot be opened or read.
#[derive(Debug, Error)]
pub enum SourceError {
    /// A recording: file, line, column, and what was expected.
    #[error(transparent)]
    Csv(#[from] CsvError),
}

/// The sources of one detector.
#[allow(clippy::large_enum_variant, reason = "a detector has one of it")]
pub enum Sources {
    /// Simulated sensors: a pure function of time.
    SimulatedSource(SimulatedSource),
    /// A recording, which paces the detector by its own timestamps; it is the only source.
    Recorded(Recording),
}

impl Sources {
    /// Make the detector's sources ready: a recording is opened, its columns and time format are found.
    ///
    /// # Errors
    /// The recording cannot be opened, or has not the columns that the spec names.
    pub fn open(detector: &Valid) -> Result<Self, SourceError> {
        for source in detector.sources() {
            if let SourceKind::Csv(csv) = &source.kind {
                return Ok(Self::Recorded(Recording::open(csv)?));
            }
        }
        Ok(Self::SimulatedSource(SimulatedSource::new(detector.sources())))
    }
}

/// Whole nanoseconds; those of the longest duration, 32 digits of hours, fit by far.
fn nanoseconds(duration: crd::Duration) -> i128 {
    std::time::Duration::from(duration).as_nanos().cast_signed()
}
