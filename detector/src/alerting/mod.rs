//! Verdicts in, events and notifications out.

/// Verdicts in a row -> events.
pub mod event;
/// Events -> webhooks.
pub mod notify;
