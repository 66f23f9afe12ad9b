//! How many rows are scored together, and by how many threads.

/// The number of rows that are scored together: the working set of a kernel fits the nearest cache.
pub(crate) const BLOCK: usize = 64;
/// The fewest blocks for each thread: fewer are scored before another thread has woken up.
pub(crate) const BLOCKS_PER_THREAD: usize = 8;
