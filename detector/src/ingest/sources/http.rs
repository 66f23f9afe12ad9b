//! The http source of the spec in; an inlet for the readings that requests push out.

/// What a request holds.
pub mod items;
/// JSON: an object, an array of objects, or an object a line.
pub mod json;
/// Which series are of a sensor.
pub mod series;
/// The readings of series.
pub mod collector;
/// Protobuf messages, field by field.
mod wire;
/// Prometheus' remote write.
pub mod remote_write;
/// OpenTelemetry's metrics.
pub mod otlp;
/// What comes too late to count.
mod watermark;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use crd::source::Http;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use thiserror::Error;

use self::collector::Bound;
use self::items::Items;
use self::series::Selectors;
use self::watermark::Watermark;
use crate::ingest::source::{Batch, Feed, Full, Rows, Source, SourceError, Span};

/// How long nothing may be pushed, or five intervals, before the source counts as away.
const SILENCE: Duration = Duration::from_secs(10);
/// The log has at most one line in this time on what is pushed: a program that pushes what is wrong does so each second.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// A source that is pushed to.
pub struct Pushed {
    inlet: Arc<Inlet>,
}

/// Where requests put readings.
pub struct Inlet {
    sensors: Vec<String>,
    selectors: Selectors,
    /// The series of each sensor, while it is pushed.
    bound: Mutex<Vec<Option<Bound>>>,
    watermark: Watermark,
    token: Option<PathBuf>,
    feed: OnceLock<Feed>,
    pushed: Mutex<Option<Instant>>,
    /// When the log got its last line on what was refused or dropped.
    line: Mutex<Option<Instant>>,
    /// Whether the log says that there are series that no sensor selects.
    left_out: OnceLock<()>,
}

/// What became of the readings of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// How many are on their way to be judged.
    pub accepted: usize,
    /// How many are dropped, because what they could count for has been judged.
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

/// Why readings are not taken now.
#[derive(Debug, Error)]
pub enum PushError {
    /// More arrives than is judged.
    #[error("more readings arrive than are judged: send them again in a second")]
    Full,
    /// The detector is about to start.
    #[error("the detector takes no readings yet")]
    Closed,
}

/// Why a client may not push.
#[derive(Debug, Error)]
pub enum Unauthorized {
    /// No token, or another one.
    #[error("expected the header Authorization: Bearer TOKEN with the token of the source's tokenSecretRef")]
    Token,
    /// The Secret is not there.
    #[error("{0}: the token of the source's tokenSecretRef cannot be read")]
    Unreadable(String),
}

impl Pushed {
    /// A source before the first push. `credentials` is the folder that its Secret is mounted as; `staleness`, for how
    /// long a reading stands for its sensor.
    pub fn new(spec: &Http, credentials: &Path, staleness: Duration) -> Self {
        let inlet = Inlet {
            sensors: spec.sensors.iter().map(|sensor| sensor.name.clone()).collect(),
            selectors: Selectors::new(&spec.sensors),
            bound: Mutex::new(spec.sensors.iter().map(|_| None).collect()),
            watermark: Watermark::new(spec.sensors.len(), staleness),
            token: spec.token_secret_ref.as_ref().map(|secret| credentials.join(&secret.key)),
            feed: OnceLock::new(),
            pushed: Mutex::new(None),
            line: Mutex::new(None),
            left_out: OnceLock::new(),
        };
        Self { inlet: Arc::new(inlet) }
    }

    /// Where requests put its readings.
    pub fn inlet(&self) -> Arc<Inlet> {
        self.inlet.clone()
    }
}

#[async_trait]
impl Source for Pushed {
    fn remembers(&self) -> bool {
        false
    }

    fn history(&self, _: Span) -> Result<Rows, SourceError> {
        Ok(Box::new(std::iter::empty()))
    }

    /// It is connected while somebody pushes.
    async fn live(&self, feed: &Feed) -> Result<(), SourceError> {
        let interval = Duration::try_from(feed.interval()).unwrap_or_default();
        let silence = SILENCE.max(interval * 5);
        feed.disconnected("nothing has been pushed yet");
        let _ = self.inlet.feed.set(feed.clone());
        loop {
            tokio::time::sleep(silence / 5).await;
            let quiet = self.inlet.pushed().map(|pushed| pushed.elapsed());
            if quiet.is_some_and(|quiet| quiet > silence) {
                feed.disconnected(&format!("nothing has been pushed for {}s", silence.as_secs()));
            }
        }
    }
}

impl Inlet {
    /// The sensors, in the order of the spec.
    pub fn sensors(&self) -> &[String] {
        &self.sensors
    }

    /// The place of a sensor.
    pub fn sensor(&self, name: &str) -> Option<usize> {
        self.sensors.iter().position(|sensor| sensor == name)
    }

    /// The series of the sensors.
    pub fn selectors(&self) -> &Selectors {
        &self.selectors
    }

    fn bound(&self) -> MutexGuard<'_, Vec<Option<Bound>>> {
        lock(&self.bound)
    }

    /// From one instant to the next; nothing before the detector has started.
    fn interval(&self) -> SignedDuration {
        self.feed.get().map_or(SignedDuration::ZERO, Feed::interval)
    }

    /// The instant at this time has been judged.
    pub fn judge(&self, time: Timestamp) {
        self.watermark.judge(time);
    }

    fn pushed(&self) -> Option<Instant> {
        *lock(&self.pushed)
    }

    /// Whether the value of an Authorization header allows to push. The token is read each time: an edited Secret
    /// needs no restart.
    ///
    /// # Errors
    /// It does not.
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

    /// Take the readings of a request; all of them that are good, or none.
    ///
    /// # Errors
    /// There is no room, or the detector is not that far. Nothing is counted.
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
            self.warn(feed, &why);
        }
        if let Some((_, why)) = named.first() {
            self.refused(feed, refused, why);
        }
        *lock(&self.pushed) = Some(Instant::now());
        feed.connected();
        Ok(receipt)
    }

    /// A request that holds no readings was pushed, and why it does not.
    pub fn refuse(&self, why: &str) {
        if let Some(feed) = self.feed.get() {
            self.refused(feed, 1, why);
        }
    }

    fn refused(&self, feed: &Feed, count: usize, why: &str) {
        feed.status().arrived(count);
        feed.status().refuse(count, why);
        self.warn(feed, &format!("{count} of what was pushed is refused: {why}"));
    }

    fn warn(&self, feed: &Feed, why: &str) {
        let mut line = lock(&self.line);
        if line.is_none_or(|line| line.elapsed() >= BETWEEN_LINES) {
            *line = Some(Instant::now());
            tracing::warn!("source {}: {why}", feed.status().name());
        }
    }

    /// A series was pushed that no sensor selects.
    fn leave_out(&self, series: impl Fn() -> String) {
        if let (Some(feed), Ok(())) = (self.feed.get(), self.left_out.set(())) {
            let name = feed.status().name();
            tracing::info!("source {name}: series that no sensor selects are left out, such as {}", series());
        }
    }
}

/// A panic elsewhere leaves plain values behind, which stay good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The inlet of a source of these sensors.
    pub(super) fn inlet(sensors: &str) -> Arc<Inlet> {
        let spec = serde_json::from_str(&format!(r#"{{"sensors":[{sensors}]}}"#)).unwrap();
        Pushed::new(&spec, Path::new(""), Duration::from_secs(5)).inlet()
    }

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
