#![doc = include_str!("../README.md")]

/// The memory limit of this process, and the memory that is still available.
mod available_memory;
/// Numbers in, valid rows and their ranges out.
mod data;
/// Nodes in, checked trees out.
pub mod tree;
/// Samples and parameters in, trees out.
mod train;
/// Trees in, scores of rows out.
mod score;
/// Trees and a row in, each column's contribution to the score out.
mod explain;
/// A forest of one mode: fit and score.
mod forest;
/// Forests of several modes that score together.
mod ensemble;
/// Training scores in, the threshold between normal and anomalous out.
pub mod threshold;
/// An ensemble in, the bytes of its file out, and back.
pub mod artifact;

pub use artifact::{Artifact, Metadata, Training};
pub use available_memory::{available_memory, memory_limit};
pub use data::samples::{Samples, SamplesError, cell};
pub use ensemble::{Ensemble, EnsembleParams, Renewal, TrainingScores};
pub use explain::explainer::Explained;
pub use explain::gains::{Contribution, Side};
pub use forest::{Forest, ForestError, MAX_COLUMNS};
pub use train::params::{MAX_SAMPLE_SIZE, MAX_TREES, Mode, Params, ParamsError};
pub use tree::path_length::average_path_length;
