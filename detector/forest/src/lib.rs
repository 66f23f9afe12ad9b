#![doc = include_str!("../README.md")]

/// Numbers in, valid rows and their ranges out.
pub mod data;
/// Nodes in, trees that no walk can leave out.
pub mod tree;
/// Samples and parameters in, trees out.
pub mod train;
/// Trees in, scores of rows out.
mod score;
/// Trees and a row in, each column's share out.
mod explain;
/// A forest of one mode: fit and score.
mod forest;
/// Forests of several modes that score together.
mod ensemble;
/// Training scores in, the threshold between normal and anomalous out.
pub mod threshold;
/// A forest in, bytes out, and back.
pub mod artifact;

pub use artifact::{Artifact, Metadata, Training};
pub use data::samples;
pub use data::samples::Samples;
pub use explain::gains::{Contribution, Side};
pub use forest::{Explained, Forest, ForestError, MAX_COLUMNS};
pub use train::params;
pub use train::params::{Mode, Params};
pub use tree::path_length::average_path_length;
