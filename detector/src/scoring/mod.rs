//! A model and readings in, verdicts out: the judgement of each instant, and what it does to the alarm.

/// Judgements with their readings and the state of the alarm.
pub mod verdict;
/// The windows of time in which no alarm is raised.
pub mod mute_windows;
/// The bar that each alarm raises for the next one.
pub mod habituation;
/// Which judgements raise an alarm.
pub mod alarm;
/// Scores -> the threshold that keeps the promised alarm rate.
pub mod calibration;
/// Verdicts -> how the alarm rate compares with the promise.
pub mod alarm_rate;
/// A model that judges a stream of readings.
pub mod scorer;
/// Rows of a table -> their scores, without alarms and times.
pub mod table_scorer;
