//! Why an ONNX model was refused, and the bound on its length.

use forest::ForestError;

use crate::budget::CostError;
use crate::preprocessing::PreprocessingError;
use crate::tree::TreeError;

/// The largest model that is read: 64 MiB, about 2500 trees of 256 samples.
pub const FILE_LIMIT: usize = 64 << 20;

/// Why an ONNX model was refused.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is longer than [`FILE_LIMIT`].
    #[error("an ONNX model must have at most {FILE_LIMIT} bytes, got {0}")]
    TooLarge(usize),
    /// It is no protobuf message, or a damaged one.
    #[error("the ONNX model is damaged")]
    Damaged(#[from] prost::DecodeError),
    /// It takes too much to read.
    #[error(transparent)]
    Cost(#[from] CostError),
    /// It is not the graph of an isolation forest.
    #[error("the ONNX model must be an IsolationForest as skl2onnx writes it: {0}")]
    Foreign(&'static str),
    /// Another operator stands where skl2onnx has a certain one.
    #[error(
        "the ONNX model must be an IsolationForest as skl2onnx writes it: {output:?} is not given by {expected}"
    )]
    Operator {
        /// What should stand there.
        expected: &'static str,
        /// What it gives.
        output: String,
    },
    /// A step of the pipeline that is not known.
    #[error(
        "the ONNX operator {0} is no step that can be taken: export the forest alone, `to_onnx(pipeline[-1], ...)`, \
         which scores rows as the steps before it give them"
    )]
    Step(String),
    /// Steps that no row can be taken through.
    #[error("the steps of the ONNX model: {0}")]
    Arithmetic(#[from] PreprocessingError),
    /// A tree lacks a part.
    #[error("a TreeEnsembleRegressor must have the attribute {0}")]
    Attribute(&'static str),
    /// A tree's lists do not make a tree.
    #[error("tree {index}: {source}")]
    Tree {
        /// Counted from 0.
        index: usize,
        /// What is wrong with it.
        source: TreeError,
    },
    /// The trees do not make a forest.
    #[error(transparent)]
    Forest(#[from] ForestError),
}
