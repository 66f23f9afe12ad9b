//! A path in, the bytes of the regular file behind it out, up to a limit. Other kinds of files are refused: a
//! pipe without a writer would block the reader forever, and a device has no end.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use thiserror::Error;

/// The file is larger than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the file must be at most {most} bytes, got {got}")]
pub struct TooLarge {
    /// The limit in bytes.
    pub most: u64,
    /// The file's size in bytes, or more than the limit if the file grows while it is read.
    pub got: u64,
}

/// Read a complete regular file of at most `most` bytes. An error of the kind [`ErrorKind::FileTooLarge`]
/// holds [`TooLarge`].
///
/// # Errors
/// The file cannot be read, is not a regular file, or is too large. Its size is checked before it is read.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let size = file.metadata()?.len();
    check(size, most)?;
    let mut bytes = Vec::with_capacity(size as usize);
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    check(bytes.len() as u64, most)?;
    Ok(bytes)
}

/// Open a regular file for reading.
///
/// # Errors
/// The file cannot be read, or is not a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    // Without the flag, opening a pipe waits for a writer.
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    let what = if kind.is_dir() { "a directory" } else { "a pipe, a socket or a device" };
    Err(io::Error::new(ErrorKind::InvalidInput, format!("expected a regular file, got {what}")))
}

fn check(got: u64, most: u64) -> io::Result<()> {
    if got <= most { Ok(()) } else { Err(io::Error::new(ErrorKind::FileTooLarge, TooLarge { most, got })) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "four").unwrap();
        assert_eq!(read(&path, 4).unwrap(), b"four");
        let refusal = read(&path, 3).unwrap_err();
        assert_eq!(refusal.to_string(), "the file must be at most 3 bytes, got 4");
        File::create(&path).unwrap().set_len(6 << 30).unwrap();
        assert_eq!(
            read(&path, 1 << 20).unwrap_err().to_string(),
            "the file must be at most 1048576 bytes, got 6442450944"
        );
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
        assert_eq!(
            read(&pipe, 1).unwrap_err().to_string(),
            "expected a regular file, got a pipe, a socket or a device"
        );
        assert_eq!(
            read(folder.path(), 1).unwrap_err().to_string(),
            "expected a regular file, got a directory"
        );
        assert!(read(Path::new("/dev/zero"), 1).is_err());
    }
}
