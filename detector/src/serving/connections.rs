//! All connections of a server: their number, their limit, and whether they are to be closed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Waker;

use futures::task::AtomicWaker;
use parking_lot::Mutex;
use rustix::process::{Resource, getrlimit};

use super::budget::usable_memory;

/// The most memory of a connection's buffers, bytes: a head or a part of a body, a part of an answer, and its
/// task.
const CONNECTION_BYTES: usize = 160 << 10;
/// The most connections, even if there is memory for more.
const MAX_CONNECTIONS: usize = 8192;
/// The files that are left for everything but the predict server: probes and scrapes, sources, notifications,
/// files that are read.
const OTHER_FILES: usize = 128;

/// The connections of a server, shared by its threads.
#[derive(Debug)]
pub struct Connections {
    most: usize,
    open: AtomicUsize,
    is_draining: AtomicBool,
    /// The connections without an answer so far, oldest first: they are evicted if there are too many.
    fresh: Mutex<VecDeque<Arc<Fresh>>>,
}

/// An open connection. It is counted until this is dropped.
#[derive(Debug)]
pub struct Open {
    connections: Arc<Connections>,
    fresh: Option<Arc<Fresh>>,
}

/// A connection without an answer so far.
#[derive(Debug, Default)]
struct Fresh {
    is_over: AtomicBool,
    is_evicted: AtomicBool,
    waker: AtomicWaker,
}

/// The most connections of the predict server: as many as fit into half of the memory, and as the limit of
/// open files allows after `OTHER_FILES`.
pub fn most_connections() -> usize {
    let files = getrlimit(Resource::Nofile).current.map_or(usize::MAX, |files| files as usize);
    let by_files = files.saturating_sub(OTHER_FILES).max(files / 4);
    (usable_memory() / 2 / CONNECTION_BYTES).min(by_files).clamp(8, MAX_CONNECTIONS)
}

impl Connections {
    /// No connections yet; at most `most`.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            open: AtomicUsize::new(0),
            is_draining: AtomicBool::new(false),
            fresh: Mutex::new(VecDeque::new()),
        })
    }

    /// The most connections.
    pub fn most(&self) -> usize {
        self.most
    }

    /// The number of open connections.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Start to drain: from now on each answer announces that it is the last of its connection.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether an answer is the last of its connection: the server stops, or fewer than a quarter of the
    /// places are free.
    pub fn is_closing(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed) || self.open() > self.most - self.most / 4
    }

    /// Register a new connection. If there are too many, the oldest one without an answer is evicted.
    pub fn accept(self: &Arc<Self>) -> Open {
        let fresh = Arc::new(Fresh::default());
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        let mut waiting = self.fresh.lock();
        waiting.push_back(fresh.clone());
        if waiting.len() > 2 * self.most {
            waiting.retain(|each| !each.is_over.load(Ordering::Relaxed));
        }
        if open > self.most {
            evict(&mut waiting);
        }
        Open { connections: self.clone(), fresh: Some(fresh) }
    }
}

fn evict(waiting: &mut VecDeque<Arc<Fresh>>) {
    while let Some(oldest) = waiting.pop_front() {
        if !oldest.is_over.load(Ordering::Relaxed) {
            oldest.is_evicted.store(true, Ordering::Relaxed);
            oldest.waker.wake();
            return;
        }
    }
}

impl Open {
    /// Record that the connection had an answer: it cannot be evicted any more.
    pub fn answered(&mut self) {
        if let Some(fresh) = self.fresh.take() {
            fresh.is_over.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the connection had an answer, and so cannot be evicted.
    pub fn is_answered(&self) -> bool {
        self.fresh.is_none()
    }

    /// Whether the connection is evicted to make room for others. If not, `waker` is woken when it is.
    pub fn is_evicted(&self, waker: &Waker) -> bool {
        let Some(fresh) = &self.fresh else { return false };
        fresh.waker.register(waker);
        fresh.is_evicted.load(Ordering::Relaxed)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.answered();
        self.connections.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_are_too_many_the_oldest_unanswered_one_makes_room() {
        let connections = Connections::new(8);
        let mut open: Vec<Open> = (0..8).map(|_| connections.accept()).collect();
        open[0].answered();
        let waker = Waker::noop();
        assert!(open.iter().all(|each| !each.is_evicted(waker)));
        let last = connections.accept();
        let evicted: Vec<bool> = open.iter().map(|each| each.is_evicted(waker)).collect();
        assert_eq!(evicted, [false, true, false, false, false, false, false, false]);
        assert!(!last.is_evicted(waker));
    }

    #[test]
    fn answers_end_connections_when_places_are_few_and_when_the_server_stops() {
        let connections = Connections::new(8);
        let open: Vec<Open> = (0..7).map(|_| connections.accept()).collect();
        assert!(connections.is_closing());
        drop(open);
        assert!(!connections.is_closing() && connections.open() == 0);
        connections.drain();
        assert!(connections.is_closing());
    }
}
