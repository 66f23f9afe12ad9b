//! The progress of a training, reported to an observer.

/// An observer of the training of a model.
pub trait Progress: Sync {
    /// `have` of the `need` readings to train on have been read.
    fn gathered(&self, have: usize, need: usize);
    /// `have` of `all` trees have been grown.
    fn grown(&self, have: usize, all: usize);
}

/// Ignores progress.
pub struct NoProgress;

impl Progress for NoProgress {
    fn gathered(&self, _: usize, _: usize) {}
    fn grown(&self, _: usize, _: usize) {}
}
