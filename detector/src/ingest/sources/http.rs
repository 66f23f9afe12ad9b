//! The http source of the spec in; an inlet for the readings that requests push out.

/// JSON: an object, an array of objects, or an object a line.
pub mod json;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use crd::source::Http;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::ingest::source::{Batch, Feed, Full, Rows, Source, SourceError, Span};

/// How long nothing may be pushed, or five intervals, before the source counts as away.
const SILENCE: Duration = Duration::from_secs(10);

/// A source that is pushed to.
pub struct Pushed {
    inlet: Arc<Inlet>,
}

/// Where requests put readings.
pub struct Inlet {
    sensors: Vec<String>,
    token: Option<PathBuf>,
    feed: OnceLock<Feed>,
    pushed: Mutex<Option<Instant>>,
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

/// Why whoever pushes may not.
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
    /// A source that nobody has pushed to. `credentials` is the folder that its Secret is mounted as.
    pub fn new(spec: &Http, credentials: &Path) -> Self {
        let inlet = Inlet {
            sensors: spec.sensors.iter().map(|sensor| sensor.name.clone()).collect(),
            token: spec.token_secret_ref.as_ref().map(|secret| credentials.join(&secret.key)),
            feed: OnceLock::new(),
            pushed: Mutex::new(None),
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

    fn pushed(&self) -> Option<Instant> {
        *self.pushed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the value of an Authorization header lets somebody push. The token is read each time: an edited Secret
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

    /// Take readings; all of them or none.
    ///
    /// # Errors
    /// There is no room, or the detector is not that far.
    pub fn push(&self, batch: Batch) -> Result<(), PushError> {
        let feed = self.feed.get().ok_or(PushError::Closed)?;
        if !batch.readings.is_empty() {
            feed.try_send(batch).map_err(|Full(_)| PushError::Full)?;
        }
        *self.pushed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        feed.connected();
        Ok(())
    }

    /// Readings that can be none were pushed, and why.
    pub fn refuse(&self, why: &str) {
        if let Some(feed) = self.feed.get() {
            feed.refuse(why);
        }
    }
}
