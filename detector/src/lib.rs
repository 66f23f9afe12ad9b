//! Readings in, verdicts out: what the `detector` program is made of, in the order in which data flows through it.
#![forbid(unsafe_code)]

/// What a message repeats of a text from outside.
pub mod excerpt;
/// The time of the system.
pub mod wall_clock;
/// Files: read within bounds, and written whole.
pub mod files;
/// Requests to other people's servers: which addresses may be connected to, and whom is trusted.
pub mod outgoing;
/// Where readings come from: sources and files in, readings instant after instant out.
pub mod ingest;
/// Readings in, the vectors that a model sees out.
pub mod features;
/// Vectors in, a model out; a model and a vector in, a judgement out.
pub mod model;
/// A model and readings in, verdicts out.
pub mod scoring;
/// Verdicts in; alarms, events and notifications out.
pub mod alerting;
/// When a model is trained, loaded, stored and replaced.
pub mod lifecycle;
/// What pages are made of: the charts.
pub mod assets;
/// A report: one page with charts, that works offline.
pub mod report;
/// What others can ask: metrics, the HTTP API, the log.
pub mod serving;
/// The command line: arguments in, an answer or one sentence out.
pub mod cli;
