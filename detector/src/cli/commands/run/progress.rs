//! How far training is in; progress bars on a terminal, and the state that the API reads, out.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::ingest::progress::Progress;
use crate::serving::state::State;

/// Training, as the API and the terminal see it.
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

/// Progress bars, on a terminal only.
pub(super) struct Bars(ProgressBar);

impl Bars {
    pub(super) fn new() -> Self {
        let target = if io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let style =
            ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}").expect("a constant template");
        Self(ProgressBar::with_draw_target(None, target).with_style(style))
    }

    fn show(&self, what: &'static str, have: usize, all: usize) {
        self.0.set_message(what);
        self.0.set_length(all as u64);
        self.0.set_position(have as u64);
    }

    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bars {
    fn gathered(&self, have: usize, need: usize) {
        self.show("gathering readings", have, need);
    }

    fn grown(&self, have: usize, all: usize) {
        self.show("growing trees", have, all);
    }
}
