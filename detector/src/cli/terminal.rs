//! A stream in; whether it is a terminal, its width, and texts with colours and bars for it, out.

use std::env;
use std::io::IsTerminal;
use std::os::fd::AsFd;

/// A colour with its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// An alarm.
    Red,
    /// Anomalous without an alarm.
    Yellow,
    /// Normal.
    Green,
    /// Less important than the rest.
    Grey,
}

/// Whether texts are coloured: on a terminal, without `NO_COLOR` (<https://no-color.org>) or `TERM=dumb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint(bool);

impl Paint {
    /// The setting for this stream.
    pub fn of(stream: &impl IsTerminal) -> Self {
        let is_refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self(stream.is_terminal() && !is_refused && env::var_os("TERM").is_none_or(|term| term != "dumb"))
    }

    /// No colours.
    pub const PLAIN: Self = Self(false);

    /// The text in this colour.
    pub fn paint(self, colour: Colour, text: &str) -> String {
        if !self.0 {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Red => "1;31",
            Colour::Yellow => "33",
            Colour::Green => "32",
            Colour::Grey => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// The width of a terminal in columns, 80 where it is not known; `None` where the stream is not a terminal.
pub fn columns(stream: &(impl IsTerminal + AsFd)) -> Option<usize> {
    const DEFAULT_COLUMNS: usize = 80;
    let size = || rustix::termios::tcgetwinsize(stream).ok().map(|size| usize::from(size.ws_col));
    stream.is_terminal().then(|| size().filter(|columns| *columns > 0).unwrap_or(DEFAULT_COLUMNS))
}

/// The width of the bar in characters, without the mark of the threshold.
const CELLS: usize = 20;

/// The severity, 0 to 2, as a bar whose middle is the threshold.
pub fn severity_bar(severity: f64) -> String {
    let filled = (severity.clamp(0.0, 2.0) / 2.0 * CELLS as f64).round() as usize;
    let cell = |at: usize| if at < filled { '█' } else { '░' };
    let (low, high): (String, String) =
        ((0..CELLS / 2).map(cell).collect(), (CELLS / 2..CELLS).map(cell).collect());
    format!("{low}│{high}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_half_full_at_the_threshold() {
        assert_eq!(severity_bar(0.0), "░░░░░░░░░░│░░░░░░░░░░");
        assert_eq!(severity_bar(1.0), "██████████│░░░░░░░░░░");
        assert_eq!(severity_bar(1.5), "██████████│█████░░░░░");
        assert_eq!(severity_bar(7.0), "██████████│██████████");
    }

    #[test]
    fn plain_text_has_no_colours() {
        assert_eq!(Paint::PLAIN.paint(Colour::Red, "alarm"), "alarm");
        assert_eq!(Paint(true).paint(Colour::Red, "alarm"), "\x1b[1;31malarm\x1b[0m");
    }
}
