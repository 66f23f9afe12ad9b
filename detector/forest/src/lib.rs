//! The isolation forest.
