//! All connections of a server: how many there are, how many there may be, and whether they are asked to end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Waker;

use futures::task::AtomicWaker;
use parking_lot::Mutex;
use rustix::process::{Resource, getrlimit};

use super::budget::usable_memory;

/// What a connection holds at most in buffers, bytes: a head or a part of a body, a part of an answer, and its task.
const CONNECTION_BYTES: usize = 160 << 10;
/// The most connections, whatever memory there is.
const MOST: usize = 8192;
/// Files that everything but the predict server needs: probes and scrapes, sources, notifications, files that are read.
const OTHER_FILES: usize = 128;

/// The connections of a server, shared by its threads.
#[derive(Debug)]
pub struct Connections {
    most: usize,
    open: AtomicUsize,
    is_draining: AtomicBool,
    /// Those that have not been answered yet, oldest first: where there are too many, these make room.
    fresh: Mutex<VecDeque<Arc<Fresh>>>,
}

/// A connection, until it is dropped.
#[derive(Debug)]
pub struct Open {
    connections: Arc<Connections>,
    fresh: Option<Arc<Fresh>>,
}

/// A connection that has not been answered yet.
#[derive(Debug, Default)]
struct Fresh {
    is_over: AtomicBool,
    is_evicted: AtomicBool,
    waker: AtomicWaker,
}

/// How many connections the predict server may have: what half of the memory holds, and what the limit of open files leaves
/// when everybody else has theirs.
pub fn most_connections() -> usize {
    let files = getrlimit(Resource::Nofile).current.map_or(usize::MAX, |files| files as usize);
    let by_files = files.saturating_sub(OTHER_FILES).max(files / 4);
    (usable_memory() / 2 / CONNECTION_BYTES).min(by_files).clamp(8, MOST)
}

impl Connections {
    /// None yet; at most so many.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            open: AtomicUsize::new(0),
            is_draining: AtomicBool::new(false),
            fresh: Mutex::new(VecDeque::new()),
        })
    }

    /// How many there may be.
    pub fn most(&self) -> usize {
        self.most
    }

    /// How many there are.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// From now on each answer says that it is the last of its connection.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether an answer is the last of its connection: the server stops, or others need the place.
    pub fn is_closing(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed) || self.open() > self.most - self.most / 4
    }

    /// Another one. Where there are too many, the oldest that has not been answered yet has to go.
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
    /// It has been answered: it has a right to stay.
    pub fn answered(&mut self) {
        if let Some(fresh) = self.fresh.take() {
            fresh.is_over.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it has been answered, and so does not have to make room for others.
    pub fn is_answered(&self) -> bool {
        self.fresh.is_none()
    }

    /// Whether it has to make room for others. If not, `waker` is woken when it has to.
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
