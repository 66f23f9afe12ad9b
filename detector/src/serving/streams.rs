//! The requests of an HTTP/2 connection: how many are running, which of them wait for the client to read, and
//! how many the client has cancelled. The deadlines of the connection use these figures.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// The most requests of a connection at once.
pub const MAX_STREAMS: u32 = 64;
/// The longest time that a client may leave a part of an answer unread.
const TAKING: Duration = Duration::from_secs(10);
/// How many requests a client may cancel, beyond two for each answered request.
const MAX_CANCELLED: u64 = 256;

/// The requests of a connection.
#[derive(Debug)]
pub struct Streams {
    under_way: Cell<u64>,
    answered: Cell<u64>,
    cancelled: Cell<u64>,
    /// The time at which the last request ended.
    idle: Cell<Instant>,
    last: Cell<u64>,
    /// The time since which a part of an answer waits for the client, by request.
    waiting: RefCell<BTreeMap<u64, Instant>>,
    /// Notified when the connection is to accept no more requests.
    pub closing: Notify,
}

/// A running request. It ends when this is dropped.
#[derive(Debug)]
pub struct Request {
    streams: Rc<Streams>,
    number: u64,
    is_answered: Cell<bool>,
}

/// Why a connection has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// There has been no request for too long.
    Idle,
    /// The client does not read its answers.
    NotTaken,
    /// The client sends and cancels too many requests.
    Cancelled,
}

impl Streams {
    /// No requests yet.
    pub fn new() -> Rc<Self> {
        Rc::new(Self {
            under_way: Cell::new(0),
            answered: Cell::new(0),
            cancelled: Cell::new(0),
            idle: Cell::new(Instant::now()),
            last: Cell::new(0),
            waiting: RefCell::default(),
            closing: Notify::new(),
        })
    }

    /// Record that a request has arrived.
    pub fn begin(self: &Rc<Self>) -> Request {
        self.under_way.set(self.under_way.get() + 1);
        self.last.set(self.last.get() + 1);
        Request { streams: self.clone(), number: self.last.get(), is_answered: Cell::new(false) }
    }

    /// Whether a request is running.
    pub fn are_under_way(&self) -> bool {
        self.under_way.get() > 0
    }

    /// Whether a request was answered.
    pub fn are_answered(&self) -> bool {
        self.answered.get() > 0
    }

    /// Why the connection has to end, if it has to. It may be idle for `first` before its first request, and
    /// for `idle` after later ones.
    pub fn overdue(&self, first: Duration, idle: Duration) -> Option<Overdue> {
        if self.cancelled.get() > MAX_CANCELLED + 2 * self.answered.get() {
            return Some(Overdue::Cancelled);
        }
        if self.waiting.borrow().values().any(|since| since.elapsed() > TAKING) {
            return Some(Overdue::NotTaken);
        }
        let longest = if self.last.get() == 0 { first } else { idle };
        (!self.are_under_way() && self.idle.get().elapsed() > longest).then_some(Overdue::Idle)
    }
}

impl Request {
    /// Record that a part of the answer is ready for the client.
    pub fn given(&self) {
        self.streams.waiting.borrow_mut().insert(self.number, Instant::now());
    }

    /// Record that the client has taken the part that was ready.
    pub fn taken(&self) {
        self.streams.waiting.borrow_mut().remove(&self.number);
    }

    /// Ask the connection to accept no more requests.
    pub fn close(&self) {
        self.streams.closing.notify_one();
    }

    /// Record that the whole answer was handed over.
    pub fn answered(&self) {
        if !self.is_answered.replace(true) {
            self.streams.answered.set(self.streams.answered.get() + 1);
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.taken();
        let streams = &self.streams;
        streams.under_way.set(streams.under_way.get() - 1);
        streams.idle.set(Instant::now());
        if !self.is_answered.get() {
            streams.cancelled.set(streams.cancelled.get() + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_has_to_end_when_nothing_is_asked_or_taken_or_all_is_taken_back() {
        let streams = Streams::new();
        let (never, at_once) = (Duration::MAX, Duration::ZERO);
        assert_eq!(streams.overdue(at_once, never), Some(Overdue::Idle));
        let request = streams.begin();
        assert!(streams.are_under_way() && !streams.are_answered());
        assert_eq!(streams.overdue(at_once, at_once), None);
        request.given();
        *streams.waiting.borrow_mut().get_mut(&1).unwrap() -= TAKING + Duration::from_secs(1);
        assert_eq!(streams.overdue(never, never), Some(Overdue::NotTaken));
        request.taken();
        assert_eq!(streams.overdue(never, never), None);
        request.answered();
        drop(request);
        assert!(streams.are_answered());
        assert_eq!(streams.overdue(never, at_once), Some(Overdue::Idle));
        (0..=MAX_CANCELLED + 2).for_each(|_| drop(streams.begin()));
        assert_eq!(streams.overdue(never, never), Some(Overdue::Cancelled));
    }
}
