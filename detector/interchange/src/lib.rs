//! Other systems' isolation forests, read and written as data.
//!
//! [`read`] opens what scikit-learn's users have on disk: a pickle, a joblib file (compressed or not), a skops file,
//! an ONNX model from skl2onnx. Nothing in a file is ever executed: a pickle is read by a machine that builds lists
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
mod cursor;
mod compression;
mod class;
mod numpy;
mod object;
mod arrays;
mod pickle;
mod skops;
mod imported;
mod tree;
mod scikit_learn;
pub mod onnx;

pub use compression::{CompressionError, UNPACKED_LIMIT};
pub use cursor::Truncated;
pub use imported::{Imported, TIE};
pub use numpy::NumpyError;
pub use pickle::{OPCODE_LIMIT, PickleError};
pub use scikit_learn::ModelError;
pub use skops::{SCHEMA_LIMIT, SkopsError};
pub use tree::TreeError;

/// Why a file was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The first bytes are of no known format.
    #[error("the file must be a pickle (protocol 2 to 5), joblib, skops or ONNX file, got none of these")]
    UnknownFormat,
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

/// Reads a forest. The format is detected by the first bytes, so a file's name does not matter.
///
/// # Errors
/// Anything but one whole, fitted `IsolationForest`, with a sentence that says what is there instead.
pub fn read(bytes: &[u8]) -> Result<Imported, Error> {
    if skops::is_zip(bytes) {
        let (graph, unpacked) = skops::read(bytes)?;
        return Ok(scikit_learn::forest(&graph, unpacked)?);
    }
    let unpacked = compression::unpack(bytes)?;
    if pickle::is_pickle(&unpacked) {
        let graph = pickle::read(&unpacked)?;
        return Ok(scikit_learn::forest(&graph, unpacked.len())?);
    }
    if onnx::is_model(&unpacked) {
        return Ok(onnx::read(&unpacked)?);
    }
    Err(Error::UnknownFormat)
}
