//! What a model remembers of its readings in, a small file out, and back: so that a process that was killed goes on where
//! it was.

use std::io;

use forest::artifact;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The format that this release writes, and the only one that it reads: what is lost is a few readings.
const FORMAT: u32 = 2;

/// The readings that the next vector needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Snapshot {
    format: u32,
    /// The sensors, in the order of the values.
    pub sensors: Vec<String>,
    /// When the newest readings were taken.
    pub time: Timestamp,
    /// The complete readings that vectors are made of, and when they were taken, oldest first.
    pub recent: Vec<(Timestamp, Vec<f64>)>,
    /// The newest reading of each sensor, and when it was taken.
    pub previous: Vec<Option<(Timestamp, f64)>>,
}

/// Why a file is no snapshot.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// A byte was changed, or the file was cut.
    #[error("the snapshot is damaged: its first line must be the digest of the rest")]
    Damaged,
    /// Of another release.
    #[error("the snapshot must be of format {FORMAT}, got {0}")]
    Format(u32),
    /// Not what this release writes.
    #[error("the snapshot must be of format {FORMAT}: {0}")]
    Json(#[from] serde_json::Error),
    /// Of other sensors.
    #[error("the snapshot must be of the sensors {}, got {}", sensors.join(", "), got.join(", "))]
    Foreign {
        /// The detector's.
        sensors: Vec<String>,
        /// The snapshot's.
        got: Vec<String>,
    },
}

#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl Snapshot {
    /// These readings.
    pub fn new(
        sensors: Vec<String>,
        time: Timestamp,
        recent: Vec<(Timestamp, Vec<f64>)>,
        previous: Vec<Option<(Timestamp, f64)>>,
    ) -> Self {
        Self { format: FORMAT, sensors, time, recent, previous }
    }

    /// The file: the digest of the JSON, and the JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        let json = serde_json::to_string(self).expect("finite numbers and strings are JSON");
        format!("{}\n{json}", artifact::digest(json.as_bytes())).into_bytes()
    }

    /// Opens a file.
    ///
    /// # Errors
    /// Whatever is not exactly what [`Snapshot::to_bytes`] of this release wrote.
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
    /// It is of others, or its rows are.
    pub fn of(self, sensors: &[String]) -> Result<Self, SnapshotError> {
        let width = sensors.len();
        if self.sensors != sensors {
            return Err(SnapshotError::Foreign { sensors: sensors.to_vec(), got: self.sensors });
        }
        let whole = self.previous.len() == width && self.recent.iter().all(|(_, row)| row.len() == width);
        whole.then_some(self).ok_or(SnapshotError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn snapshot() -> Snapshot {
        let sensors = vec!["speed".to_owned(), "load".to_owned()];
        Snapshot::new(
            sensors,
            "2026-11-22T12:00:00.25Z".parse().unwrap(),
            vec![(at(0), vec![0.1 + 0.2, -1e-300]), (at(1), vec![1e300, 0.0])],
            vec![Some(("2026-11-22T11:59:59Z".parse().unwrap(), 1e300)), None],
        )
    }

    #[test]
    fn what_was_kept_is_read_back_to_the_bit() {
        assert_eq!(Snapshot::from_bytes(&snapshot().to_bytes()).unwrap(), snapshot());
    }

    #[test]
    fn another_format_or_other_sensors_are_refused_in_a_sentence() {
        let newer = Snapshot { format: 3, ..snapshot() };
        assert_eq!(
            Snapshot::from_bytes(&newer.to_bytes()).unwrap_err().to_string(),
            "the snapshot must be of format 2, got 3"
        );
        let foreign = snapshot().of(&["speed".to_owned()]).unwrap_err();
        assert_eq!(foreign.to_string(), "the snapshot must be of the sensors speed, got speed, load");
        let ragged = Snapshot { previous: vec![None], ..snapshot() };
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
