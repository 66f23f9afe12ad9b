//! Threads and tasks that run as long as the detector does; whether one of them has ended out.

use std::sync::Arc;

use parking_lot::Mutex;

/// The threads that a detector is not alive without.
#[derive(Clone, Debug, Default)]
pub struct Threads(Arc<Mutex<Option<&'static str>>>);

/// A thread that runs, until it is dropped: at its end, and in a panic.
#[derive(Debug)]
pub struct Running {
    threads: Threads,
    name: &'static str,
}

impl Threads {
    /// This one runs from now on.
    pub fn runs(&self, name: &'static str) -> Running {
        Running { threads: self.clone(), name }
    }

    /// The first that has ended.
    pub fn ended(&self) -> Option<&'static str> {
        *self.0.lock()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.threads.0.lock().get_or_insert(self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_panics_has_ended() {
        let threads = Threads::default();
        let running = threads.runs("worker");
        assert_eq!(threads.ended(), None);
        let panicked = std::thread::spawn(move || {
            let _running = running;
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert_eq!(threads.ended(), Some("worker"));
    }
}
