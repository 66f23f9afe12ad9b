//! A CSV file in, readings out, row by row: streamed, plain or gzipped.

/// The parsed content of a row.
mod row;
/// Rows in ascending order of time.
mod order;
/// A complete file, replayed.
mod recording;
/// A file that grows, followed.
mod follow;

use std::sync::Arc;

use crd::source::Csv;

use self::follow::Followed;
pub use self::recording::{File, Recording};
use crate::ingest::source::{Source, SourceError};
use crate::ingest::status::SourceStatus;

/// The source of a spec: a recording that is replayed, or a file that is followed.
///
/// # Errors
/// As [`File::open`].
pub fn open(spec: &Csv, status: Arc<SourceStatus>) -> Result<Arc<dyn Source>, SourceError> {
    if spec.follow {
        return Ok(Arc::new(Followed::new(spec, status)));
    }
    Ok(Arc::new(File::open(spec, Some(status))?))
}

#[cfg(test)]
mod tests;
