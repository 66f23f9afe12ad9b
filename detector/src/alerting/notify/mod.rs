//! Events in; requests to the receivers of the spec out: signed, tried again, sent by one of the replicas, and never waited
//! for.
//!
//! Every replica judges the same readings and makes the same messages, with the same ids. The replica with the lowest
//! address sends a message at once. The others wait, each one [`TAKEOVER`] longer than the one before it, and then ask the
//! other replicas what became of the message: it is theirs to send where nobody has sent it or is sending it. So a receiver
//! gets a message once, and gets it at least once while any replica runs; where replicas cannot reach each other it may get
//! it again, with the id that it knows. No replica talks to the API server: they find each other by the name of a headless
//! Service.

/// An event -> a CloudEvent.
mod cloud_event;
/// A message and a key -> the headers that prove it.
mod signature;
/// A message -> the receiver.
mod delivery;
/// What became of the newest messages.
pub mod ledger;
/// The other replicas.
pub mod peers;

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use crd::Valid;
use crd::notification::Notification;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::Instant;

use super::event::Change;
use crate::outgoing::Outgoing;
use crate::wall_clock;
use cloud_event::{EventSource, Message};
use delivery::{Delivery, Failure};
use ledger::{Ledger, MessageState};
use peers::Peers;

/// How many messages to one receiver wait while it does not answer.
const QUEUE: usize = 256;
/// How much longer than the replica before it a replica waits before it sends a message.
pub const TAKEOVER: Duration = Duration::from_secs(15);

/// What became of a message to one receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The receiver took it.
    Delivered,
    /// Another replica delivered it.
    DeliveredByPeer,
    /// It was refused, or not taken in time.
    Failed,
    /// Too many waited already.
    Dropped,
}

impl DeliveryOutcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Delivered, Self::DeliveredByPeer, Self::Failed, Self::Dropped];

    /// The value of the `outcome` label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::DeliveredByPeer => "delivered_by_peer",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

/// How messages are sent.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder with the signing keys: a file per notification, of its name.
    pub keys: PathBuf,
    /// What makes connections.
    pub outgoing: Outgoing,
    /// The other replicas.
    pub peers: Peers,
    /// How much longer than the replica before it this one waits.
    pub takeover: Duration,
    /// How often, and how long apart, a message is tried.
    pub retries: ExponentialBuilder,
}

impl Settings {
    /// Ten attempts within four minutes: after 1 s, then twice as long each time, up to a minute.
    pub fn new(keys: PathBuf, outgoing: Outgoing, peers: Peers) -> Self {
        let retries = ExponentialBuilder::new()
            .with_min_delay(Duration::from_secs(1))
            .with_max_delay(Duration::from_mins(1))
            .with_factor(2.0)
            .with_max_times(9);
        Self { keys, outgoing, peers, takeover: TAKEOVER, retries }
    }
}

/// Takes changes of events, and returns at once. Messages to one receiver are delivered one after the other, in order;
/// receivers do not wait for each other.
#[derive(Clone, Debug)]
pub struct Notifier {
    origin: Arc<EventSource>,
    ledger: Arc<Ledger>,
    queues: Vec<(String, Sender<Queued>)>,
}

/// A message, and when it was made.
#[derive(Debug)]
struct Queued {
    message: Message,
    made: Instant,
}

impl Notifier {
    /// The notifier of a detector's spec; none where it names no receiver. `report` is called with the name of the
    /// notification, what became of each message, and of a failure why. Runs on the current actix runtime, until it is
    /// dropped.
    pub fn start(
        detector: &Valid,
        settings: &Settings,
        report: impl Fn(&str, DeliveryOutcome, Option<&str>) + 'static,
    ) -> Option<Self> {
        let notifications = &detector.spec().notifications;
        if notifications.is_empty() {
            return None;
        }
        let (ledger, report) = (Arc::new(Ledger::default()), Rc::new(report));
        let start = |notification: &Notification| {
            let (queue, messages) = mpsc::channel(QUEUE);
            let report = report.clone();
            let worker = Worker::new(notification, settings.clone(), ledger.clone());
            actix_web::rt::spawn(async move { worker.run(messages, &*report).await });
            (notification.name.clone(), queue)
        };
        let queues = notifications.iter().map(start).collect();
        Some(Self { origin: Arc::new(EventSource::new(detector)), ledger, queues })
    }

