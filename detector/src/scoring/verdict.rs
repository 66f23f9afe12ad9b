//! The verdict of a model on the readings of one instant.

use jiff::Timestamp;

use crate::ingest::reading::{ActiveFault, Readings};
use crate::model::judgement::Judgement;

/// The verdict on one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The time of the readings.
    pub time: Timestamp,
    /// One value per sensor, in the model's order; `None` if the reading was missing.
    pub values: Vec<Option<f64>>,
    /// How anomalous the readings are, and why.
    pub judgement: Judgement,
    /// What this instant does to the alarm.
    pub alarm_state: AlarmState,
    /// The faults that were really active, if the source knows them.
    pub truth: Option<Vec<ActiveFault>>,
}

impl Verdict {
    /// Create a verdict from readings, their judgement, and what it does to the alarm.
    pub fn new(readings: &Readings, judgement: Judgement, alarm_state: AlarmState) -> Self {
        Self {
            time: readings.time,
            values: readings.values.clone(),
            judgement,
            alarm_state,
            truth: readings.truth.clone(),
        }
    }

    /// Whether this instant raises an alarm.
    pub fn alarm(&self) -> bool {
        self.alarm_state == AlarmState::Alarm
    }
}

/// What an instant does to the alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmState {
    /// Nothing: it is not anomalous.
    Normal,
    /// Nothing yet: it is anomalous, but not for `minimumDuration` so far.
    TooShort,
    /// Nothing yet: a verdict within `lookback` before it was as anomalous or more, or earlier alarms have raised the bar over it.
    NoPeak,
    /// Nothing yet: the last alarm is less than `coolDown` ago.
    CoolingDown,
    /// Nothing yet: this one of the spec's mute windows, counted from 0, is open.
    Muted {
        /// Its index.
        window: usize,
    },
    /// The alarm is raised at this instant.
    Alarm,
    /// Nothing more: an alarm was raised earlier, and all instants since then are anomalous.
    Ongoing,
}
