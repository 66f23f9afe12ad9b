//! Files: read up to a limit, written as a whole, and never written over an input.

/// The bytes of a regular file that is not too large.
pub mod bounded;
/// A file that is complete or absent.
pub mod atomic_write;
/// A folder that only one process uses.
pub mod lock;
/// Whether an output is the same file as an input.
pub mod same_file;
