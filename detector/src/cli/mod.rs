//! The command line: arguments in, an answer or one sentence out.

/// A file, or `-` for the standard input.
pub mod input;
/// What is printed.
pub mod stdout;
/// What terminals get: colours, bars.
pub mod terminal;
/// The line at the bottom of a terminal.
pub mod live_line;
/// How a result is written.
pub mod format;
/// `--set PATH=VALUE`.
mod set;
/// A manifest for a data file.
pub mod inference;
/// The manifest and what `--set` changes of it.
pub mod manifest;
/// Verdicts as the rows of a CSV file.
pub mod output;
/// A tree, for people and for Graphviz.
pub mod tree_text;
/// A cell of an output.
pub mod cell;
/// Rows with scores, as CSV, NDJSON or Parquet.
pub mod score_output;
/// The same as Parquet.
#[cfg(feature = "parquet")]
pub mod parquet_output;
/// What a run prints, for people or machines.
pub mod lines;
/// Verdicts against the truth: precision and recall.
pub mod evaluation;
/// Figures with intervals, and thresholds that keep a goal.
pub mod figures;
/// How much two rows of numbers agree on the order.
pub mod rank;
/// The subcommands, one file each.
pub mod commands;
/// The command line.
pub mod arguments;
