//! The isolation forest.

pub mod samples;
pub mod params;
mod path;
pub mod tree;
mod grow;
mod kernel;
mod memory;
mod forest;
mod contributions;
pub mod threshold;
pub mod artifact;

pub use artifact::{Artifact, Metadata, Training};
pub use forest::{Forest, ForestError, MAX_COLUMNS};
pub use params::Params;
pub use path::average_path_length;
pub use samples::Samples;
