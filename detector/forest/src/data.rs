//! Numbers from anywhere in, valid training rows and their ranges out.

/// What may be trained on and scored.
pub mod samples;
/// How far a row is beyond the training rows.
pub(crate) mod ranges;
