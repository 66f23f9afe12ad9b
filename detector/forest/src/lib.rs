#![doc = include_str!("../README.md")]

/// What may be learnt from and scored.
pub mod samples;
/// How far a row is beyond them.
mod ranges;
/// How to grow a forest.
pub mod params;
/// Path lengths, and the score that they make.
mod path;
/// What a leaf says, by the way that led to it.
mod way;
/// Trees, checked so that no walk can go astray.
pub mod tree;
/// Samples become trees.
mod grow;
/// Trees become the fastest exact way to score with them.
mod kernel;
/// A forest that would not fit is refused.
mod memory;
/// The forest: fit and score.
mod forest;
/// Forests of several modes that judge together.
mod committee;
/// Why they are the ones.
mod choice;
/// What training rows would score had the forest not learned from them.
mod out_of_bag;
/// Which columns set a row apart.
mod contributions;
/// Where to cut between normal and anomalous.
pub mod threshold;
/// The forest as a file.
pub mod artifact;

pub use artifact::{Artifact, Metadata, Training};
pub use contributions::{Contribution, Side};
pub use forest::{Explained, Forest, ForestError, MAX_COLUMNS};
pub use params::{Mode, Params};
pub use path::average_path_length;
pub use samples::Samples;
