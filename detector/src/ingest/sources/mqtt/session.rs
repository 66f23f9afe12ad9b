//! A broker in; its messages, in either version of the protocol (3.1.1 or 5), out.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use rumqttc_v4 as v3;
use rumqttc_v5 as v5;
use rustls::ClientConfig;
use tokio::net::TcpStream;

use crate::outgoing::Outgoing;
use crate::outgoing::failure::deepest;

/// The largest message that is read, in bytes.
const MAX_MESSAGE: u32 = 1 << 20;
/// How often an idle connection is probed, in seconds. A half-open connection is found after two probes.
const KEEP_ALIVE: u16 = 15;
/// How long a broker keeps a persistent session, in seconds; only version 5 can request it.
const KEEP_SESSION: u32 = 3600;
/// The most packets that are read at once.
const BATCH: usize = 128;

/// The settings of a connection to a broker.
pub(super) struct Broker {
    pub(super) wire: Wire,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) client_id: String,
    pub(super) is_persistent: bool,
    pub(super) login: Option<(String, String)>,
    pub(super) outgoing: Outgoing,
}

/// Whether a topic matches a topic filter. Topics that start with `$` are the broker's own: wildcards do not
/// match them.
pub(super) fn matches(topic: &str, filter: &str) -> bool {
    match (topic.strip_prefix('$'), filter.strip_prefix('$')) {
        (None, None) => v3::matches(topic, filter),
        (Some(topic), Some(filter)) => v3::matches(topic, filter),
        _ => false,
    }
}

/// The transport of the protocol; WebSockets have a url.
pub(super) enum Wire {
    Tcp,
    Tls(Arc<ClientConfig>),
    Ws(String),
    Wss(String, Arc<ClientConfig>),
}

/// A connection, or the attempt to make one.
pub(super) enum Connection {
    V3(v3::AsyncClient, Box<v3::EventLoop>),
    V5(v5::AsyncClient, Box<v5::EventLoop>),
}

/// An event from the broker.
pub(super) enum Event {
    /// The answer to a subscription: for each topic filter, why it is refused, if it is.
    Subscribed(Vec<Option<String>>),
    /// A message.
    Message(Message),
    /// An event that does not concern readings.
    Other,
}

/// A message.
pub(super) struct Message {
    pub(super) topic: Bytes,
    pub(super) payload: Bytes,
    /// Whether the broker had retained it: it was published before the subscription.
    pub(super) is_retained: bool,
    /// Its packet identifier, where it has to be acknowledged.
    pub(super) packet: Option<u16>,
    /// Whether it may have been delivered before.
    pub(super) is_redelivered: bool,
}

/// The connection options of a broker; a macro because both libraries have types of the same names.
macro_rules! options {
    ($mqtt:ident, $broker:expr) => {{
        use $mqtt::{Broker as To, MqttOptions, TlsConfiguration, Transport};
        let Broker { wire, host, port, client_id, login, outgoing, .. } = $broker;
        let refused = |error: &dyn std::error::Error| error.to_string();
        let mut options = match wire {
            Wire::Tcp | Wire::Tls(_) => MqttOptions::new(client_id, (host.as_str(), *port)),
            Wire::Ws(url) => MqttOptions::new(client_id, To::websocket(url).map_err(|e| refused(&e))?),
            Wire::Wss(url, tls) => {
                let tls = TlsConfiguration::Rustls(tls.clone());
                MqttOptions::websocket_with_tls_config(client_id, url, tls).map_err(|e| refused(&e))?
            }
        };
        if let Wire::Tls(tls) = wire {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls.clone())));
        }
        if let Some((username, password)) = login {
            options.set_credentials(username, password.clone());
        }
        let (outgoing, host, port) = (outgoing.clone(), host.clone(), *port);
        options.set_socket_connector(move |_, _| connect(outgoing.clone(), host.clone(), port));
        options.set_keep_alive(KEEP_ALIVE);
        options.set_read_batch_size(BATCH);
        options
    }};
}

/// Connect to a broker. All connections are made here, past the address guard.
async fn connect(outgoing: Outgoing, host: String, port: u16) -> io::Result<TcpStream> {
    outgoing.connect(&host, port).await
}

