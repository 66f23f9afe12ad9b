//! Trees in, the fastest exact way to score rows with them out.

/// The training rows in the trees' bags, with their path lengths.
pub(crate) mod bags;
/// Sums of path lengths in, scores out.
pub(crate) mod scale;
/// How many rows are scored together.
pub(crate) mod block;
/// The values that trees split each column at.
mod split_values;
/// The rank of a cell: the number of sorted split values that are less.
mod ranker;
/// The kernel for one column: a table of scores.
pub(crate) mod step_table;
/// The kernel for any trees, on any processor.
pub(crate) mod walks;
/// Trees whose nodes are 16 bits each, a column and a rank.
#[cfg(target_arch = "x86_64")]
mod grove;
/// The functions that walk such trees with AVX-512 vectors.
#[cfg(target_arch = "x86_64")]
mod avx512;
/// The kernel for a forest of such trees.
#[cfg(target_arch = "x86_64")]
mod ranks;
/// The choice of the fastest kernel for a forest.
pub(crate) mod kernel;
