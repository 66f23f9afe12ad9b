//! A folder in, a lock out that one process holds at a time. It is released when the process ends or crashes.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// The file that is locked. It is never removed, because two processes could otherwise lock two files of this
/// name.
const FILE: &str = "lock";

/// The lock of a folder. It is released when this value is dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "closing it releases the lock")] File);

impl Lock {
    /// Lock a folder.
    ///
    /// # Errors
    /// Another process holds the lock, or the file cannot be created. On a file system without locks, no
    /// error is returned.
    pub fn take(folder: &Path) -> io::Result<Self> {
        let nofollow = OFlags::NOFOLLOW.bits().cast_signed();
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).custom_flags(nofollow);
        let file = options.open(folder.join(FILE))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(io::Error::new(
                ErrorKind::ResourceBusy,
                "the folder is in use by another detector, each needs one of its own",
            )),
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self(file)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_once_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take(folder.path()).unwrap();
        let refusal = Lock::take(folder.path()).unwrap_err().to_string();
        assert_eq!(refusal, "the folder is in use by another detector, each needs one of its own");
        drop(lock);
        assert!(Lock::take(folder.path()).is_ok());
    }
}
