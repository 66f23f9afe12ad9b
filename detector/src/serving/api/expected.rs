//! The model and the limits by which the JSON of a prediction request is read.

use std::fmt;

use crate::model::model::Model;

/// The most columns of a model for which rows may name their cells.
pub(super) const MAX_NAMED: usize = 4096;

/// The model and the limit by which a request is read.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    /// The model that judges.
    pub(super) model: &'a Model,
    /// The most rows of a request.
    pub(super) most_rows: usize,
}

/// A place in a request, as errors name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The readings of all sensors that come next.
    Values,
    /// A row of a batch, from 0.
    Instance(usize),
    /// The readings of all sensors at one time, from 0.
    Reading(usize),
    /// A line, from 0; errors count from 1.
    Line(usize),
    /// A row of the tensors of a request, from 0.
    Row(usize),
}

impl Place {
    /// Whether the place has readings of sensors, and not columns of the model.
    pub(super) fn is_of_sensors(self) -> bool {
        matches!(self, Self::Values | Self::Reading(_))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Values => f.write_str("values"),
            Self::Instance(index) => write!(f, "instances[{index}]"),
            Self::Reading(index) => write!(f, "readings[{index}]"),
            Self::Line(index) => write!(f, "line {}", index + 1),
            Self::Row(index) => write!(f, "row {index} of the inputs"),
        }
    }
}
