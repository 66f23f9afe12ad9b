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

/// The longest that an attempt may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// What is needed to call a webhook.
pub struct Delivery {
    outgoing: Outgoing,
    url: String,
    key: Option<PathBuf>,
}

/// Why a message was not taken. The url is not named: those of chats are secrets.
#[derive(Debug, Error)]
pub enum Failure {
    /// The signing key cannot be read. An unsigned message would be refused, or worse, not be.
    #[error("the webhook was not called: {}: {error}", path.display())]
    NoKey {
        /// Where it should be.
        path: PathBuf,
        /// Why it is not.
        error: std::io::Error,
    },
    /// The file holds no key.
    #[error("the webhook was not called: {0}")]
    Key(#[from] KeyError),
    /// There is no client to call it with.
    #[error("the webhook was not called: {0}")]
    Client(#[from] OutgoingError),
    /// The url is none.
    #[error("the webhook was not called: its url is not valid: {0}")]
    Url(#[from] url::ParseError),
    /// There is no request to make of it.
    #[error("the webhook was not called: {0}")]
    Request(String),
    /// No answer.
    #[error("the webhook did not answer: {0}")]
    NoAnswer(String),
    /// An answer that is not 2xx.
    #[error("the webhook must answer with a 2xx status, got {0}")]
    Refused(StatusCode),
}

impl Failure {
    /// Whether another attempt may do better. Of the client's errors only these: too slow, too early, too many.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NoKey { .. } | Self::Key(_) | Self::Client(_) | Self::NoAnswer(_) => true,
            Self::Url(_) | Self::Request(_) => false,
            Self::Refused(status) => status.is_server_error() || [408, 425, 429].contains(&status.as_u16()),
        }
    }
}

impl Delivery {
    /// To this URL; signed with the key in this file, if any. The file is read for each attempt: a new key is used at once.
    pub fn new(url: String, key: Option<PathBuf>, outgoing: Outgoing) -> Self {
        Self { outgoing, url, key }
    }

    /// One attempt. A redirect is not followed: it would lead what was signed for one to another.
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
