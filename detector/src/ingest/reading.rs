//! The readings of all sensors at one instant, with the label where it is known.

use crd::simulated::FaultType;
use jiff::Timestamp;

/// The readings of all sensors at one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Readings {
    /// The instant.
    pub time: Timestamp,
    /// One value per sensor, in the order of the spec over all sources; `None` where it is missing.
    pub values: Vec<Option<f64>>,
    /// The faults that are active at the instant: `None` where that is not known, empty where all is normal.
    pub truth: Option<Vec<ActiveFault>>,
}

/// A fault that is active at an instant. Two of them are the same event exactly when they are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ActiveFault {
    /// The sensor that has the fault, an index into [`Readings::values`]; `None` for a labelled span of a
    /// recording.
    pub sensor: Option<usize>,
    /// The type of the fault; `None` for a labelled span of a recording.
    pub type_: Option<FaultType>,
    /// The time at which it started: for a labelled span, the time of its first row.
    pub start: Timestamp,
}
