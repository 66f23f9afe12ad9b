//! The mqtt source of the spec in; the readings in a broker's messages out, as they arrive.

/// A connection to a broker, and its messages.
mod session;
/// The payload of a message.
mod payload;

use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use crd::source::{Mqtt, ProtocolVersion, Session};
use parking_lot::Mutex;
use rustls::ClientConfig;
use tokio::time::Instant;
use url::Url;

use self::payload::{Payload, Place};
use self::session::{Broker, Connection, Event, Message, Wire, matches};
use super::access::Access;
use crate::ingest::connection::random_bits;
use crate::ingest::source::{Batch, Feed, Reading, Rows, Source, SourceError, Span};
use crate::outgoing::{Identity, Outgoing};
use crate::wall_clock;

/// The most readings that are sent on at once.
const MAX_BATCH: usize = 1024;
/// The most topics in the cache of topics and their sensors.
const MAX_TOPICS: usize = 4096;
/// How often a subscription that the broker refuses is retried.
const RETRY_AFTER: Duration = Duration::from_mins(1);

/// A subscription to topics of a broker.
pub struct Subscription {
    spec: Mqtt,
    credentials: Option<PathBuf>,
    outgoing: Outgoing,
    sensors: Vec<Sensor>,
    /// For each packet identifier, a digest of the topic and payload of its last message.
    delivered: Mutex<HashMap<u16, u64>>,
}

struct Sensor {
    name: String,
    /// The topic filter, without the group of a shared subscription.
    filter: String,
    place: Place,
}

impl Subscription {
    /// A source that is not connected yet. `access` has the folder that its Secret is mounted as.
    pub fn new(spec: &Mqtt, access: &Access) -> Self {
        let sensor = |sensor: &crd::source::MqttSensor| Sensor {
            name: sensor.name.clone(),
            filter: unshared(&sensor.topic).to_owned(),
            place: Place { value: sensor.value.clone(), time: sensor.time.clone() },
        };
        Self {
            spec: spec.clone(),
            credentials: spec.credentials_secret_ref.as_ref().map(|_| access.credentials.clone()),
            outgoing: access.outgoing.clone(),
            sensors: spec.sensors.iter().map(sensor).collect(),
            delivered: Mutex::default(),
        }
    }
}

/// The filter of a shared subscription, `$share/GROUP/FILTER`.
fn unshared(topic: &str) -> &str {
    let shared = topic.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
    shared.map_or(topic, |(_, filter)| filter)
}

#[async_trait]
impl Source for Subscription {
    fn has_history(&self) -> bool {
        false
    }

    fn history(&self, _: Span) -> Result<Rows, SourceError> {
        Ok(Box::new(std::iter::empty()))
    }

    async fn live(&self, feed: &Feed) -> Result<(), SourceError> {
        let failed = |why: String| SourceError::Server(format!("{}: {why}", self.spec.url));
        let mut connection = self.connection().map_err(failed)?;
        let mut topics = Topics::of(self);
        connection.subscribe(&topics.requested, self.qos()).map_err(failed)?;
        let mut subscribed_at = Instant::now();
        let mut batch = Batch::default();
        loop {
            tokio::select! {
                event = connection.next() => match event {
                    Ok(Event::Message(message)) => self.read(&message, &mut topics, feed, &mut batch.readings),
                    Ok(Event::Subscribed(refusals)) => {
                        topics.answered(refusals);
                        match topics.refusal() {
                            None => feed.connected(),
                            Some(why) => feed.disconnected(&format!("{}: {why}", self.spec.url)),
                        }
                    }
                    Ok(Event::Other) => {}
                    Err(why) => {
                        for message in connection.left() {
                            self.read(&message, &mut topics, feed, &mut batch.readings);
                        }
                        feed.send(std::mem::take(&mut batch)).await;
                        return Err(failed(why));
                    }
                },
                () = tokio::time::sleep_until(subscribed_at + RETRY_AFTER), if topics.refusal().is_some() => {
                    subscribed_at = Instant::now();
                    topics.retry_refused();
                    connection.subscribe(&topics.requested, self.qos()).map_err(failed)?;
                }
            }
            let is_due = !connection.has_more() || batch.readings.len() >= MAX_BATCH;
            if is_due && !batch.readings.is_empty() {
                feed.send(std::mem::take(&mut batch)).await;
            }
        }
    }
}

impl Subscription {
    fn qos(&self) -> i32 {
        self.spec.qos.unwrap_or_default()
    }

