//! A detector's memory of its readings, its alarm and its events in, a small file out, and back: the next
//! process continues where a killed one stopped.

use std::io;

use forest::artifact;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::alerting::event::EventsState;
use crate::model::names::list;
use crate::scoring::scorer::{Scorer, ScorerState};

/// The format that this release writes, and the only one that it reads: another one costs only a few
/// readings.
const FORMAT: u32 = 4;

/// The saved state of the scorer and the events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    format: u32,
    /// The sensors, in the order of the values.
    pub sensors: Vec<String>,
    /// The newest readings, and the alarm.
    pub scorer: ScorerState,
    /// The ongoing event, and the newest that have ended.
    pub events: EventsState,
}

/// Why a file is no snapshot.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// The file cannot be read.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// A byte was changed, or the file was cut.
    #[error("the snapshot is damaged: its first line must be the digest of the rest")]
    Damaged,
    /// The format is that of another release.
    #[error("the snapshot must be of format {FORMAT}, got {0}")]
    Format(u32),
    /// The JSON is not what this release writes.
    #[error("the snapshot must be of format {FORMAT}: {0}")]
    Json(#[from] serde_json::Error),
    /// The snapshot is of other sensors.
    #[error("the snapshot must be of the sensors {}, got {}", list(sensors), list(got))]
    Foreign {
        /// The sensors of the detector.
        sensors: Vec<String>,
        /// The sensors of the snapshot.
        got: Vec<String>,
    },
}

#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl Snapshot {
    /// The state of a scorer and the events; none if the scorer has seen no reading.
    pub fn new(scorer: &Scorer, events: EventsState) -> Option<Self> {
        let sensors = scorer.model().sensors().to_vec();
        Some(Self { format: FORMAT, sensors, scorer: scorer.state()?, events })
    }

    /// Return the bytes of the file: the digest of the JSON, and the JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        let json = serde_json::to_string(self).expect("finite numbers and strings are JSON");
        format!("{}\n{json}", artifact::digest(json.as_bytes())).into_bytes()
    }

    /// Read a snapshot from the bytes of a file.
    ///
    /// # Errors
    /// The bytes are not exactly what [`Snapshot::to_bytes`] of this release wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let at = bytes.iter().position(|byte| *byte == b'\n').ok_or(SnapshotError::Damaged)?;
        let (digest, json) = (&bytes[..at], &bytes[at + 1..]);
        if artifact::digest(json).as_bytes() != digest {
            return Err(SnapshotError::Damaged);
        }
        let Version { format } = serde_json::from_slice(json)?;
        if format != FORMAT {
            return Err(SnapshotError::Format(format));
        }
        Ok(serde_json::from_slice(json)?)
    }

    /// The snapshot, if it is of these sensors.
    ///
    /// # Errors
    /// The snapshot, or a row in it, is of other sensors.
    pub fn of(self, sensors: &[String]) -> Result<Self, SnapshotError> {
        let width = sensors.len();
        if self.sensors != sensors {
            return Err(SnapshotError::Foreign { sensors: sensors.to_vec(), got: self.sensors });
        }
        let ScorerState { previous, recent, .. } = &self.scorer;
        let whole = previous.len() == width && recent.iter().all(|(_, row)| row.len() == width);
        let whole = whole && self.events.is_of(width);
        whole.then_some(self).ok_or(SnapshotError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn snapshot() -> Snapshot {
        let sensors = vec!["speed".to_owned(), "load".to_owned()];
        let alarm = serde_json::json!({
            "peak": {"lookback": {"secs": 2, "nanos": 0}, "heights": [[at(1), 1.25]]},
            "run": {"began": at(1), "peaked": true, "alarmed": true},
            "alarmed_until": at(1),
        });
        let scorer = ScorerState {
            time: "2026-11-22T12:00:00.25Z".parse().unwrap(),
            recent: vec![(at(0), vec![0.1 + 0.2, -1e-300]), (at(1), vec![1e300, 0.0])],
            previous: vec![Some((at(2), 1e300)), None],
            alarm: serde_json::from_value(alarm).unwrap(),
            reference: None,
            calibration: None,
            alarm_rate: None,
        };
        Snapshot { format: FORMAT, sensors, scorer, events: EventsState::default() }
    }

    #[test]
    fn what_was_kept_is_read_back_to_the_bit() {
        assert_eq!(Snapshot::from_bytes(&snapshot().to_bytes()).unwrap(), snapshot());
    }

    #[test]
    fn another_format_or_other_sensors_are_refused_in_a_sentence() {
        let newer = Snapshot { format: 5, ..snapshot() };
        assert_eq!(
            Snapshot::from_bytes(&newer.to_bytes()).unwrap_err().to_string(),
            "the snapshot must be of format 4, got 5"
        );
        let foreign = snapshot().of(&["speed".to_owned()]).unwrap_err();
        assert_eq!(foreign.to_string(), "the snapshot must be of the sensors speed, got speed, load");
        let scorer = ScorerState { previous: vec![None], ..snapshot().scorer };
        let ragged = Snapshot { scorer, ..snapshot() };
        assert!(matches!(ragged.of(&snapshot().sensors), Err(SnapshotError::Damaged)));
    }

    proptest! {
        #[test]
        fn a_file_that_was_cut_or_changed_does_not_open(at in 0usize..200, byte: u8) {
            let mut bytes = snapshot().to_bytes();
            let at = at % bytes.len();
            prop_assert!(Snapshot::from_bytes(&bytes[..at]).is_err());
            prop_assume!(bytes[at] != byte);
            bytes[at] = byte;
            prop_assert!(Snapshot::from_bytes(&bytes).is_err());
        }
    }
}