    /// Notify of a change, if it is one that people are called for: an alarm, and its end. Returns the names of the
    /// notifications whose message is [`DeliveryOutcome::Dropped`], because too many wait already.
    pub fn notify(&self, change: &Change) -> Vec<&str> {
        let Some(message) = Message::new(&self.origin, change) else { return Vec::new() };
        let queued = || Queued { message: message.clone(), made: Instant::now() };
        let full = self.queues.iter().filter(|(_, queue)| queue.try_send(queued()).is_err());
        full.map(|(name, _)| name.as_str()).collect()
    }

    /// What became of the newest messages.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

/// Delivers the messages to one receiver.
struct Worker {
    name: String,
    delivery: Delivery,
    settings: Settings,
    ledger: Arc<Ledger>,
}

impl Worker {
    fn new(notification: &Notification, settings: Settings, ledger: Arc<Ledger>) -> Self {
        let webhook = &notification.webhook;
        let key = webhook.signing_secret_ref.is_some().then(|| settings.keys.join(&notification.name));
        let delivery = Delivery::new(webhook.url.clone(), key, settings.outgoing.clone());
        Self { name: notification.name.clone(), delivery, settings, ledger }
    }

    async fn run(
        &self,
        mut messages: Receiver<Queued>,
        report: &dyn Fn(&str, DeliveryOutcome, Option<&str>),
    ) {
        while let Some(queued) = messages.recv().await {
            match self.settle(&queued).await {
                Ok(outcome) => report(&self.name, outcome, None),
                Err(failure) => {
                    let why = format!("notification {:?}: {failure}", self.name);
                    report(&self.name, DeliveryOutcome::Failed, Some(&why));
                }
            }
        }
    }

    /// Send the message when it is this replica's turn, unless another one has delivered it by then.
    async fn settle(&self, queued: &Queued) -> Result<DeliveryOutcome, Failure> {
        let id = &queued.message.id;
        self.ledger.record(&self.name, id, MessageState::Waiting);
        if self.is_delivered_by_peer(queued).await {
            self.ledger.record(&self.name, id, MessageState::Delivered);
            return Ok(DeliveryOutcome::DeliveredByPeer);
        }
        self.ledger.record(&self.name, id, MessageState::Sending);
        let sent = self.send(&queued.message).await;
        let state = if sent.is_ok() { MessageState::Delivered } else { MessageState::Failed };
        self.ledger.record(&self.name, id, state);
        sent.map(|()| DeliveryOutcome::Delivered)
    }

    /// Wait for this replica's turn, and while another one is sending.
    async fn is_delivered_by_peer(&self, queued: &Queued) -> bool {
        let peers = &self.settings.peers;
        let rank = peers.rank().await;
        if rank == 0 {
            return false;
        }
        let mut turn = queued.made + self.settings.takeover * rank;
        loop {
            tokio::time::sleep_until(turn).await;
            match peers.state_of(&self.name, &queued.message.id).await {
                Some(MessageState::Delivered) => return true,
                Some(MessageState::Sending) => turn = Instant::now() + self.settings.takeover,
                _ => return false,
            }
        }
    }

    /// Send until it is taken, refused for good, or tried often enough.
    async fn send(&self, message: &Message) -> Result<(), Failure> {
        let attempt = || self.delivery.send(message, wall_clock::now());
        attempt.retry(self.settings.retries).sleep(tokio::time::sleep).when(Failure::is_transient).await
    }
}

#[cfg(test)]
mod tests;
