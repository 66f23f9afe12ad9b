//! Other systems' isolation forests, read and written as data.
//!
//! [`read`] opens what scikit-learn's users have on disk: a pickle, a joblib file (compressed or not), a skops file,
//! an ONNX model from skl2onnx; of a forest alone, or of a pipeline of scalers and imputers that ends in one ([`Preprocessing`]). Nothing in a file is ever executed: a pickle is read by a machine that builds lists
//! and numbers, and any class that is not part of an isolation forest is refused by its name.
//!
//! Scores of an imported forest equal scikit-learn's `-score_samples` to 1e-12 on finite rows, and
//! `score > threshold` is scikit-learn's `predict == -1`. (From ONNX: to what `f32` keeps of the sample size and the
//! threshold, see [`onnx`].)
//!
//! ```
//! let error = interchange::read(b"\x80\x04cos\nsystem\n.").unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "class os.system is not part of an isolation forest, nothing of the file was run"
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
    /// It takes more memory or time than an honest file of its length.
    #[error(transparent)]
    Cost(#[from] CostError),
    /// It cannot be unpacked.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// It is a damaged or a foreign pickle.
    #[error(transparent)]
    Pickle(#[from] PickleError),
    /// It is a damaged or a foreign skops file.
    #[error(transparent)]
    Skops(#[from] SkopsError),
    /// It is no fitted `IsolationForest`.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// It is no ONNX model of an `IsolationForest`.
    #[error(transparent)]
    Onnx(#[from] onnx::ReadError),
}

/// The longest file that is read: 256 MiB, a forest of 4000 trees of 1024 samples.
pub const FILE_LIMIT: usize = 256 << 20;

/// Reads a forest. The format is detected by the first bytes, so a file's name does not matter.
///
/// Whatever the bytes, the memory that it takes beside them is at most 24 MiB (40 MiB of a zip file) and three times their
/// length (twelve times where they are compressed), and the time a second and what a file of this length takes to read: the [budget](CostError).
///
/// # Errors
/// Anything but one whole, fitted `IsolationForest` or pipeline that ends in one, with a sentence that says what is there instead.
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

/// Whether the first bytes are of a format that [`read`] reads.
pub fn is_known(bytes: &[u8]) -> bool {
    let is_compressed = !matches!(compression::Format::of(bytes), Ok(None));
    is_compressed || skops::is_zip(bytes) || pickle::is_pickle(bytes) || onnx::is_model(bytes)
}

/// What is read once the budget is spent is no answer.
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
