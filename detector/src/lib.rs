//! Readings in, verdicts out: the modules of the `detector` program, in the order of the data flow.
#![forbid(unsafe_code)]

/// Excerpts of texts from clients and brokers, for messages.
pub mod excerpt;
/// A bounded number of the newest items.
pub mod newest;
/// The current time of the system's clock.
pub mod wall_clock;
/// Files: read up to a size limit, and written atomically.
pub mod files;
/// Requests to external servers: allowed addresses, and trusted certificate authorities.
pub mod outgoing;
/// Ingestion: sources and files in, the readings of one instant after another out.
pub mod ingest;
/// Readings in, the vectors that a model sees out.
pub mod features;
/// Vectors in, a model out; a model and a vector in, a judgement out.
pub mod model;
/// A model and readings in, verdicts out.
pub mod scoring;
/// Verdicts in; alarms, events and notifications out.
pub mod alerting;
/// The life of a model: when it is trained, loaded, stored and replaced.
pub mod lifecycle;
/// The files that browsers load: scripts and style sheets of charts, pages and reports.
pub mod assets;
/// A report: one page with charts, that works offline.
pub mod report;
/// The interfaces of a running detector: metrics, the HTTP API, the log.
pub mod serving;
/// The command line: arguments in, a result or an error of one sentence out.
pub mod cli;
