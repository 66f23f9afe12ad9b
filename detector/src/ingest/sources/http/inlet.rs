//! The http source of a spec, and readings that requests push, in; a batch in the source's feed, and a
//! receipt for the request, out.

use std::fs;
use std::hash::RandomState;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crd::source::Http;
use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::items::Items;
use super::series::{Bound, Selectors};
use super::watermark::Watermark;
use crate::ingest::source::{Batch, Feed, Full};

/// The inlet into which requests push the readings of a source.
pub struct Inlet {
    sensors: Vec<String>,
    selectors: Selectors,
    /// Tells series apart.
    hasher: RandomState,
    /// The series of each sensor, while it is pushed.
    bound: Mutex<Vec<Option<Bound>>>,
    watermark: Watermark,
    token: Option<PathBuf>,
    feed: OnceLock<Feed>,
    pushed: Mutex<Option<Instant>>,
    /// Set once the log has a line about series that no sensor selects.
    left_out: OnceLock<()>,
}

/// The outcome of the readings of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The number of readings that were accepted and will be judged.
    pub accepted: usize,
    /// The number of readings that are dropped, because the instants that could use them have been judged.
    pub late: usize,
    /// The instant that was judged last.
    pub judged: Option<Timestamp>,
}

impl Receipt {
    /// One sentence on what is dropped, if anything is.
    pub fn dropped(&self) -> Option<String> {
        let judged = self.judged.filter(|_| self.late > 0)?;
        Some(match self.late {
            1 => format!(
                "1 reading is older than {judged}, up to which readings have been judged: it is dropped"
            ),
            late => {
                format!(
                    "{late} readings are older than {judged}, up to which readings have been judged: they are dropped"
                )
            }
        })
    }
}

/// Why readings are not accepted now.
#[derive(Debug, Error)]
pub enum PushError {
    /// Readings arrive faster than they are judged.
    #[error("readings arrive faster than they are judged: send them again in a second")]
    Full,
    /// The detector has not started yet.
    #[error("the detector does not accept readings yet")]
    Closed,
}

/// Why a client may not push.
#[derive(Debug, Error)]
pub enum Unauthorized {
    /// No token, or another one.
    #[error("expected the header Authorization: Bearer TOKEN with the token of the source's tokenSecretRef")]
    Token,
    /// The Secret cannot be read.
    #[error("{0}: the token of the source's tokenSecretRef cannot be read")]
    Unreadable(String),
}

impl Inlet {
    /// An inlet before the first push. `credentials` is the folder that the source's Secret is mounted as;
    /// `staleness` is the age up to which a sensor's last reading is used.
    pub fn new(spec: &Http, credentials: &Path, staleness: Duration) -> Self {
        Self {
            sensors: spec.sensors.iter().map(|sensor| sensor.name.clone()).collect(),
            selectors: Selectors::new(&spec.sensors),
            hasher: RandomState::new(),
            bound: Mutex::new(spec.sensors.iter().map(|_| None).collect()),
            watermark: Watermark::new(spec.sensors.len(), staleness),
            token: spec.token_secret_ref.as_ref().map(|secret| credentials.join(&secret.key)),
            feed: OnceLock::new(),
            pushed: Mutex::new(None),
            left_out: OnceLock::new(),
        }
    }

    /// From now on requests may push into this feed.
    pub(super) fn open(&self, feed: &Feed) {
        let _ = self.feed.set(feed.clone());
    }

    /// The sensors, in the order of the spec.
    pub fn sensors(&self) -> &[String] {
        &self.sensors
    }

    /// The index of the sensor with this name.
    pub fn sensor(&self, name: &str) -> Option<usize> {
        self.sensors.iter().position(|sensor| sensor == name)
    }

    /// The selectors of the sensors' series.
    pub fn selectors(&self) -> &Selectors {
        &self.selectors
    }

    pub(super) fn hasher(&self) -> &RandomState {
        &self.hasher
    }

    pub(super) fn bound(&self) -> MutexGuard<'_, Vec<Option<Bound>>> {
        self.bound.lock()
    }

    /// The time from one instant to the next; zero before the detector has started.
    pub(super) fn interval(&self) -> SignedDuration {
        self.feed.get().map_or(SignedDuration::ZERO, Feed::interval)
    }

    /// Record that the instant at this time has been judged.
    pub fn judge(&self, time: Timestamp) {
        self.watermark.judge(time);
    }

    /// When something was pushed last.
    pub(super) fn pushed(&self) -> Option<Instant> {
        *self.pushed.lock()
    }

    /// Check that the value of an Authorization header allows to push. The token is read each time: an edited
    /// Secret needs no restart.
    ///
    /// # Errors
    /// The header does not allow it, or the token cannot be read.
    pub fn authorize(&self, header: Option<&str>) -> Result<(), Unauthorized> {
        let Some(path) = &self.token else { return Ok(()) };
        let token = fs::read_to_string(path)
            .map_err(|error| Unauthorized::Unreadable(format!("{}: {error}", path.display())))?;
        let given = header.and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default();
        // Digests take as long to compare wherever the texts differ.
        let digest = |text: &str| Sha256::digest(text.trim().as_bytes());
        let same = !token.trim().is_empty() && digest(given) == digest(&token);
        same.then_some(()).ok_or(Unauthorized::Token)
    }

    /// Accept the valid readings of a request: all of them, or none.
    ///
    /// # Errors
    /// The feed is full, or the detector has not started yet. No reading is counted.
    pub fn push(&self, items: Items) -> Result<Receipt, PushError> {
        let feed = self.feed.get().ok_or(PushError::Closed)?;
        let Items { mut readings, refused, named, .. } = items;
        let late = self.watermark.take_late(&mut readings, feed.interval());
        let receipt = Receipt { accepted: readings.len(), late, judged: self.watermark.judged() };
        if !readings.is_empty() {
            let times: Vec<_> = readings.iter().map(|reading| (reading.sensor, reading.time)).collect();
            feed.try_send(Batch { readings, ..Batch::default() }).map_err(|Full(_)| PushError::Full)?;
            self.watermark.push(&times);
        }
        feed.status().arrived(late);
        feed.status().discard(late);
        if let Some(why) = receipt.dropped() {
            feed.status().warn(&why);
        }
        if let Some((_, why)) = named.first() {
            refuse(feed, refused, why);
        }
        *self.pushed.lock() = Some(Instant::now());
        feed.connected();
        Ok(receipt)
    }

    /// Record that a whole request is refused, and why.
    pub fn refuse(&self, why: &str) {
        if let Some(feed) = self.feed.get() {
            refuse(feed, 1, why);
        }
    }

    /// Log, once, that a series was pushed that no sensor selects.
    pub(super) fn leave_out(&self, series: impl Fn() -> String) {
        if let (Some(feed), Ok(())) = (self.feed.get(), self.left_out.set(())) {
            let name = feed.status().name();
            tracing::info!("source {name}: series that no sensor selects are skipped, such as {}", series());
        }
    }
}

fn refuse(feed: &Feed, count: usize, why: &str) {
    feed.status().arrived(count);
    feed.status().refuse(count, &format!("{count} pushed readings are refused: {why}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_says_what_is_dropped() {
        let judged = Some(Timestamp::UNIX_EPOCH);
        let receipt = |late| Receipt { accepted: 1, late, judged };
        assert_eq!(receipt(0).dropped(), None);
        assert_eq!(
            receipt(2).dropped().unwrap(),
            "2 readings are older than 1970-01-01T00:00:00Z, up to which readings have been judged: they are dropped"
        );
    }
}
