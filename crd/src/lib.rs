//! The contract between the operator, the detector and the person with the YAML open:
//! the [`AnomalyDetector`] API, its rules, and the names and ports that both programs rely on.
//!
//! It depends on no other crate of this project and on no Kubernetes client. Both programs work with a
//! [`Valid`] detector. Without an API server (feature `offline`), a manifest is checked by the same rules
//! that the API server would apply:
//!
//! ```
//! let manifest = include_str!("../../manifests/quickstart.yaml");
//! let detector = crd::manifest::one_detector(manifest).expect("the quickstart is valid");
//! assert_eq!(detector.name(), "quickstart");
//! assert_eq!(detector.sensors().map(|sensor| sensor.name).collect::<Vec<_>>(), ["value"]);
//! ```
#![forbid(unsafe_code)]

/// `1h30m`: durations as Kubernetes and Prometheus users write them.
pub mod duration;
/// `0 3 * * *`: recurring times.
pub mod schedule;
/// The syntax of names, labels and addresses.
pub mod names;
/// References to Secrets.
pub mod secret;
/// Where readings come from.
pub mod source;
/// The simulated source: signals, noise and faults.
pub mod simulated;
/// Where a model is loaded from that was trained elsewhere.
pub mod load;
/// What to do when a sensor gave no reading.
pub mod missing;
/// The model: what is learned from the readings, and how.
pub mod model;
/// When a score is an anomaly.
pub mod threshold;
/// When anomalous verdicts raise an alarm.
pub mod alarm;
/// Which slow changes of the sensors are normal.
pub mod adaptation;
/// When no alarm is raised.
pub mod mute_window;
/// The receivers of notifications about events.
pub mod notification;
/// The objects for Prometheus and Grafana.
pub mod monitoring;
/// Schemas of Kubernetes' own types for where pods run, with the API server's rules.
mod scheduling;
/// How the detector's pods run.
pub mod pod;
/// The Service through which the detector's pods are reached.
pub mod service;
/// How requests to the predict port are secured and answered.
pub mod serving;
/// The operator's report on a detector: conditions, replicas, model.
pub mod status;
/// The resource itself: spec and status, printer columns.
pub mod detector;
/// A document that the schema refuses -> documents with stand-in values, to check the other rules.
#[cfg(feature = "offline")]
mod repair;
/// The rules of the CRD's schema, checked without an API server.
#[cfg(feature = "offline")]
mod schema;
/// How much memory a detector needs.
pub mod memory;
/// A rule that a manifest breaks.
pub mod violation;
/// The rules that no schema can express.
pub mod rules;
/// The digests that identify models, specs and objects.
pub mod digest;
/// How a forest is trained, with every default resolved.
pub mod training;
/// A detector whose spec keeps every rule.
pub mod valid;
/// The line of each field of a YAML document.
#[cfg(feature = "offline")]
pub mod lines;
/// A file of YAML documents -> valid detectors.
pub mod manifest;
/// What both programs share besides spec and status: file names, ports, labels, the detector's report.
pub mod contract;

pub use detector::{AnomalyDetector, AnomalyDetectorSpec};
pub use duration::Duration;
pub use rules::Violation;
pub use valid::Valid;
