//! What became of each message to each receiver, the newest of them: replicas ask each other for it
//! (`GET :8000/notifications`).

use std::collections::VecDeque;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// How many messages are remembered: those of the longest queue, and as many after them.
const CAPACITY: usize = 512;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MessageState {
    /// It is another replica's turn to send it.
    Waiting,
    /// It is being sent, or will be tried again.
    Sending,
    /// The receiver has it.
    Delivered,
    /// It was refused, or not taken in time.
    Failed,
}

/// A message to one receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The name of the notification in the spec.
    pub notification: String,
    /// The message's id.
    pub id: String,
    /// What became of it.
    pub state: MessageState,
}

/// The newest messages. Shared between threads.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<VecDeque<Entry>>);

impl Ledger {
    /// From now on the message is in this state.
    pub(super) fn record(&self, notification: &str, id: &str, state: MessageState) {
        let mut entries = self.0.lock();
        let known = entries.iter_mut().rev().find(|entry| entry.is_of(notification, id));
        if let Some(entry) = known {
            entry.state = state;
            return;
        }
        if entries.len() == CAPACITY {
            entries.pop_front();
        }
        entries.push_back(Entry { notification: notification.to_owned(), id: id.to_owned(), state });
    }

    /// All that are remembered, newest first.
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
