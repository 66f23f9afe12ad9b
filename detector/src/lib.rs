//! Readings in, verdicts out: what the `detector` program is made of, in the order in which data flows through it.
#![forbid(unsafe_code)]

/// What every sensor gave at one instant.
pub mod reading;
/// Where readings come from.
pub mod sources;
/// CSV files as training and scoring data.
pub mod table;
/// What is usual at which time of the day.
pub mod daily;
/// Readings -> the vectors that a model sees.
pub mod features;
/// What the model makes of an instant's readings.
pub mod verdict;
/// How far a training is.
pub mod progress;
/// Training scores -> the cut, and how many alerts a day it is worth.
pub mod cut;
/// An artifact -> a model; vectors -> judgements.
pub mod model;
/// When no alarm is raised.
pub mod quiet;
/// Which judgements raise an alarm.
pub mod alarm;
/// Readings -> a model.
pub mod training;
/// What outlives a process.
pub mod store;
/// A client for other people's servers.
mod https;
/// When to try again.
pub mod backoff;
/// Models that come from elsewhere.
pub mod load;
/// When to train anew.
pub mod renewal;
/// A model at work on a stream of readings.
pub mod watch;
/// Verdicts in a row -> events.
pub mod event;
/// The readings to come.
pub mod stream;
/// The readings that were.
pub mod history;
/// Verdicts against the truth: precision and recall.
pub mod tally;
/// Events -> whoever is to hear of them.
pub mod notify;
/// Every metric, once.
pub mod metrics;
/// What the monitor and the API share.
pub mod state;
/// The loop: train, then readings -> verdicts, at the pace of the clock or as fast as it goes.
pub mod monitor;
/// Verdicts as the rows of a CSV file.
pub mod output;
/// What happens, told to people or machines.
pub mod log;
/// How much two rows of numbers agree on the order.
pub mod rank;
/// HTTP.
pub mod api;
/// The manifest and what `--set` changes of it.
pub mod manifest;
/// The subcommands, one file each.
pub mod commands;
/// The command line.
pub mod cli;
