//! A message in, one POST to the webhook out.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode};
use thiserror::Error;
use url::Url;

use super::cloud_event::Message;
use super::signature::{KeyError, SigningKey};
use crate::outgoing::failure::deepest;
use crate::outgoing::{Outgoing, OutgoingError, Redirects};

/// The longest time that an attempt may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// What is needed to call a webhook.
pub struct Delivery {
    outgoing: Outgoing,
    url: String,
    key: Option<PathBuf>,
}

/// Why a message was not delivered. The URL is not named: the URLs of chats are secrets.
#[derive(Debug, Error)]
pub enum Failure {
    /// The signing key cannot be read. An unsigned message would be refused or, worse, accepted.
    #[error("the webhook was not called: {}: {error}", path.display())]
    NoKey {
        /// The path of the key file.
        path: PathBuf,
        /// The error of reading it.
        error: std::io::Error,
    },
    /// The file does not hold a key.
    #[error("the webhook was not called: {0}")]
    Key(#[from] KeyError),
    /// The HTTP client cannot be created.
    #[error("the webhook was not called: {0}")]
    Client(#[from] OutgoingError),
    /// The URL is not valid.
    #[error("the webhook was not called: its url is not valid: {0}")]
    Url(#[from] url::ParseError),
    /// The request cannot be built.
    #[error("the webhook was not called: {0}")]
    Request(String),
    /// The receiver did not answer.
    #[error("the webhook did not answer: {0}")]
    NoAnswer(String),
    /// The receiver answered with a status other than 2xx.
    #[error("the webhook must answer with a 2xx status, got {0}")]
    Refused(StatusCode),
}

impl Failure {
    /// Whether a retry may succeed. Of the 4xx statuses, only 408 (timeout), 425 (too early) and 429 (too
    /// many requests) are retried.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NoKey { .. } | Self::Key(_) | Self::Client(_) | Self::NoAnswer(_) => true,
            Self::Url(_) | Self::Request(_) => false,
            Self::Refused(status) => status.is_server_error() || [408, 425, 429].contains(&status.as_u16()),
        }
    }
}

impl Delivery {
    /// Create a delivery to this URL, signed with the key in this file, if any. The file is read for each
    /// attempt, so that a new key is used at once.
    pub fn new(url: String, key: Option<PathBuf>, outgoing: Outgoing) -> Self {
        Self { outgoing, url, key }
    }

    /// Make one attempt. Redirects are not followed: they would send the signed message to another receiver.
    pub async fn send(&self, message: &Message, now: Timestamp) -> Result<(), Failure> {
        let now = now.as_second();
        let client = self.outgoing.client(DEADLINE, Redirects::None).await?;
        let mut request = client
            .request(Method::POST, Url::parse(&self.url)?)
            .header(CONTENT_TYPE, "application/cloudevents+json; charset=utf-8")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", now);
        if let Some(key) = self.key()? {
            request = request.header("webhook-signature", key.sign(&message.id, now, &message.body));
        }
        let request =
            request.body(message.body.clone()).build().map_err(|error| Failure::Request(deepest(&error)))?;
        let answer = client.execute(request).await.map_err(|error| Failure::NoAnswer(deepest(&*error)))?;
        if answer.status().is_success() { Ok(()) } else { Err(Failure::Refused(answer.status())) }
    }

    fn key(&self) -> Result<Option<SigningKey>, Failure> {
        let Some(path) = &self.key else { return Ok(None) };
        let bytes = std::fs::read(path).map_err(|error| Failure::NoKey { path: path.clone(), error })?;
        Ok(Some(SigningKey::new(&bytes)?))
    }
}
