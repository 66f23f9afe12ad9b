//! Running threads and tasks in; whether one of them has ended out. They must run as long as the detector.

use std::sync::Arc;

use parking_lot::Mutex;

/// The threads that must run for the detector to be alive.
#[derive(Clone, Debug, Default)]
pub struct Threads(Arc<Mutex<Option<&'static str>>>);

/// A guard that a thread holds while it runs. Dropping it, at the thread's end or in a panic, records the
/// end.
#[derive(Debug)]
pub struct Running {
    threads: Threads,
    name: &'static str,
}

impl Threads {
    /// Register a thread that runs from now on.
    pub fn runs(&self, name: &'static str) -> Running {
        Running { threads: self.clone(), name }
    }

    /// The name of the first thread that has ended, if any.
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
