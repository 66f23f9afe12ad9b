//! A query and a time in; the answer of a Prometheus server, limited in size and time, out.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{RequestBuilder, Response};
use thiserror::Error;
use url::Url;

use super::answer::{self, Answer};
use crate::excerpt::excerpt;
use crate::ingest::source::SourceError;
use crate::outgoing::failure::{causes, deepest};
use crate::outgoing::{self, Identity, Outgoing};

/// The timeout of a query at an instant, and that of a query over a span.
const INSTANT_WITHIN: Duration = Duration::from_secs(10);
const RANGE_WITHIN: Duration = Duration::from_mins(1);
/// The most bytes of an answer: 11,000 points take less than 1 MiB.
const MAX_BYTES: usize = 8 << 20;
/// The most characters that are shown of a text that is not an answer.
const MAX_SHOWN: usize = 120;

/// A client of one server.
pub(super) struct Client {
    http: outgoing::Client,
    url: String,
    secret: Option<PathBuf>,
    /// The times at which the certificates of the client were written.
    certificates: Vec<Option<SystemTime>>,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(super) enum ClientError {
    /// The server cannot be reached, or refuses all queries: one sentence.
    #[error("{0}")]
    Server(String),
    /// The query or its result is not valid: one sentence.
    #[error("{0}")]
    Answer(String),
}

impl From<ClientError> for SourceError {
    fn from(error: ClientError) -> Self {
        Self::Server(error.to_string())
    }
}

/// The certificates of a mounted Secret.
const CERTIFICATES: [&str; 3] = ["ca.crt", "tls.crt", "tls.key"];

impl Client {
    /// A client with the certificates of the Secret: those that it trusts, and its own.
    pub(super) async fn new(
        url: &str,
        secret: Option<&Path>,
        outgoing: &Outgoing,
    ) -> Result<Self, ClientError> {
        let file = |name: &str| secret.map(|folder| folder.join(name)).filter(|path| path.exists());
        let identity = file("tls.crt").zip(file("tls.key"));
        let identity = identity.map(|(certificate, key)| Identity { certificate, key });
        let http = outgoing.client_of(file("ca.crt").as_deref(), identity.as_ref(), RANGE_WITHIN).await;
        let http = http.map_err(|error| ClientError::Server(error.to_string()))?;
        let secret = secret.map(Path::to_owned);
        Ok(Self { http, url: url.to_owned(), certificates: written(secret.as_deref()), secret })
    }

    /// Whether the certificates have changed since.
    pub(super) fn is_outdated(&self) -> bool {
        self.certificates != written(self.secret.as_deref())
    }

    /// The value of a query at a time; none where there is none.
    pub(super) async fn instant(&self, query: &str, time: Timestamp) -> Result<Option<f64>, ClientError> {
        let form = [("query", query.to_owned()), ("time", seconds(time))];
        self.query("query", &form, INSTANT_WITHIN, answer::value).await
    }

    /// The values of a query at each step of a span, its last moment included.
    pub(super) async fn range(
        &self,
        query: &str,
        first: Timestamp,
        last: Timestamp,
        step: SignedDuration,
    ) -> Result<Vec<(Timestamp, Option<f64>)>, ClientError> {
        let form = [
            ("query", query.to_owned()),
            ("start", seconds(first)),
            ("end", seconds(last)),
            ("step", format!("{:.3}", step.as_secs_f64())),
        ];
        self.query("query_range", &form, RANGE_WITHIN, answer::points).await
    }

    async fn query<T>(
        &self,
        path: &str,
        form: &[(&str, String)],
        within: Duration,
        read: impl FnOnce(&Answer) -> Result<T, String>,
    ) -> Result<T, ClientError> {
        let url = format!("{}/api/v1/{path}", self.url);
        let url = Url::parse(&url).map_err(|error| ClientError::Server(format!("{url}: {error}")))?;
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self
            .http
            .request(reqwest::Method::POST, url)
            .timeout(within)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        let request = self.authorized(request)?;
        let failed = |error: &(dyn std::error::Error + 'static)| {
            let late =
                causes(error).any(|cause| cause.downcast_ref().is_some_and(reqwest::Error::is_timeout));
            let why = if late { format!("no answer within {}s", within.as_secs()) } else { deepest(error) };
            ClientError::Server(format!("{}: {why}", self.url))
        };
        let request = request.build().map_err(|error| failed(&error))?;
        let response = self.http.execute(request).await.map_err(|error| failed(&*error))?;
        let head = Head::of(&response);
        let bytes =
            bounded(response).await.map_err(|why| ClientError::Server(format!("{}: {why}", self.url)))?;
        let answer = head.answer(&bytes).map_err(|error| match error {
            ClientError::Server(why) => ClientError::Server(format!("{}: {why}", self.url)),
            error @ ClientError::Answer(_) => error,
        })?;
        read(&answer).map_err(ClientError::Answer)
    }

