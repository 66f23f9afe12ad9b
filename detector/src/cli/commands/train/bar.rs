//! The progress of a training in; a bar on a terminal out, and nothing in a pipe.

use indicatif::{ProgressBar, ProgressStyle};

use crate::ingest::progress::Progress;

/// The bar of one training. It disappears when it is dropped.
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// Create the bar. It is not shown before the first progress.
    pub(super) fn new() -> Self {
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}")
            .expect("the template is well-formed: a test trains");
        Self(ProgressBar::no_length().with_style(style))
    }

    fn show(&self, what: &'static str, have: usize, all: usize) {
        self.0.set_message(what);
        self.0.set_length(all as u64);
        self.0.set_position(have as u64);
    }
}

impl Progress for Bar {
    fn gathered(&self, have: usize, need: usize) {
        self.show("gathering readings", have, need);
    }

    fn grown(&self, have: usize, all: usize) {
        self.show("growing trees", have, all);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
