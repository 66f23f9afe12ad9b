//! Bytes in, a file out that is never half-written, even when the process is killed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// When bytes must be on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sync {
    /// Before the call returns: they survive the machine.
    Now,
    /// When the system likes: they survive the process.
    Later,
}

/// Write beside the file, then rename onto it.
pub(super) fn write(path: &Path, bytes: &[u8], sync: Sync) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    if sync == Sync::Now {
        file.sync_all()?;
    }
    fs::rename(&beside, path)?;
    if sync == Sync::Now
        && let Some(folder) = path.parent()
    {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