    /// Add the credentials of the Secret to a request. They are read each time: an edited Secret needs no
    /// restart.
    fn authorized(&self, mut request: RequestBuilder) -> Result<RequestBuilder, ClientError> {
        let Some(folder) = &self.secret else { return Ok(request) };
        let key = |name: &str| match fs::read_to_string(folder.join(name)) {
            Ok(text) => Some(text.trim_end().to_owned()),
            Err(_) => None,
        };
        if let Some(token) = key("token") {
            request = request.bearer_auth(token);
        } else if let Some(username) = key("username") {
            request = request.basic_auth(username, key("password"));
        }
        for line in key("headers").unwrap_or_default().lines().filter(|line| !line.trim().is_empty()) {
            let (name, value) = line.split_once(':').ok_or_else(|| {
                ClientError::Server("the Secret's key headers must have lines NAME: VALUE".to_owned())
            })?;
            request = request.header(name.trim(), value.trim());
        }
        Ok(request)
    }
}

/// When each certificate was written; none where there is no such file.
fn written(secret: Option<&Path>) -> Vec<Option<SystemTime>> {
    let written = |name: &str| fs::metadata(secret?.join(name)).and_then(|file| file.modified()).ok();
    CERTIFICATES.iter().map(|name| written(name)).collect()
}

fn seconds(time: Timestamp) -> String {
    let milliseconds = time.as_millisecond();
    format!("{}.{:03}", milliseconds.div_euclid(1000), milliseconds.rem_euclid(1000))
}

/// The body, if it is not too long.
async fn bounded(mut response: Response) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| deepest(&error))? {
        if bytes.len() + chunk.len() > MAX_BYTES {
            return Err(format!("an answer must have at most {MAX_BYTES} bytes"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The parts of a response before its body.
struct Head {
    status: reqwest::StatusCode,
    location: Option<String>,
}

impl Head {
    fn of(response: &Response) -> Self {
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        Self { status: response.status(), location: location.map(str::to_owned) }
    }

    /// The answer in a body, or the error that the server sent instead.
    fn answer(self, body: &[u8]) -> Result<Answer<'_>, ClientError> {
        if let Some(location) = self.location.filter(|_| self.status.is_redirection()) {
            return Err(ClientError::Server(format!(
                "HTTP {}: it redirects to {}: use that url",
                self.status,
                excerpt(&location, MAX_SHOWN)
            )));
        }
        match Answer::read(body) {
            Some(Answer { error: Some(error), .. })
                if self.status.is_client_error()
                    && self.status != 401
                    && self.status != 403
                    && self.status != 404 =>
            {
                Err(ClientError::Answer(error))
            }
            Some(Answer { error: Some(error), .. }) => {
                Err(ClientError::Server(format!("HTTP {}: {error}", self.status)))
            }
            Some(answer) if self.status.is_success() => Ok(answer),
            _ => {
                let text: String = String::from_utf8_lossy(body).trim().chars().take(MAX_SHOWN).collect();
                let text = text.replace(|c: char| c.is_control(), " ");
                Err(ClientError::Server(format!(
                    "HTTP {}: expected Prometheus' JSON, got {text:?}",
                    self.status
                )))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, location: Option<&str>, body: &str) -> String {
        let status = reqwest::StatusCode::from_u16(status).unwrap();
        let head = Head { status, location: location.map(str::to_owned) };
        match head.answer(body.as_bytes()) {
            Ok(_) => "an answer".to_owned(),
            Err(ClientError::Server(why)) => format!("server: {why}"),
            Err(ClientError::Answer(why)) => format!("answer: {why}"),
        }
    }

    #[test]
    fn the_servers_own_words_are_passed_on() {
        let error = r#"{"status":"error","errorType":"execution","error":"found duplicate series"}"#;
        for (status, location, body, sentence) in [
            (200, None, r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#, "an answer"),
            (422, None, error, "answer: found duplicate series"),
            (503, None, error, "server: HTTP 503 Service Unavailable: found duplicate series"),
            (
                401,
                None,
                "Unauthorized\n",
                "server: HTTP 401 Unauthorized: expected Prometheus' JSON, got \"Unauthorized\"",
            ),
            (200, None, "<html>\n<a>", "server: HTTP 200 OK: expected Prometheus' JSON, got \"<html> <a>\""),
            (302, Some("/graph"), "", "server: HTTP 302 Found: it redirects to /graph: use that url"),
            (
                404,
                None,
                "404 page not found",
                "server: HTTP 404 Not Found: expected Prometheus' JSON, got \"404 page not found\"",
            ),
        ] {
            assert_eq!(said(status, location, body), sentence);
        }
    }

    #[test]
    fn times_are_written_in_seconds_with_milliseconds() {
        assert_eq!(seconds(Timestamp::from_millisecond(1_700_000_000_250).unwrap()), "1700000000.250");
        assert_eq!(seconds(Timestamp::from_millisecond(-250).unwrap()), "-1.750");
    }
}
