//! numpy's arrays in, columns of numbers and lists of names out.

mod error;
mod literal;
pub(crate) mod dtype;
pub(crate) mod array;
pub(crate) mod npy;

pub use error::NumpyError;
