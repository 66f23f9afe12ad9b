//! Files: read within bounds, written whole, and never written over what is being read.

/// A file's bytes, if it is one and not too large.
pub mod bounded;
/// A file that is whole or not there.
pub mod atomic_write;
/// A folder that one process has to itself.
pub mod lock;
/// Whether what is written is what is read.
pub mod same_file;
