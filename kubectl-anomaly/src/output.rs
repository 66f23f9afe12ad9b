//! Lines in, standard output out.

use std::io::{self, Write};

/// The format of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Text for people
    #[default]
    Text,
    /// JSON, as in the detector's answer
    Json,
}

/// Print a text and a newline to the standard output.
///
/// # Errors
/// The standard output cannot be written, for example because its reader has closed it.
pub fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}
