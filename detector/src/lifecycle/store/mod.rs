//! The files that outlive a process: models in, models out; and the memory of the newest one.

/// When the training of a stored model ended.
pub mod training_end;
/// The memory of a detector as a file.
pub mod snapshot;
/// Chooses the model that serves among the stored ones.
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

/// The largest snapshot that is read, bytes: 64 MiB, enough for a thousand readings of a thousand sensors.
const MAX_SNAPSHOT_BYTES: u64 = 64 << 20;

/// The detector's own folder, which survives a restart of the container. It is locked against other processes
/// as long as this value lives.
#[derive(Clone, Debug)]
pub struct StateDirectory {
    path: PathBuf,
    _lock: Arc<Lock>,
}

impl StateDirectory {
    /// Open the folder. It is created if it does not exist.
    ///
    /// # Errors
    /// The folder cannot be created, or another process uses it.
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self { path: path.to_owned(), _lock: Arc::new(Lock::take(path)?) })
    }

    /// The path of the stored model.
    pub fn model(&self) -> PathBuf {
        self.path.join("model")
    }

    /// The path of the stored snapshot.
    pub fn snapshot(&self) -> PathBuf {
        self.path.join("snapshot")
    }

    /// The path of the stored readings of sources without a history.
    pub fn readings(&self) -> PathBuf {
        self.path.join("readings")
    }

    /// Store this model in place of the one before. It is on the disk when this returns.
    ///
    /// # Errors
    /// The disk is full, or the folder is not writable.
    pub fn store_model(&self, model: &Model) -> io::Result<()> {
        // After a crash, a model may be without its time, but never with the time of another model.
        training_end::remove(&self.model())?;
        atomic_write::write(&self.model(), model.bytes(), atomic_write::Sync::Now)?;
        training_end::write(&self.model(), model.trained_at())
    }

    /// Store this snapshot. It survives a crash of the process, but not always one of the machine.
    ///
    /// # Errors
    /// The disk is full, or the folder is not writable.
    pub fn store_snapshot(&self, snapshot: &Snapshot) -> io::Result<()> {
        atomic_write::write(&self.snapshot(), &snapshot.to_bytes(), atomic_write::Sync::Later).map(|_| ())
    }

    /// Read the snapshot that was stored last; none if there is none.
    ///
    /// # Errors
    /// The file cannot be read, or is not a valid snapshot.
    pub fn read_snapshot(&self) -> Result<Option<Snapshot>, SnapshotError> {
        match bounded::read(&self.snapshot(), MAX_SNAPSHOT_BYTES) {
            Ok(bytes) => Snapshot::from_bytes(&bytes).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
