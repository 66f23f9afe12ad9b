//! The prometheus source of the spec in; the answers to its queries, for the past and live, out.

/// Requests to a server, and its answers.
mod client;
/// The JSON of an answer.
mod answer;
/// The grammar of queries.
pub mod promql;

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use crd::source::Prometheus;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio::runtime::{self, Runtime};

use self::answer::MAX_POINTS;
use self::client::{Client, ClientError};
use super::access::Access;
use crate::ingest::reading::Readings;
use crate::ingest::source::{
    Batch, CLOCK_CHECK_PERIOD, Feed, Reading, Rows, Source, SourceError, Span, aligned, is_set_back,
};
use crate::outgoing::Outgoing;
use crate::wall_clock;

/// How long after the delay an instant waits for an answer before it is judged without it.
const GRACE: Duration = Duration::from_secs(10);

/// Queries of a Prometheus server.
pub struct Queries {
    server: Server,
    delay: SignedDuration,
}

/// A server, and the queries that it is sent.
#[derive(Clone)]
struct Server {
    url: String,
    credentials: Option<PathBuf>,
    outgoing: Outgoing,
    /// Name and query of each sensor.
    queries: Vec<(String, String)>,
}

impl Queries {
    /// Queries before the first request. `access` has the folder that the source's Secret is mounted as.
    pub fn new(spec: &Prometheus, access: &Access, interval: SignedDuration) -> Self {
        let server = Server {
            url: spec.url.trim_end_matches('/').to_owned(),
            credentials: spec.credentials_secret_ref.as_ref().map(|_| access.credentials.clone()),
            outgoing: access.outgoing.clone(),
            queries: spec.sensors.iter().map(|sensor| (sensor.name.clone(), sensor.query.clone())).collect(),
        };
        let delay = spec.delay.map(|delay| SignedDuration::try_from(Duration::from(delay)));
        Self { server, delay: delay.and_then(Result::ok).unwrap_or(interval) }
    }
}

#[async_trait]
impl Source for Queries {
    fn history(&self, span: Span) -> Result<Rows, SourceError> {
        let known = wall_clock::now() - self.delay;
        let instants = span.instants().take_while(move |instant| *instant <= known);
        let history = History {
            server: self.server.clone(),
            step: span.interval(),
            instants: Box::new(instants),
            rows: VecDeque::new(),
            connection: None,
        };
        Ok(Box::new(history))
    }

    fn max_response_delay(&self) -> Duration {
        Duration::try_from(self.delay).unwrap_or_default() + GRACE
    }

    async fn live(&self, feed: &Feed) -> Result<(), SourceError> {
        let mut client = self.server.client().await?;
        let mut instant = aligned(wall_clock::now(), feed.interval()) - self.delay;
        instant = aligned(instant, feed.interval());
        loop {
            instant = self.due(instant, feed.interval()).await;
            if client.is_outdated() {
                client = self.server.client().await?;
            }
            let batch = self.server.query(&client, instant, feed).await?;
            feed.send(batch).await;
            // What was missed while the server was away stays missing.
            let newest = aligned(wall_clock::now() - self.delay, feed.interval());
            instant = instant.saturating_add(feed.interval()).unwrap_or(instant).max(newest);
        }
    }
}

impl Queries {
    /// Wait until an instant is due. If the clock is set back meanwhile, the next instant by the new time is waited for.
    async fn due(&self, mut instant: Timestamp, interval: SignedDuration) -> Timestamp {
        loop {
            let now = wall_clock::now();
            let wait = instant.duration_since(now) + self.delay;
            if wait <= SignedDuration::ZERO {
                return instant;
            }
            if is_set_back(instant, now - self.delay, interval) {
                instant = aligned(now - self.delay, interval);
            }
            tokio::time::sleep(Duration::try_from(wait).unwrap_or_default().min(CLOCK_CHECK_PERIOD)).await;
        }
    }
}

impl Server {
    async fn client(&self) -> Result<Client, SourceError> {
        Ok(Client::new(&self.url, self.credentials.as_deref(), &self.outgoing).await?)
    }

    /// Query the value of every sensor at an instant. A query that is wrong is reported and does not affect
    /// the others; a server that fails is an error.
    async fn query(&self, client: &Client, time: Timestamp, feed: &Feed) -> Result<Batch, SourceError> {
        let answers = self.queries.iter().map(|(_, query)| client.instant(query, time));
        let answers = join_all(answers).await;
        let mut readings = Vec::with_capacity(answers.len());
        let mut wrong = Vec::new();
        for (sensor, (answer, (name, _))) in answers.into_iter().zip(&self.queries).enumerate() {
            match answer {
                Ok(value) => readings.push(Reading { sensor, time, value }),
                Err(ClientError::Answer(why)) => wrong.push(format!("{name}: {why}")),
                Err(error) => return Err(error.into()),
            }
        }
        if wrong.is_empty() {
            feed.connected();
        } else {
            for why in &wrong {
                feed.refuse(why);
            }
            feed.disconnected(&wrong.join("; "));
        }
        Ok(Batch { readings, complete_to: Some(time), truth: None })
    }
}

/// The history of a span, queried in chunks.
struct History {
    server: Server,
    step: SignedDuration,
    instants: Box<dyn Iterator<Item = Timestamp> + Send>,
    rows: VecDeque<Readings>,
    /// The runtime and the client, after the first query.
    connection: Option<(Runtime, Client)>,
}

impl History {
    /// Query the next chunk and return its first row; none where the span has ended.
    fn query_chunk(&mut self) -> Result<Option<Readings>, SourceError> {
        let instants: Vec<Timestamp> = self.instants.by_ref().take(MAX_POINTS).collect();
        let (Some(first), Some(last)) = (instants.first(), instants.last()) else { return Ok(None) };
        let (runtime, client) = if let Some(connection) = &self.connection {
            connection
        } else {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error: io::Error| SourceError::Server(error.to_string()))?;
            let client = runtime.block_on(self.server.client())?;
            self.connection.insert((runtime, client))
        };
        let (first, last, step) = (*first, *last, self.step);
        let series = self.server.queries.iter().map(|(name, query)| async move {
            let series = client.range(query, first, last, step).await;
            series.map_err(|error| SourceError::Server(format!("{name}: {error}")))
        });
        let series: Vec<_> = runtime.block_on(join_all(series)).into_iter().collect::<Result<_, _>>()?;
        let mut series: Vec<_> = series.into_iter().map(|series| series.into_iter().peekable()).collect();
        for time in instants {
            let values = series.iter_mut().map(|series| {
                while series.next_if(|(at, _)| *at < time).is_some() {}
                series.next_if(|(at, _)| *at == time).and_then(|(_, value)| value)
            });
            self.rows.push_back(Readings { time, values: values.collect(), truth: None });
        }
        Ok(self.rows.pop_front())
    }
}

impl Iterator for History {
    type Item = Result<Readings, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.rows.pop_front() {
            Some(row) => Some(Ok(row)),
            None => self.query_chunk().transpose(),
        }
    }
}
