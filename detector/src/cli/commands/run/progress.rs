//! The progress of a training in; a bar on a terminal, and the state that the API reads, out.

use crate::cli::live_line;
use crate::ingest::progress::Progress;
use crate::serving::state::State;

/// Reports the progress of a training to the API and to the terminal.
pub(super) struct TrainingProgress<'a> {
    pub(super) state: &'a State,
    pub(super) bars: Bars,
}

impl Progress for TrainingProgress<'_> {
    fn gathered(&self, have: usize, need: usize) {
        self.state.gathered(have, need);
        self.bars.gathered(have, need);
    }

    fn grown(&self, have: usize, all: usize) {
        self.bars.grown(have, all);
    }
}

/// Shows the progress of a training as a bar on the live line.
pub(super) struct Bars;

/// The width of a bar in characters.
const CELLS: usize = 30;

impl Bars {
    pub(super) fn show(what: &str, have: usize, all: usize) {
        if live_line::is_shown() {
            let filled = (have * CELLS).checked_div(all).unwrap_or_default().min(CELLS);
            let bar = "█".repeat(filled) + &"░".repeat(CELLS - filled);
            live_line::show(format!("{what} {bar} {have}/{all}"));
        }
    }
}

impl Progress for Bars {
    fn gathered(&self, have: usize, need: usize) {
        Self::show("gathering readings", have, need);
    }

    fn grown(&self, have: usize, all: usize) {
        Self::show("growing trees", have, all);
    }
}
