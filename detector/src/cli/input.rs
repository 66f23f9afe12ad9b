//! The path of an input in, its bytes out: `-` is the standard input for every subcommand.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// The whole of a file, or of the standard input for `-`.
///
/// # Errors
/// It cannot be read.
pub fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    if path != Path::new("-") {
        return fs::read(path);
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}
