//! ONNX models of isolation forests: [`read`](crate::read) those that skl2onnx writes, and ours; [`write()`] one that ONNX Runtime scores.
//!
//! skl2onnx keeps `f32`: split values lose nothing by it (cells are `f32`), leaves are kept as whole numbers of
//! samples, the sample size is worked out from the constant that sums are divided by, and only the threshold of scores is
//! rounded, by less than 3e-8. So scores still equal scikit-learn's to 1e-12, and nearer than ONNX Runtime's own.

mod error;
mod proto;
mod cost;
mod graph;
mod formula;
mod steps;
mod write;
mod own;
mod read;

pub use error::{FILE_LIMIT, ReadError};
pub(crate) use read::{is_model, read};
pub use write::{WriteError, write};
