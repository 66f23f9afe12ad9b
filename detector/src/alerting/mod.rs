//! Verdicts in; alarms, events and notifications out.

/// When no alarm is raised.
pub mod mute_windows;
/// Which judgements raise an alarm.
pub mod alarm;
/// Verdicts in a row -> events.
pub mod event;
/// Events -> whoever is to hear of them.
pub mod notify;
