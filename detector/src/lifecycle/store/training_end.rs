//! The path of a stored model in, the end of its training out: a file beside the model keeps it, since the
//! artifact is a function of its data alone. In a pod the operator mounts both from one ConfigMap.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crd::contract::TRAINED_AT_FILE;
use jiff::Timestamp;

use crate::files::{atomic_write, bounded};

/// The longest file that is read: a time has 30 bytes.
const MAX_BYTES: u64 = 100;

/// Read the time; none if there is no such file, or no time in it.
pub fn read(model: &Path) -> Option<Timestamp> {
    let bytes = bounded::read(&file(model), MAX_BYTES).ok()?;
    std::str::from_utf8(&bytes).ok()?.trim().parse().ok()
}

/// Store the time, if it is known.
///
/// # Errors
/// The disk is full, or the folder is not writable.
pub(super) fn write(model: &Path, trained_at: Option<Timestamp>) -> io::Result<()> {
    trained_at.map_or(Ok(()), |time| {
        atomic_write::write(&file(model), time.to_string().as_bytes(), atomic_write::Sync::Now).map(|_| ())
    })
}

/// Remove the time.
///
/// # Errors
/// The folder is not writable.
pub(super) fn remove(model: &Path) -> io::Result<()> {
    match fs::remove_file(file(model)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn file(model: &Path) -> PathBuf {
    model.with_file_name(TRAINED_AT_FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_lies_beside_its_model_and_is_unknown_without_it() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model");
        let time: Timestamp = "2026-11-22T12:00:07Z".parse().unwrap();
        assert_eq!(read(&model), None);
        write(&model, Some(time)).unwrap();
        assert_eq!(read(&model), Some(time));
        remove(&model).unwrap();
        remove(&model).unwrap();
        write(&model, None).unwrap();
        assert_eq!(read(&model), None);
    }
}
