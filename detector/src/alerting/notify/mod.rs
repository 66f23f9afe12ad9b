//! What others are to hear of events in; requests to the webhook of the spec out, signed, tried again, and never waited for.

/// A change of an event -> a CloudEvent.
mod cloud_event;
/// A message and a key -> the headers that prove it.
mod signature;
/// A message -> the webhook.
mod delivery;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crd::Valid;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::alerting::event::Change;
use cloud_event::{EventSource, Message};
use delivery::{Delivery, Failure};

/// How many messages wait while the webhook does not answer.
const QUEUE: usize = 256;

/// What came of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The webhook took it.
    Delivered,
    /// It was refused, or not taken in time.
    Failed,
    /// Too many waited already.
    Dropped,
}

impl DeliveryOutcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Delivered, Self::Failed, Self::Dropped];

    /// The value of the `outcome` label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

/// How often a message is tried, and how long to wait in between: twice as long each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Attempts, the first included.
    pub attempts: u32,
    /// Before the second attempt.
    pub first_wait: Duration,
    /// At most.
    pub longest_wait: Duration,
}

impl Default for Retries {
    /// Ten attempts within four minutes.
    fn default() -> Self {
        Self { attempts: 10, first_wait: Duration::from_secs(1), longest_wait: Duration::from_mins(1) }
    }
}

impl Retries {
    /// How long to wait after so many attempts; none where there is no other.
    fn wait(&self, attempts: u32) -> Option<Duration> {
        let doubled = self.first_wait.saturating_mul(1 << (attempts - 1).min(20));
        (attempts < self.attempts).then(|| doubled.min(self.longest_wait))
    }
}

/// Takes changes of events, and returns at once. Messages are delivered one after the other, in order.
#[derive(Clone, Debug)]
pub struct Notifier {
    origin: Arc<EventSource>,
    queue: Sender<Message>,
}

impl Notifier {
    /// The notifier of a detector's spec; none where it names no webhook. `key` is the file that holds the signing key, where
    /// the spec asks for signatures. `told` hears what comes of each message, and of a failure why. Runs on the current actix
    /// runtime, until it is dropped.
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub fn start(
        detector: &Valid,
        key: PathBuf,
        retries: Retries,
        told: impl Fn(DeliveryOutcome, Option<&str>) + 'static,
    ) -> Result<Option<Self>, reqwest::Error> {
        let Some(webhook) = detector.spec().notify.as_ref().and_then(|notify| notify.webhook.as_ref()) else {
            return Ok(None);
        };
        let key = webhook.signing_secret.is_some().then_some(key);
        let delivery = Delivery::new(webhook.url.clone(), key)?;
        let (queue, messages) = mpsc::channel(QUEUE);
        actix_web::rt::spawn(deliver(delivery, retries, messages, told));
        Ok(Some(Self { origin: Arc::new(EventSource::new(detector)), queue }))
    }

    /// Tell of a change, if it is one that people are called for: an alarm, and its end.
    ///
    /// # Errors
    /// [`DeliveryOutcome::Dropped`] where too many messages wait already.
    pub fn tell(&self, change: &Change) -> Result<(), DeliveryOutcome> {
        let Some(message) = Message::new(&self.origin, change) else { return Ok(()) };
        self.queue.try_send(message).map_err(|_| DeliveryOutcome::Dropped)
    }
}

async fn deliver(
    delivery: Delivery,
    retries: Retries,
    mut messages: Receiver<Message>,
    told: impl Fn(DeliveryOutcome, Option<&str>),
) {
    while let Some(message) = messages.recv().await {
        match attempt(&delivery, &retries, &message).await {
            Ok(()) => told(DeliveryOutcome::Delivered, None),
            Err(failure) => told(DeliveryOutcome::Failed, Some(&failure.to_string())),
        }
    }
}

/// Send a message until it is taken, refused for good, or tried often enough.
async fn attempt(delivery: &Delivery, retries: &Retries, message: &Message) -> Result<(), Failure> {
    let mut attempts = 0;
    loop {
        let failure = match delivery.send(message, jiff::Timestamp::now()).await {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        attempts += 1;
        match retries.wait(attempts).filter(|_| failure.may_pass()) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => return Err(failure),
        }
    }
}

#[cfg(test)]
mod tests;
