//! Trees in, the fastest exact way to score rows with them out.

/// What trees have seen of their samples.
pub(crate) mod bags;
/// Sums of path lengths become scores.
pub(crate) mod scale;
/// How many rows are scored together.
pub(crate) mod block;
/// The values that trees split each column at.
mod split_values;
/// How many sorted numbers are less than another.
mod ranker;
/// One column: a table.
pub(crate) mod step_table;
/// Any trees, on any processor.
pub(crate) mod walks;
/// Trees as 16-bit ranks.
#[cfg(target_arch = "x86_64")]
mod grove;
/// Vectors of rows or trees walk them.
#[cfg(target_arch = "x86_64")]
mod avx512;
/// A forest of them.
#[cfg(target_arch = "x86_64")]
mod ranks;
/// Which of these is best for a forest.
pub(crate) mod kernel;
