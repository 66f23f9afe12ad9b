//! What a command prints in; the standard output out, or an error where it cannot be written.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use thiserror::Error;

/// The standard output cannot be written, though somebody reads it.
#[derive(Debug, Error)]
#[error("the standard output cannot be written: {0}")]
pub struct StdoutError(#[from] io::Error);

/// Print lines. A closed pipe is a reader who has seen enough, as `head` has.
///
/// # Errors
/// The disk is full, for example.
pub fn print(lines: impl Display) -> Result<(), StdoutError> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{lines}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// A line for the person who waits, on standard error; where that is closed, nothing is lost.
pub fn note(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
