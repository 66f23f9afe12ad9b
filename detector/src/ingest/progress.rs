//! How far a training is, reported to an observer.

/// Who listens while a model is trained.
pub trait Progress: Sync {
    /// So many of the samples to train on are there.
    fn gathered(&self, have: usize, need: usize);
    /// So many of the trees are grown.
    fn grown(&self, have: usize, all: usize);
}

/// Ignores progress.
pub struct NoProgress;

impl Progress for NoProgress {
    fn gathered(&self, _: usize, _: usize) {}
    fn grown(&self, _: usize, _: usize) {}
}
