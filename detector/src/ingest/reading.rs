//! What every sensor gave at one instant, and its label where it is known.

use crd::simulated::FaultType;
use jiff::Timestamp;

/// What every sensor gave at one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Readings {
    /// The instant.
    pub time: Timestamp,
    /// One value a sensor, in the spec's order over all sources; `None` where the sensor gave nothing.
    pub values: Vec<Option<f64>>,
    /// The faults that are active at the instant: `None` where that is not known, empty where all is normal.
    pub truth: Option<Vec<ActiveFault>>,
}

/// A fault that is active at an instant. Two of them are the same event exactly when they are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ActiveFault {
    /// The sensor that it befell, an index into [`Readings::values`]; `None` for a labelled span of a recording.
    pub sensor: Option<usize>,
    /// What happened; `None` for a labelled span of a recording.
    pub type_: Option<FaultType>,
    /// When it began: for a labelled span, the time of its first row.
    pub start: Timestamp,
}
