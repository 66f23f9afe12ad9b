//! How many rows are scored together, and by how many threads.

/// Rows that are scored together: the working set of a kernel fits the nearest cache.
pub(crate) const BLOCK: usize = 64;
/// Fewer blocks are scored before another thread has woken up.
pub(crate) const BLOCKS_PER_THREAD: usize = 8;
