//! The replicas of a detector, in an order that all of them agree on; and what each of them knows of a message.

use std::net::SocketAddr;
use std::time::Duration;

use super::ledger::{Entry, MessageState};
use crate::outgoing::{Outgoing, Redirects};

/// The longest that a replica may take to answer.
const DEADLINE: Duration = Duration::from_secs(2);
/// The largest answer that is read, bytes.
const MAX_BYTES: usize = 256 << 10;

/// Where the replicas are. Without a name there is one replica, this one.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    /// `HOST:PORT` each; a host stands for all its addresses, as a headless Service does.
    names: Vec<String>,
    own: Option<SocketAddr>,
    outgoing: Outgoing,
}

impl Peers {
    /// The replicas behind these names, one of which is this one, at `own`.
    pub fn new(names: Vec<String>, own: Option<SocketAddr>, outgoing: Outgoing) -> Self {
        Self { names, own, outgoing }
    }

    /// How many replicas come before this one: 0 for the one that sends at once, and where nobody else is known. They are in
    /// the order of their addresses.
    pub async fn rank(&self) -> u32 {
        let Some(own) = self.own else { return 0 };
        self.others().await.into_iter().filter(|other| *other < own).count() as u32
    }

    /// What became of the message by the replicas that have delivered it or are sending it; the first that answers so
    /// counts. None: no other replica has it.
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

    /// The other replicas that a Service knows, lowest address first. A name that cannot be resolved is nobody's: to send
    /// twice is better than to say nothing.
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
