//! Verdicts in, events and notifications out.

/// Verdicts in a row -> events.
pub mod event;
/// Faults of sensors -> their events.
pub mod sensor_event;
/// Events -> webhooks.
pub mod notify;
