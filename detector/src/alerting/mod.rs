//! Verdicts in, events and notifications out.

/// Consecutive verdicts -> events.
pub mod event;
/// Faults of sensors -> their events.
pub mod sensor_event;
/// Events -> webhooks.
pub mod notify;
