//! One file per command: arguments in, lines out.

/// `predict`.
pub mod predict;
/// `verdicts`.
pub mod verdicts;
/// `events`.
pub mod events;
/// `explain`.
pub mod explain;
/// `open`.
pub mod open;
/// `top`.
pub mod top;
