//! Numbers from anywhere in, valid training rows and their ranges out.

/// Rows to train on and to score.
pub(crate) mod samples;
/// The reasons why a forest of these rows may not be trusted.
mod warnings;
/// How far a row is beyond the training rows.
pub(crate) mod ranges;
