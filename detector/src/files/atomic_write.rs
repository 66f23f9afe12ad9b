//! Bytes in, a file out that is never half-written, even when the process is killed.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// When bytes must be on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Before the call returns: they survive a crash of the machine.
    Now,
    /// When the system writes them: they survive a crash of the process.
    Later,
}

/// Write a new file beside `path`, rename it to `path`, and return it, open for further writing. A file or
/// link that has the name of the new file is removed first and never written to: a killed process may have
/// left it, and a link may lead elsewhere. A file that a full disk has cut short is removed too.
///
/// # Errors
/// The disk is full, or the folder is not writable.
pub fn write(path: &Path, bytes: &[u8], sync: Sync) -> io::Result<File> {
    let beside = path.with_extension("new");
    remove(&beside)?;
    let written = create(&beside, bytes, sync).and_then(|file| {
        fs::rename(&beside, path)?;
        Ok(file)
    });
    let Ok(file) = written else {
        let _ = remove(&beside); // the first error is the one to report
        return written;
    };
    if sync == Sync::Now
        && let Some(folder) = path.parent()
    {
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}

fn create(path: &Path, bytes: &[u8], sync: Sync) -> io::Result<File> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    if sync == Sync::Now {
        file.sync_all()?;
    }
    Ok(file)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_that_stands_beside_the_file_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("victim"), "mine").unwrap();
        symlink(at("victim"), at("snapshot.new")).unwrap();
        symlink(at("victim"), at("snapshot")).unwrap();
        write(&at("snapshot"), b"new", Sync::Later).unwrap();
        assert_eq!(fs::read(at("victim")).unwrap(), b"mine");
        assert_eq!(fs::read(at("snapshot")).unwrap(), b"new");
        assert!(!at("snapshot").is_symlink());
    }

    #[test]
    fn nothing_is_left_where_the_file_cannot_take_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("model/full")).unwrap(); // a rename onto it fails
        assert!(write(&at("model"), b"new", Sync::Now).is_err());
        assert!(!at("model.new").exists());
    }
}
