//! What the model makes of the readings of one instant.

use jiff::Timestamp;

use crate::ingest::reading::{ActiveFault, Readings};
use crate::model::judgement::Judgement;

/// The judgement of one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// When the readings were taken.
    pub time: Timestamp,
    /// One value a sensor, in the model's order; none where the reading was missing.
    pub values: Vec<Option<f64>>,
    /// How anomalous, and why.
    pub judgement: Judgement,
    /// What this instant does to the alarm.
    pub alarm_state: AlarmState,
    /// What was really so, where the source knows.
    pub truth: Option<Vec<ActiveFault>>,
}

impl Verdict {
    /// This judgement of these readings, and what it does to the alarm.
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
    /// Nothing yet: the last alarm is not `coolDown` ago.
    CoolingDown,
    /// Nothing yet: this one of the spec's mute windows, counted from 0, is open.
    Muted {
        /// Its index.
        window: usize,
    },
    /// The alarm: this is the instant that people are called for.
    Alarm,
    /// Nothing more: an alarm has been raised, and it is anomalous ever since.
    Ongoing,
}
