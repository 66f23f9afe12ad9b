//! Lines of a command in; the same lines on the standard output out, or an error where it cannot be written.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use thiserror::Error;

/// The standard output cannot be written, although it is not a closed pipe.
#[derive(Debug, Error)]
#[error("the standard output cannot be written: {0}")]
pub struct StdoutError(#[from] io::Error);

/// Print lines. A closed pipe is not an error: a reader such as `head` stops early.
///
/// # Errors
/// The standard output cannot be written, for example since the disk is full.
pub fn print(lines: impl Display) -> Result<(), StdoutError> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{lines}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Print a line for people on the standard error. Errors are ignored.
pub fn note(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
