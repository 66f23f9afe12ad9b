//! Why an array was refused: one sentence each.

use crate::budget::CostError;
use crate::cursor::Truncated;

/// Why an array was refused.
#[derive(Debug, thiserror::Error)]
pub enum NumpyError {
    /// It ends too early.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// Reading it takes too much memory or time.
    #[error(transparent)]
    Cost(#[from] CostError),
    /// Its parts are not the ones that numpy writes.
    #[error("an array must be written as numpy writes it: {0}")]
    Malformed(&'static str),
    /// A type of element that no forest has.
    #[error("array elements of type {0:?} are not supported")]
    Dtype(String),
    /// Shape, element size and bytes do not agree.
    #[error("an array of {elements} elements of {itemsize} bytes does not fit in the {bytes} bytes given")]
    Size {
        /// The product of the shape.
        elements: u128,
        /// The size of an element in bytes.
        itemsize: usize,
        /// The number of bytes given.
        bytes: usize,
    },
    /// A record array lacks a field.
    #[error("the array has no field {0:?}")]
    Field(&'static str),
}