impl Connection {
    /// A connection of version 3.1.1. It is made at the first call of [`Connection::next`].
    ///
    /// # Errors
    /// The url is invalid.
    pub(super) fn v3(broker: &Broker) -> Result<Self, String> {
        let mut options = options!(v3, broker);
        options.set_max_packet_size(MAX_MESSAGE as usize, MAX_MESSAGE as usize);
        options.set_clean_session(!broker.is_persistent);
        let (client, events) = v3::AsyncClient::builder(options).try_build().map_err(|e| e.to_string())?;
        Ok(Self::V3(client, Box::new(events)))
    }

    /// A connection of version 5, made in the same way.
    ///
    /// # Errors
    /// The url is invalid.
    pub(super) fn v5(broker: &Broker) -> Result<Self, String> {
        let mut options = options!(v5, broker);
        options.set_max_packet_size(Some(MAX_MESSAGE));
        options.set_clean_start(!broker.is_persistent);
        if broker.is_persistent {
            options.set_session_expiry_interval(Some(KEEP_SESSION));
            options.set_session_store(NothingInFlight { client_id: broker.client_id.clone() });
        }
        let (client, events) = v5::AsyncClient::builder(options).try_build().map_err(|e| e.to_string())?;
        Ok(Self::V5(client, Box::new(events)))
    }

    /// Subscribe to topics; [`Event::Subscribed`] is the answer.
    ///
    /// # Errors
    /// Too many requests are pending.
    pub(super) fn subscribe(&self, topics: &[String], qos: i32) -> Result<(), String> {
        match self {
            Self::V3(client, _) => {
                let qos = if qos == 0 { v3::QoS::AtMostOnce } else { v3::QoS::AtLeastOnce };
                let filters = topics.iter().map(|topic| v3::SubscribeFilterInput::new(topic.clone(), qos));
                client.try_subscribe_many(filters).map_err(|error| error.to_string())
            }
            Self::V5(client, _) => {
                let qos = if qos == 0 { v5::QoS::AtMostOnce } else { v5::QoS::AtLeastOnce };
                let filters = topics.iter().map(|topic| v5::SubscribeFilterInput::new(topic.clone(), qos));
                client.try_subscribe_many(filters).map_err(|error| error.to_string())
            }
        }
    }

    /// Whether further events have been read, which [`Connection::next`] returns without waiting.
    pub(super) fn has_more(&self) -> bool {
        match self {
            Self::V3(_, events) => !events.state.events.is_empty(),
            Self::V5(_, events) => !events.state.events.is_empty(),
        }
    }

    /// The messages that were read but not returned before the connection broke.
    pub(super) fn left(&mut self) -> Vec<Message> {
        match self {
            Self::V3(_, events) => {
                let messages = events.state.events.drain(..).filter_map(|event| match event {
                    v3::Event::Incoming(v3::Packet::Publish(message)) => Some(v3_message(message)),
                    _ => None,
                });
                messages.collect()
            }
            Self::V5(_, events) => {
                let messages = events.state.events.drain(..).filter_map(|event| match event {
                    v5::Event::Incoming(v5::Packet::Publish(message)) => Some(v5_message(message)),
                    _ => None,
                });
                messages.collect()
            }
        }
    }

    /// Wait for the next event from the broker. Dropping the future loses no event.
    ///
    /// # Errors
    /// The connection cannot be made, or has broken: one sentence.
    pub(super) async fn next(&mut self) -> Result<Event, String> {
        match self {
            Self::V3(_, events) => match events.poll().await {
                Ok(v3::Event::Incoming(v3::Packet::Publish(message))) => {
                    Ok(Event::Message(v3_message(message)))
                }
                Ok(v3::Event::Incoming(v3::Packet::SubAck(answer))) => {
                    Ok(Event::Subscribed(answer.return_codes.iter().copied().map(v3_refusal).collect()))
                }
                Ok(_) => Ok(Event::Other),
                Err(error) => Err(v3_failure(&error)),
            },
            Self::V5(_, events) => match events.poll().await {
                Ok(v5::Event::Incoming(v5::Packet::Publish(message))) => {
                    Ok(Event::Message(v5_message(message)))
                }
                Ok(v5::Event::Incoming(v5::Packet::SubAck(answer))) => {
                    Ok(Event::Subscribed(answer.return_codes.iter().copied().map(v5_refusal).collect()))
                }
                Ok(_) => Ok(Event::Other),
                Err(error) => Err(v5_failure(&error)),
            },
        }
    }
}

