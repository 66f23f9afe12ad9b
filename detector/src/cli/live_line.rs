//! A status text in; the live line, the last line of the terminal, out. All other output is printed above it.
//!
//! The process has one terminal, which the printed lines, the log and the live line share. So there is one
//! live line for the whole process, and other output must be printed through `above`, which hides the live
//! line meanwhile.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::{Mutex, MutexGuard};

/// The interval at which the live line moves without new readings, to show people that the program runs.
const BEAT: Duration = Duration::from_millis(500);

fn line() -> MutexGuard<'static, Option<ProgressBar>> {
    static LINE: OnceLock<Mutex<Option<ProgressBar>>> = OnceLock::new();
    LINE.get_or_init(Mutex::default).lock()
}

/// Show the live line from now on, where the standard error is a terminal.
pub fn start() {
    if !io::stderr().is_terminal() {
        return;
    }
    let style = ProgressStyle::with_template("{spinner} {wide_msg}").expect("a constant template");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style);
    bar.enable_steady_tick(BEAT);
    *line() = Some(bar);
}

/// Whether the live line is shown. Where it is not, callers need not format a text for it.
pub fn is_shown() -> bool {
    line().is_some()
}

/// Replace the text of the live line.
pub fn show(text: String) {
    if let Some(bar) = &*line() {
        bar.set_message(text);
    }
}

/// Call `print` while the live line is hidden, so that the output appears above it.
pub fn above<T>(print: impl FnOnce() -> T) -> T {
    match &*line() {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}

/// Remove the live line from the terminal.
pub fn end() {
    if let Some(bar) = line().take() {
        bar.finish_and_clear();
    }
}

/// A writer to the standard error, above the live line: for the log.
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        above(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
