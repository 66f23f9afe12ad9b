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
    /// It is not a protobuf message, or a damaged one.
    #[error("the ONNX model is damaged")]
    Damaged(#[from] prost::DecodeError),
    /// Reading it takes too much memory or time.
    #[error(transparent)]
    Cost(#[from] CostError),
    /// It is not the graph of an isolation forest.
    #[error("the ONNX model must be an IsolationForest as skl2onnx writes it: {0}")]
    Foreign(&'static str),
    /// A node does not have the operator that skl2onnx writes in its place.
    #[error(
        "the ONNX model must be an IsolationForest as skl2onnx writes it: {output:?} is not given by {expected}"
    )]
    Operator {
        /// The operator of skl2onnx.
        expected: &'static str,
        /// The name of the node's output.
        output: String,
    },
    /// A pipeline step with an unsupported operator.
    #[error(
        "the ONNX operator {0} is not a supported step: export the forest alone, `to_onnx(pipeline[-1], ...)`, \
         which scores rows as the previous steps output them"
    )]
    Step(String),
    /// The arithmetic of the pipeline's steps is refused.
    #[error("the steps of the ONNX model: {0}")]
    Arithmetic(#[from] PreprocessingError),
    /// A tree lacks a part.
    #[error("a TreeEnsembleRegressor must have the attribute {0}")]
    Attribute(&'static str),
    /// A tree's lists do not make a tree.
    #[error("tree {index}: {source}")]
    Tree {
        /// The tree's index, counted from 0.
        index: usize,
        /// What is wrong with it.
        source: TreeError,
    },
    /// The trees do not make a forest.
    #[error(transparent)]
    Forest(#[from] ForestError),
}
