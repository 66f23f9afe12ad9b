//! The path of an input in, its bytes out: `-` is the standard input for every subcommand.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use forest::available_memory;

use crate::files::bounded::TooLarge;

/// The largest file that is read whole: 256 MiB, and at most half of the available memory.
const MAX_BYTES: u64 = 256 << 20;

fn most_bytes() -> u64 {
    available_memory().map_or(MAX_BYTES, |available| (available / 2).min(MAX_BYTES))
}

/// Read a whole file, or the whole standard input for `-`. The file may be a pipe, such as a shell's
/// `<(...)`.
///
/// # Errors
/// The file cannot be read, or is larger than 256 MiB or than half of the available memory.
pub fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    if path == Path::new("-") { read(io::stdin().lock(), 0, most_bytes()) } else { read_file(path) }
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let (size, most) = (file.metadata()?.len(), most_bytes());
    check(size, most)?;
    read(file, size, most)
}

fn read(source: impl Read, size: u64, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(size as usize);
    source.take(most + 1).read_to_end(&mut bytes)?;
    check(bytes.len() as u64, most)?;
    Ok(bytes)
}

fn check(got: u64, most: u64) -> io::Result<()> {
    if got <= most { Ok(()) } else { Err(io::Error::new(ErrorKind::FileTooLarge, TooLarge { most, got })) }
}
