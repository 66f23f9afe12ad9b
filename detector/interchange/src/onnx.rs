//! ONNX models of isolation forests. [`read`](crate::read) reads those of skl2onnx and our own; [`write()`]
//! writes one for ONNX Runtime.
//!
//! skl2onnx stores numbers as `f32`. Split values lose nothing by that (cells are `f32`), leaves are stored
//! as whole numbers of samples, the sample size is computed from the constant that sums are divided by, and
//! only the threshold of scores is rounded, by less than 3e-8. So scores still equal scikit-learn's to 1e-12,
//! closer than those of ONNX Runtime.

mod error;
mod proto;
mod cost;
mod graph;
mod formula;
mod steps;
mod write;
mod exported;
mod read;

pub use error::{FILE_LIMIT, ReadError};
pub(crate) use read::{is_model, read};
pub use write::{WriteError, write};
