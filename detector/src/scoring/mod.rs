//! A model and readings in, verdicts out: the judgement of each instant, and what it does to the alarm.

/// Judgements with their readings and the state of the alarm.
pub mod verdict;
/// When no alarm is raised.
pub mod mute_windows;
/// What an alarm does to the next one.
pub mod habituation;
/// Which judgements raise an alarm.
pub mod alarm;
/// Scores -> the threshold that keeps the promised alarm rate.
pub mod calibration;
/// Verdicts -> how the alarm rate compares with the promise.
pub mod alarm_rate;
/// A model at work on a stream of readings.
pub mod scorer;
/// Rows of a table -> their scores, without alarms and times.
pub mod table_scorer;
