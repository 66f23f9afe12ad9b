//! The replicas of a detector, in an order that all of them agree on, and the state of a message at each one.

use std::net::SocketAddr;
use std::time::Duration;

use super::ledger::{Entry, MessageState};
use crate::outgoing::{Outgoing, Redirects};

/// The longest time that a replica may take to answer.
const DEADLINE: Duration = Duration::from_secs(2);
/// The largest answer that is read, in bytes.
const MAX_BYTES: usize = 256 << 10;

/// The addresses of the replicas. Without a name, this is the only replica.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    /// `HOST:PORT` each; a host stands for all its addresses, as a headless Service does.
    names: Vec<String>,
    own: Option<SocketAddr>,
    outgoing: Outgoing,
}

impl Peers {
    /// Create the peers behind these names. This replica is one of them, at `own`.
    pub fn new(names: Vec<String>, own: Option<SocketAddr>, outgoing: Outgoing) -> Self {
        Self { names, own, outgoing }
    }

    /// The number of replicas before this one in the order of addresses. It is 0 for the one that sends at
    /// once, and if no other replica is known.
    pub async fn rank(&self) -> u32 {
        let Some(own) = self.own else { return 0 };
        self.others().await.into_iter().filter(|other| *other < own).count() as u32
    }

    /// The state of a message at the first other replica that has delivered it or is sending it; `None` if
    /// there is no such replica.
    pub async fn state_of(&self, notification: &str, id: &str) -> Option<MessageState> {
        for other in self.others().await {
            let entries = self.entries(other).await.unwrap_or_default();
            let entry = entries.into_iter().find(|entry| entry.is_of(notification, id));
            if let Some(Entry { state: state @ (MessageState::Delivered | MessageState::Sending), .. }) =
                entry
            {
                return Some(state);
            }
        }
        None
    }

    /// The addresses of the other replicas, lowest first. A name that cannot be resolved is skipped: to send
    /// a message twice is better than not to send it.
    async fn others(&self) -> Vec<SocketAddr> {
        let mut others = Vec::new();
        for name in &self.names {
            others.extend(tokio::net::lookup_host(name.as_str()).await.into_iter().flatten());
        }
        others.retain(|other| Some(*other) != self.own);
        others.sort();
        others.dedup();
        others
    }

    async fn entries(&self, peer: SocketAddr) -> Option<Vec<Entry>> {
        let url = format!("http://{peer}/notifications").parse().ok()?;
        let client = self.outgoing.client(DEADLINE, Redirects::None).await.ok()?;
        let request = reqwest::Request::new(reqwest::Method::GET, url);
        let mut response = client.execute(request).await.ok()?.error_for_status().ok()?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.ok()? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BYTES {
                return None;
            }
        }
        serde_json::from_slice(&body).ok()
    }
}
