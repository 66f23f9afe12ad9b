//! The states of the newest messages to each receiver. Replicas request them from each other
//! (`GET :8000/notifications`).

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::newest::Newest;

/// The number of messages that are kept: twice the capacity of a queue.
const CAPACITY: usize = 512;

/// The state of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MessageState {
    /// It waits for this replica's turn to send it.
    Waiting,
    /// It is being sent, or waits for a retry.
    Sending,
    /// The receiver has accepted it.
    Delivered,
    /// It was refused, or no retry is left.
    Failed,
}

/// A message to one receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The name of the notification in the spec.
    pub notification: String,
    /// The message's id.
    pub id: String,
    /// The message's state.
    pub state: MessageState,
}

/// The newest messages. Shared between threads.
#[derive(Debug)]
pub struct Ledger(Mutex<Newest<Entry>>);

impl Default for Ledger {
    fn default() -> Self {
        Self(Mutex::new(Newest::new(CAPACITY)))
    }
}

impl Ledger {
    /// Record the state of a message.
    pub(super) fn record(&self, notification: &str, id: &str, state: MessageState) {
        let mut entries = self.0.lock();
        let known = entries.iter_mut().rev().find(|entry| entry.is_of(notification, id));
        if let Some(entry) = known {
            entry.state = state;
            return;
        }
        entries.push(Entry { notification: notification.to_owned(), id: id.to_owned(), state });
    }

    /// All messages that are kept, newest first.
    pub fn entries(&self) -> Vec<Entry> {
        self.0.lock().iter().rev().cloned().collect()
    }
}

impl Entry {
    pub(super) fn is_of(&self, notification: &str, id: &str) -> bool {
        self.notification == notification && self.id == id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_one_entry_with_its_newest_state_and_the_oldest_is_forgotten_first() {
        let ledger = Ledger::default();
        for number in 0..=CAPACITY {
            ledger.record("chat", &number.to_string(), MessageState::Sending);
        }
        ledger.record("chat", "7", MessageState::Delivered);
        let entries = ledger.entries();
        assert_eq!((entries.len(), entries[0].id.as_str()), (CAPACITY, "512"));
        assert!(!entries.iter().any(|entry| entry.is_of("chat", "0")));
        let seven: Vec<_> = entries.iter().filter(|entry| entry.is_of("chat", "7")).collect();
        assert_eq!(seven.len(), 1);
        assert_eq!(seven[0].state, MessageState::Delivered);
    }
}
