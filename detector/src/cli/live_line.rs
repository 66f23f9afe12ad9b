//! What goes on now in, a line at the bottom of the terminal out; what is printed meanwhile comes above it.
//!
//! There is one terminal, and lines, the log and the live line share it: so there is one live line, and those who print ask it to
//! step aside.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::{Mutex, MutexGuard};

/// How often it moves while nothing comes: so that a person sees that the program is alive.
const BEAT: Duration = Duration::from_millis(500);

fn line() -> MutexGuard<'static, Option<ProgressBar>> {
    static LINE: OnceLock<Mutex<Option<ProgressBar>>> = OnceLock::new();
    LINE.get_or_init(Mutex::default).lock()
}

/// Begin, where the standard error is a terminal.
pub fn start() {
    if !io::stderr().is_terminal() {
        return;
    }
    let style = ProgressStyle::with_template("{spinner} {wide_msg}").expect("a constant template");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style);
    bar.enable_steady_tick(BEAT);
    *line() = Some(bar);
}

/// Whether there is one: else nobody needs to make up what it shows.
pub fn is_shown() -> bool {
    line().is_some()
}

/// Show this from now on.
pub fn show(text: String) {
    if let Some(bar) = &*line() {
        bar.set_message(text);
    }
}

/// Print something above it.
pub fn above<T>(print: impl FnOnce() -> T) -> T {
    match &*line() {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}

/// End, and leave nothing of it.
pub fn end() {
    if let Some(bar) = line().take() {
        bar.finish_and_clear();
    }
}

/// The standard error above the live line: for the log.
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        above(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
