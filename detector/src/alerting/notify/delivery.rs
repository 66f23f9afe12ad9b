//! A message in, one POST to the webhook out.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use thiserror::Error;

use super::cloud_event::Message;
use super::signature::{KeyError, SigningKey};
use crate::ingest::https::{self, deepest};

/// The longest that an attempt may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// The way to a webhook.
pub struct Delivery {
    http: reqwest::Client,
    url: String,
    key: Option<PathBuf>,
}

/// Why a message was not taken.
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
    /// No answer.
    #[error("the webhook did not answer: {0}")]
    NoAnswer(String),
    /// An answer that is not 2xx.
    #[error("the webhook must answer with a 2xx status, got {0}")]
    Refused(StatusCode),
}

impl Failure {
    /// Whether another attempt may do better. Of the client's errors only these: too slow, too early, too many.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::NoKey { .. } | Self::Key(_) | Self::NoAnswer(_) => true,
            Self::Refused(status) => status.is_server_error() || [408, 425, 429].contains(&status.as_u16()),
        }
    }
}

impl Delivery {
    /// To this URL; signed with the key in this file, if any. The file is read for each attempt: a new key is used at once.
    /// A redirect is not followed: it would lead what was signed for one to another.
    pub fn new(url: String, key: Option<PathBuf>) -> reqwest::Result<Self> {
        let http = https::client().redirect(Policy::none()).timeout(DEADLINE).build()?;
        Ok(Self { http, url, key })
    }

    /// One attempt.
    pub async fn send(&self, message: &Message, now: Timestamp) -> Result<(), Failure> {
        let mut request = self
            .http
            .post(&self.url)
            .header(CONTENT_TYPE, "application/cloudevents+json; charset=utf-8")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", now.as_second());
        if let Some(key) = self.key()? {
            request =
                request.header("webhook-signature", key.sign(&message.id, now.as_second(), &message.body));
        }
        let answer = request.body(message.body.clone()).send().await;
        let status = answer.map_err(|error| Failure::NoAnswer(deepest(&error)))?.status();
        if status.is_success() { Ok(()) } else { Err(Failure::Refused(status)) }
    }

    fn key(&self) -> Result<Option<SigningKey>, Failure> {
        let Some(path) = &self.key else { return Ok(None) };
        let bytes = std::fs::read(path).map_err(|error| Failure::NoKey { path: path.clone(), error })?;
        Ok(Some(SigningKey::new(&bytes)?))
    }
}
