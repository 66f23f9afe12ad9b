//! The command line: arguments in, an answer or one sentence out.

/// The manifest and what `--set` changes of it.
pub mod manifest;
/// Verdicts as the rows of a CSV file.
pub mod output;
/// Verdicts against the truth: precision and recall.
pub mod evaluation;
/// How much two rows of numbers agree on the order.
pub mod rank;
/// The subcommands, one file each.
pub mod commands;
/// The command line.
pub mod arguments;
