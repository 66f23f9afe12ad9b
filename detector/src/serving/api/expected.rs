//! What the model takes: what the JSON of a prediction is read by.

use std::fmt;

use crate::model::model::Model;

/// The most columns that rows may have whose cells come by name.
pub(super) const MAX_NAMED: usize = 4096;

/// What a question is read by.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    /// Who judges.
    pub(super) model: &'a Model,
    /// How many rows there may be.
    pub(super) most_rows: usize,
}

/// Where in a request something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The readings that come next.
    Values,
    /// A row of a batch, from 0.
    Instance(usize),
    /// The readings of all sensors at a time, from 0.
    Reading(usize),
    /// A line, from 0; people count from 1.
    Line(usize),
    /// A row of the tensors of a request, from 0.
    Row(usize),
}

impl Place {
    /// Whether readings of sensors stand there, and not columns of the model.
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
