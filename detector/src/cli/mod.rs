//! The command line: arguments in, a result or an error of one sentence out.

/// A file, or `-` for the standard input.
pub mod input;
/// Printing to the standard output and the standard error.
pub mod stdout;
/// Output for terminals: colours, bars.
pub mod terminal;
/// The status line at the bottom of a terminal.
pub mod live_line;
/// The format of a result: table or JSON.
pub mod format;
/// `--set PATH=VALUE`.
mod set;
/// Inference of a manifest from a data file.
pub mod inference;
/// The manifest, with the changes of `--set`.
pub mod manifest;
/// Verdicts as the rows of a CSV file.
pub mod output;
/// A tree, for people and for Graphviz.
pub mod tree_text;
/// A cell of an output.
pub mod cell;
/// Rows with scores, as CSV, NDJSON or Parquet.
pub mod score_output;
/// The Parquet writer for rows with scores.
#[cfg(feature = "parquet")]
pub mod parquet_output;
/// The lines that a run prints, for people or programs.
pub mod lines;
/// Verdicts against the truth: precision and recall.
pub mod evaluation;
/// Figures with confidence intervals, and thresholds that meet a goal.
pub mod figures;
/// The rank correlation of two rows of numbers.
pub mod rank;
/// The subcommands, one file each.
pub mod commands;
/// The command line.
pub mod arguments;
