//! What outlives a process: models in, models out; and what the newest one remembered.

/// When the training of a stored model ended.
pub mod training_end;
/// What a detector remembers, as a file.
pub mod snapshot;
/// Which of the models that are there serves.
pub mod requirements;
/// A file that others change.
pub mod watched_file;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::files::lock::Lock;
use crate::files::{atomic_write, bounded};
use crate::model::model::Model;
use snapshot::{Snapshot, SnapshotError};

/// The largest snapshot that is read: 64 MiB, a thousand readings of a thousand sensors among it.
const MAX_SNAPSHOT_BYTES: u64 = 64 << 20;

/// A folder of our own, which a restart of the container leaves as it is. No other process uses it while this lives.
#[derive(Clone, Debug)]
pub struct StateDirectory {
    path: PathBuf,
    _lock: Arc<Lock>,
}

impl StateDirectory {
    /// The folder, made if it is not there.
    ///
    /// # Errors
    /// It cannot be made, or another process uses it.
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self { path: path.to_owned(), _lock: Arc::new(Lock::take(path)?) })
    }

    /// Where the model is kept.
    pub fn model(&self) -> PathBuf {
        self.path.join("model")
    }

    /// Where the snapshot is kept.
    pub fn snapshot(&self) -> PathBuf {
        self.path.join("snapshot")
    }

    /// Where the readings are kept that arrive from sources without a memory.
    pub fn readings(&self) -> PathBuf {
        self.path.join("readings")
    }

    /// Keep this model, and not the one before. It is on the disk when this returns.
    ///
    /// # Errors
    /// The disk is full, or not ours.
    pub fn store_model(&self, model: &Model) -> io::Result<()> {
        // A time without its model, or a model without its time, but never the time of another one.
        training_end::remove(&self.model())?;
        atomic_write::write(&self.model(), model.bytes(), atomic_write::Sync::Now)?;
        training_end::write(&self.model(), model.trained_at())
    }

    /// Keep this snapshot. It outlives the process, not the machine.
    ///
    /// # Errors
    /// The disk is full, or not ours.
    pub fn store_snapshot(&self, snapshot: &Snapshot) -> io::Result<()> {
        atomic_write::write(&self.snapshot(), &snapshot.to_bytes(), atomic_write::Sync::Later).map(|_| ())
    }

    /// What was kept last; none where nothing was.
    ///
    /// # Errors
    /// It cannot be read, or is no snapshot.
    pub fn read_snapshot(&self) -> Result<Option<Snapshot>, SnapshotError> {
        match bounded::read(&self.snapshot(), MAX_SNAPSHOT_BYTES) {
            Ok(bytes) => Snapshot::from_bytes(&bytes).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