    /// Prepare a connection. The Secret is read each time: an edited one needs no restart.
    fn connection(&self) -> Result<Connection, String> {
        let url = Url::parse(&self.spec.url).map_err(|error| error.to_string())?;
        let (is_tls, port) = match url.scheme() {
            "mqtts" => (true, 8883),
            "wss" => (true, 443),
            "ws" => (false, 80),
            _ => (false, 1883),
        };
        let tls = is_tls.then(|| self.tls()).transpose()?;
        let wire = match (url.scheme().starts_with("ws"), tls) {
            (false, None) => Wire::Tcp,
            (false, Some(tls)) => Wire::Tls(tls),
            (true, None) => Wire::Ws(self.spec.url.clone()),
            (true, Some(tls)) => Wire::Wss(self.spec.url.clone(), tls),
        };
        let host = url.host_str().ok_or("the url has no host")?;
        let broker = Broker {
            wire,
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: url.port().unwrap_or(port),
            client_id: self.spec.client_id.clone().unwrap_or_else(new_client_id),
            is_persistent: self.spec.session == Some(Session::Persistent),
            login: self.key("username").map(|name| (name, self.key("password").unwrap_or_default())),
            outgoing: self.outgoing.clone(),
        };
        match self.spec.protocol_version.unwrap_or_default() {
            ProtocolVersion::V3 => Connection::v3(&broker),
            ProtocolVersion::V5 => Connection::v5(&broker),
        }
    }

    fn file(&self, key: &str) -> Option<PathBuf> {
        self.credentials.as_ref().map(|folder| folder.join(key)).filter(|path| path.exists())
    }

    fn key(&self, key: &str) -> Option<String> {
        let text = fs::read_to_string(self.file(key)?).ok()?;
        Some(text.trim_end().to_owned())
    }

    fn tls(&self) -> Result<Arc<ClientConfig>, String> {
        let identity = self.file("tls.crt").zip(self.file("tls.key"));
        let identity = identity.map(|(certificate, key)| Identity { certificate, key });
        let config = self.outgoing.tls_of(self.file("ca.crt").as_deref(), identity.as_ref());
        config.map(Arc::new).map_err(|error| error.to_string())
    }

    /// Add the readings in a message to `readings`: one of each sensor whose topic filter it matches.
    fn read(&self, message: &Message, topics: &mut Topics, feed: &Feed, readings: &mut Vec<Reading>) {
        let sensors = topics.sensors(&self.sensors, &message.topic);
        if self.is_duplicate(message) {
            return feed.discard(sensors.len());
        }
        let mut payload = Payload::new(&message.payload);
        for &sensor in &*sensors {
            let Sensor { name, place, .. } = &self.sensors[sensor];
            match payload.reading(place) {
                Err(why) => feed.refuse(&format!("{name}: {why}")),
                // The time of a retained message is known only from its payload.
                Ok((_, None)) if message.is_retained => feed.discard(1),
                Ok((value, time)) => {
                    readings.push(Reading { sensor, time: time.unwrap_or_else(wall_clock::now), value });
                }
            }
        }
    }

    /// Whether a message was read before and is delivered again because its acknowledgement was lost.
    fn is_duplicate(&self, message: &Message) -> bool {
        let Some(packet) = message.packet else { return false };
        let mut hasher = DefaultHasher::new();
        (&*message.topic, &*message.payload).hash(&mut hasher);
        let digest = hasher.finish();
        let mut delivered = self.delivered.lock();
        let before = delivered.insert(packet, digest);
        message.is_redelivered && before == Some(digest)
    }
}

/// A client identifier that every broker takes: letters and digits, at most 23.
fn new_client_id() -> String {
    format!("anomaly{:016x}", random_bits())
}

/// The topics of a subscription.
struct Topics {
    /// The topic filters of the last request to subscribe.
    requested: Vec<String>,
    /// The topic filters that the broker refuses, and why.
    refused: Vec<(String, String)>,
    /// The sensors of each topic that was seen.
    seen: HashMap<Bytes, Arc<[usize]>>,
}

impl Topics {
    fn of(subscription: &Subscription) -> Self {
        let mut requested: Vec<String> = Vec::new();
        for sensor in &subscription.spec.sensors {
            if !requested.contains(&sensor.topic) {
                requested.push(sensor.topic.clone());
            }
        }
        Self { requested, refused: Vec::new(), seen: HashMap::new() }
    }

    fn answered(&mut self, refusals: Vec<Option<String>>) {
        let answers = self.requested.iter().zip(refusals);
        self.refused = answers.filter_map(|(topic, why)| Some((topic.clone(), why?))).collect();
    }

    fn refusal(&self) -> Option<String> {
        let (topic, why) = self.refused.first()?;
        Some(format!("the broker refuses the subscription to {topic}: {why}"))
    }

    fn retry_refused(&mut self) {
        self.requested = self.refused.iter().map(|(topic, _)| topic.clone()).collect();
    }

    /// The sensors whose topic filter matches a topic.
    fn sensors(&mut self, sensors: &[Sensor], topic: &Bytes) -> Arc<[usize]> {
        if let Some(known) = self.seen.get(topic) {
            return known.clone();
        }
        let name = String::from_utf8_lossy(topic);
        let matching = sensors.iter().enumerate().filter(|(_, sensor)| matches(&name, &sensor.filter));
        let matching: Arc<[usize]> = matching.map(|(index, _)| index).collect();
        if self.seen.len() < MAX_TOPICS {
            self.seen.insert(topic.clone(), matching.clone());
        }
        matching
    }
}
