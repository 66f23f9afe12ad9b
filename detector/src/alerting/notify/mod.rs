//! Events in; requests to the receivers of the spec out: signed, retried, and sent by one of the replicas.
//! Callers never wait for them.
//!
//! Every replica judges the same readings and makes the same messages, with the same ids. The replica with
//! the lowest address sends a message at once. The others wait, each one `TAKEOVER` longer than the one
//! before it, and then request the state of the message from the other replicas. They send it themselves
//! unless another replica has sent it or is sending it. So a receiver gets a message once, and gets it at
//! least once while any replica runs. If replicas cannot reach each other, it may get the message again, with
//! the same id. No replica talks to the API server: they find each other by the name of a headless Service.

/// An event -> a CloudEvent.
mod cloud_event;
/// A message and a key -> its signature.
mod signature;
/// A message -> the receiver.
mod delivery;
/// The states of the newest messages.
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

/// The most messages to one receiver that wait in its queue.
const QUEUE: usize = 256;
/// The time that a replica waits longer than the replica before it, before it sends a message.
pub const TAKEOVER: Duration = Duration::from_secs(15);

/// The outcome of a message to one receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The receiver accepted it.
    Delivered,
    /// Another replica delivered it.
    DeliveredByPeer,
    /// It was refused, or no retry was left.
    Failed,
    /// The queue was full.
    Dropped,
}

impl DeliveryOutcome {
    /// All outcomes.
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
    /// The folder with the signing keys: one file per notification, with its name.
    pub keys: PathBuf,
    /// The outgoing connections.
    pub outgoing: Outgoing,
    /// The other replicas.
    pub peers: Peers,
    /// The time that this replica waits longer than the replica before it.
    pub takeover: Duration,
    /// The number of retries, and the time between them.
    pub retries: ExponentialBuilder,
}

impl Settings {
    /// Settings with ten attempts within four minutes: a retry after 1 s, then twice as long each time, up to
    /// a minute.
    pub fn new(keys: PathBuf, outgoing: Outgoing, peers: Peers) -> Self {
        let retries = ExponentialBuilder::new()
            .with_min_delay(Duration::from_secs(1))
            .with_max_delay(Duration::from_mins(1))
            .with_factor(2.0)
            .with_max_times(9);
        Self { keys, outgoing, peers, takeover: TAKEOVER, retries }
    }
}

/// Accepts changes of events, and returns at once. Messages to one receiver are delivered one after another,
/// in order; receivers do not wait for each other.
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
    /// Start the notifier of a detector's spec; `None` if the spec has no notifications. `report` is called
    /// for each message, with the name of the notification, the outcome and, for a failure, the reason. Runs
    /// on the current actix runtime, until it is dropped.
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

    /// Notify of a change, if it is an alarm or the end of one. Return the names of the notifications whose
    /// message is [`DeliveryOutcome::Dropped`], because the queue is full.
    pub fn notify(&self, change: &Change) -> Vec<&str> {
        let Some(message) = Message::new(&self.origin, change) else { return Vec::new() };
        let queued = || Queued { message: message.clone(), made: Instant::now() };
        let full = self.queues.iter().filter(|(_, queue)| queue.try_send(queued()).is_err());
        full.map(|(name, _)| name.as_str()).collect()
    }

    /// The states of the newest messages.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

/// The worker that delivers the messages to one receiver.
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

    /// Wait for this replica's turn, and while another one is sending. Return whether another one has
    /// delivered the message.
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

    /// Send the message until it is accepted, refused for good, or no retry is left.
    async fn send(&self, message: &Message) -> Result<(), Failure> {
        let attempt = || self.delivery.send(message, wall_clock::now());
        attempt.retry(self.settings.retries).sleep(tokio::time::sleep).when(Failure::is_transient).await
    }
}

#[cfg(test)]
mod tests;
