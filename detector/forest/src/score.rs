//! Trees in, the fastest exact way to score rows with them out.

/// How many sorted numbers are less than another.
mod ranker;
/// One column: a table.
pub(crate) mod step_table;
/// Any trees, on any processor.
mod walks;
/// Trees as 16-bit ranks.
#[cfg(target_arch = "x86_64")]
mod ranks;
/// What walks them.
#[cfg(target_arch = "x86_64")]
mod avx512;
/// Which of them is best for a forest.
pub(crate) mod kernel;
