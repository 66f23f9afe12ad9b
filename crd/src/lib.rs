//! The contract between the operator, the detector and the person with the YAML open:
//! the [`AnomalyDetector`] API, its rules, and the names and ports that both programs rely on.
//!
//! It imports nothing of ours and no Kubernetes client. Both programs work with a [`Valid`] detector. Where no
//! API server has been asked (feature `offline`), a manifest becomes one by the very rules that it would apply:
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
/// `0 3 * * *`: times that come again and again.
pub mod schedule;
/// The syntax of names, labels and addresses.
pub mod names;
/// References to Secrets.
pub mod secret;
/// Where readings come from.
pub mod source;
/// The simulated source: signals, noise and faults.
pub mod simulated;
/// Where a model comes from that was trained elsewhere.
pub mod load;
/// What to do when a sensor gave no reading.
pub mod missing;
/// What is learned from the readings.
pub mod model;
/// When a score is an anomaly.
pub mod threshold;
/// When anomalous verdicts raise an alarm.
pub mod alarm;
/// What is slow enough to be the new normal.
pub mod adaptation;
/// When no alarm is raised.
pub mod mute_window;
/// Who is notified of events.
pub mod notification;
/// What Prometheus and Grafana are given.
pub mod monitoring;
/// Where pods run, in Kubernetes' own types with its rules.
mod scheduling;
/// How the detector's pods run.
pub mod pod;
/// How they are reached.
pub mod service;
/// How requests are secured and answered.
pub mod serving;
/// What the operator says of a detector: conditions, replicas, model.
pub mod status;
/// The resource itself: spec and status, printer columns.
pub mod detector;
/// A document of a wrong shape -> documents of the right one.
#[cfg(feature = "offline")]
mod repair;
/// The rules of the CRD's schema, checked without an API server.
#[cfg(feature = "offline")]
mod schema;
/// How much memory a detector takes.
pub mod memory;
/// A rule that a manifest breaks.
pub mod violation;
/// The rules that no schema can say.
pub mod rules;
/// The digits that distinguish models and objects.
pub mod digest;
/// How a forest is trained, with every default resolved.
pub mod training;
/// A detector that keeps every rule.
pub mod valid;
/// The line of each field of a YAML document.
#[cfg(feature = "offline")]
pub mod lines;
/// A file of YAML documents -> valid detectors.
pub mod manifest;
/// What is neither spec nor status: file names, ports, labels, the detector's report.
pub mod contract;

pub use detector::{AnomalyDetector, AnomalyDetectorSpec};
pub use duration::Duration;
pub use rules::Violation;
pub use valid::Valid;