fn v3_message(message: v3::Publish) -> Message {
    Message {
        is_retained: message.retain,
        packet: (message.qos != v3::QoS::AtMostOnce).then_some(message.pkid),
        is_redelivered: message.dup,
        topic: message.topic,
        payload: message.payload,
    }
}

fn v5_message(message: v5::Publish) -> Message {
    Message {
        is_retained: message.retain,
        packet: (message.qos != v5::QoS::AtMostOnce).then_some(message.pkid),
        is_redelivered: message.dup,
        topic: message.topic,
        payload: message.payload,
    }
}

/// The session store of a client that only subscribes: it has nothing to keep. Without it the library takes a
/// session that the broker has kept, and this process has not, for one whose state is lost, and subscribes to
/// nothing.
#[derive(Debug)]
struct NothingInFlight {
    client_id: String,
}

type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, v5::SessionStoreError>> + Send + 'a>>;

impl v5::SessionStore for NothingInFlight {
    fn load<'a>(&'a self, _: &'a v5::SessionStoreKey) -> StoreFuture<'a, Option<v5::PersistedSession>> {
        let session = v5::PersistedSession {
            format_version: 1,
            client_id: self.client_id.clone(),
            clean_start: false,
            session_expiry_interval: Some(KEEP_SESSION),
            outgoing_inflight_upper_limit: None,
            ack_mode: v5::PersistedAckMode::Automatic,
            last_pkid: 0,
            last_puback: 0,
            replay: Vec::new(),
            incoming_qos2: Vec::new(),
        };
        Box::pin(std::future::ready(Ok(Some(session))))
    }

    fn save<'a>(&'a self, _: &'a v5::SessionStoreKey, _: &'a v5::PersistedSession) -> StoreFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn clear<'a>(&'a self, _: &'a v5::SessionStoreKey) -> StoreFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

fn v3_refusal(code: v3::SubscribeReasonCode) -> Option<String> {
    match code {
        v3::SubscribeReasonCode::Success(_) => None,
        v3::SubscribeReasonCode::Failure => Some("it gives no reason".to_owned()),
    }
}

fn v5_refusal(code: v5::SubscribeReasonCode) -> Option<String> {
    match code {
        v5::SubscribeReasonCode::Success(_) => None,
        other => Some(words(&other)),
    }
}

fn v3_failure(error: &v3::ConnectionError) -> String {
    match error {
        v3::ConnectionError::ConnectionRefused(code) => {
            format!("the broker refuses the connection: {}", words(code))
        }
        v3::ConnectionError::NetworkTimeout => "no answer within 5s".to_owned(),
        v3::ConnectionError::MqttState(state) => match state {
            v3::StateError::AwaitPingResp => no_answer(),
            v3::StateError::ConnectionAborted => ended(),
            other => plain(&deepest(other)),
        },
        other => plain(&deepest(other)),
    }
}

fn v5_failure(error: &v5::ConnectionError) -> String {
    match error {
        v5::ConnectionError::ConnectionRefused(code) => {
            format!("the broker refuses the connection: {}", words(code))
        }
        v5::ConnectionError::Timeout(_) => "no answer within 5s".to_owned(),
        v5::ConnectionError::MqttState(state) => match state {
            v5::StateError::AwaitPingResp => no_answer(),
            v5::StateError::ConnectionAborted => ended(),
            v5::StateError::ConnFail { reason } => {
                format!("the broker refuses the connection: {}", words(reason))
            }
            v5::StateError::ServerDisconnect { reason_code, reason_string } => {
                let why = reason_string.clone().unwrap_or_else(|| words(reason_code));
                format!("the broker ends the connection: {why}")
            }
            other => plain(&deepest(other)),
        },
        other => plain(&deepest(other)),
    }
}

/// A sentence without the library's prefixes about its own parts.
fn plain(sentence: &str) -> String {
    let sentence = sentence.trim_start_matches("Mqtt serialization/deserialization error: ");
    sentence.trim_start_matches("IO: ").trim_end().to_owned()
}

fn no_answer() -> String {
    format!("the broker has not answered for {KEEP_ALIVE}s")
}

fn ended() -> String {
    "the broker ended the connection".to_owned()
}

/// `NotAuthorized` -> `not authorized`.
fn words(code: &impl std::fmt::Debug) -> String {
    let mut words = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}
