//! Isolation forests of other systems, read and written as data.
//!
//! [`read`] opens the files that users of scikit-learn have: pickle, joblib (compressed or not), skops, and
//! ONNX models from skl2onnx. A file holds a forest alone, or a pipeline of scalers and imputers that ends in
//! one ([`Preprocessing`]). Nothing in a file is ever executed: a pickle is read by a machine that only
//! builds lists and numbers, and any class that is not part of an isolation forest is refused by name.
//!
//! Scores of an imported forest equal scikit-learn's `-score_samples` to 1e-12 on finite rows, and
//! `score > threshold` is scikit-learn's `predict == -1`. (For ONNX models, the sample size and the threshold
//! have only the precision of `f32`, see [`onnx`].)
//!
//! ```
//! let error = interchange::read(b"\x80\x04cos\nsystem\n.").unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "class os.system is not part of an isolation forest, no code of the file was run"
//! );
//! ```

#![forbid(unsafe_code)]
#![allow(clippy::cast_possible_wrap, reason = "lengths of what is in memory stay below 2^63")]
#![allow(clippy::float_cmp, reason = "what is read must be what was written, to the bit")]

mod shown;
mod budget;
mod cursor;
mod compression;
mod class;
mod numpy;
mod object;
mod arrays;
mod pickle;
pub mod skops;
mod preprocessing;
mod imported;
mod tree;
mod scikit_learn;
pub mod onnx;

pub use budget::CostError;
pub use compression::{COMPRESSED_LIMIT, CompressionError};
pub use cursor::Truncated;
pub use imported::{Imported, TIE};
pub use numpy::NumpyError;
pub use pickle::{OPCODE_LIMIT, PickleError};
pub use preprocessing::{Column, Operation, Preprocessing, PreprocessingError};
pub use scikit_learn::ModelError;
pub use skops::SkopsError;
pub use tree::TreeError;

use budget::Budget;

/// Why a file was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The first bytes are of no known format.
    #[error("the file must be a pickle (protocol 2 to 5), joblib, skops or ONNX file, got none of these")]
    UnknownFormat,
    /// It is longer than [`FILE_LIMIT`].
    #[error("a file to import must have at most {FILE_LIMIT} bytes, got {0}")]
    TooLong(usize),
    /// Reading it takes more memory or time than any genuine file of its length needs.
    #[error(transparent)]
    Cost(#[from] CostError),
    /// It cannot be unpacked.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// It is a damaged pickle, or not one of a scikit-learn forest.
    #[error(transparent)]
    Pickle(#[from] PickleError),
    /// It is a damaged skops file, or not one of a scikit-learn forest.
    #[error(transparent)]
    Skops(#[from] SkopsError),
    /// It does not hold a fitted `IsolationForest`.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// It is not an ONNX model of an `IsolationForest`.
    #[error(transparent)]
    Onnx(#[from] onnx::ReadError),
}

/// The longest file that is read: 256 MiB, a forest of 4000 trees of 1024 samples.
pub const FILE_LIMIT: usize = 256 << 20;

/// Read a forest. The format is detected from the first bytes, so the file's name does not matter.
///
/// The cost is limited for any input ([`CostError`]). The memory beside `bytes` is at most 24 MiB (40 MiB for
/// a zip file) plus three times their length (twelve times if they are compressed). The time is at most about
/// a second plus the time that a file of this length takes to read.
///
/// # Errors
/// Anything other than one complete, fitted `IsolationForest`, or a pipeline that ends in one. The error says
/// what the file holds instead.
pub fn read(bytes: &[u8]) -> Result<Imported, Error> {
    if bytes.len() > FILE_LIMIT {
        return Err(Error::TooLong(bytes.len()));
    }
    if skops::is_zip(bytes) {
        let budget = Budget::zip(bytes.len());
        return within(&budget, zipped(bytes, &budget));
    }
    let Some(format) = compression::Format::of(bytes)? else {
        let budget = Budget::plain(bytes.len());
        return within(&budget, unpacked(bytes, &budget));
    };
    let budget = Budget::compressed(bytes.len());
    let plain = compression::unpack(format, bytes, &budget)?;
    within(&budget, unpacked(&plain, &budget))
}

/// Whether the first bytes are of a format that [`read`] recognizes, including compressions that it refuses.
pub fn is_known(bytes: &[u8]) -> bool {
    let is_compressed = !matches!(compression::Format::of(bytes), Ok(None));
    is_compressed || skops::is_zip(bytes) || pickle::is_pickle(bytes) || onnx::is_model(bytes)
}

/// Return the result of a reader, or the budget's error if a limit was exceeded: the result may be incomplete
/// then.
fn within(budget: &Budget, read: Result<Imported, Error>) -> Result<Imported, Error> {
    budget.check()?;
    read
}

fn zipped(bytes: &[u8], budget: &Budget) -> Result<Imported, Error> {
    let (graph, unpacked) = skops::read(bytes, budget)?;
    Ok(scikit_learn::forest(&graph, unpacked)?)
}

fn unpacked(bytes: &[u8], budget: &Budget) -> Result<Imported, Error> {
    if pickle::is_pickle(bytes) {
        let graph = pickle::read(bytes, budget)?;
        return Ok(scikit_learn::forest(&graph, bytes.len())?);
    }
    if onnx::is_model(bytes) {
        return Ok(onnx::read(bytes, budget)?);
    }
    Err(Error::UnknownFormat)
}
