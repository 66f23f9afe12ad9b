//! `model.load` in; its model out each time that there is a new one, or why there is none.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crd::Valid;
use crd::load::Load;
use forest::artifact;
use tokio::runtime::{self, Runtime};

use super::import_process::Importer;
use super::{LoadError, Mounts, Place, opening, read};
use crate::lifecycle::backoff::Backoff;
use crate::lifecycle::store::watched_file::WatchedFile;
use crate::model::model::Model;
use crate::outgoing::Outgoing;

/// Checks the place of a model periodically: each `refresh`, sooner after a failure, and files as soon as
/// they change.
#[derive(Debug)]
pub struct Loader {
    place: Place,
    sha256: Option<String>,
    refresh: Duration,
    watched: Option<WatchedFile>,
    backoff: Backoff,
    next: Option<Instant>,
    /// The digest of the file that was opened last.
    last: Option<String>,
    importer: Importer,
    runtime: Runtime,
}

/// The result of a check.
#[derive(Debug)]
pub enum Found {
    /// No check was due.
    Nothing,
    /// The same file as before.
    Same,
    /// A new model.
    Model(Arc<Model>),
}

impl Loader {
    /// A loader before its first check.
    ///
    /// # Errors
    /// The URL is not valid, or the system refuses threads.
    pub fn new(load: &Load, mounts: &Mounts, outgoing: Outgoing) -> Result<Self, LoadError> {
        let place = Place::new(load, mounts, outgoing)?;
        let watched = match &place {
            Place::File(path) => Some(WatchedFile::new(path.clone())),
            Place::Remote(_) => None,
        };
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self {
            place,
            sha256: load.sha256.clone(),
            refresh: load.refresh.into(),
            watched,
            backoff: Backoff::default(),
            next: None,
            last: None,
            importer: Importer::this_program(),
            runtime: runtime.map_err(LoadError::Thread)?,
        })
    }

    /// The same, which lets another file of this program read foreign files.
    #[must_use]
    pub fn with_importer(self, importer: Importer) -> Self {
        Self { importer, ..self }
    }

    /// Check the place, if a check is due.
    ///
    /// # Errors
    /// No model can be loaded now; a later call retries.
    pub fn look(&mut self, detector: &Valid) -> Result<Found, LoadError> {
        let now = Instant::now();
        if !self.is_due(now) {
            return Ok(Found::Nothing);
        }
        let found = self.open(detector);
        self.next = Some(match &found {
            Ok(_) => {
                self.backoff.succeeded();
                now + self.refresh
            }
            Err(_) => now + self.backoff.failed(now, self.refresh),
        });
        found
    }

    fn is_due(&mut self, now: Instant) -> bool {
        // Always ask for a change of the file: asking also resets it.
        let changed = self.watched.as_mut().is_some_and(WatchedFile::has_changed);
        changed || self.next.is_none_or(|next| now >= next)
    }

    fn open(&mut self, detector: &Valid) -> Result<Found, LoadError> {
        let bytes = match &self.place {
            Place::File(path) => read(path)?,
            Place::Remote(remote) => self.runtime.block_on(remote.fetch())?,
        };
        let digest = artifact::digest(&bytes);
        if self.last.as_ref() == Some(&digest) {
            return Ok(Found::Same);
        }
        let model = opening::model(bytes, self.sha256.as_deref(), detector, &self.importer)?.loaded();
        self.last = Some(digest);
        Ok(Found::Model(Arc::new(model)))
    }
}
