//! A change of an event in, a CloudEvent out: version 1.0, in structured mode, as JSON.

use crd::Valid;
use crd::contract::{EventOutcome, EventReport};
use jiff::Timestamp;
use serde_json::json;

use crate::alerting::event::Change;

/// The detector that sends the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSource {
    namespace: String,
    name: String,
}

/// The id and the body of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The same for every replica that judges the same instants by the same model. Receivers recognize by it
    /// a message that they have already received.
    pub id: String,
    /// The CloudEvent.
    pub body: String,
}

impl EventSource {
    /// Create the source of a detector; a detector without a namespace gets `default`.
    pub fn new(detector: &Valid) -> Self {
        let namespace = detector.detector().metadata.namespace.clone();
        Self { namespace: namespace.unwrap_or_else(|| "default".to_owned()), name: detector.name() }
    }

    /// The path of the detector in the Kubernetes API, without the version.
    fn source(&self) -> String {
        format!("/apis/anomaly.dev/namespaces/{}/anomalydetectors/{}", self.namespace, self.name)
    }
}

impl Message {
    /// The message about a change: a raised alarm, or the end of its event. `None` for events without an
    /// alarm.
    pub fn new(origin: &EventSource, change: &Change) -> Option<Self> {
        match change {
            Change::Alarmed(event) => Some(Self::of(origin, event, "alarmed", event.alarmed_at?)),
            Change::Ended(event) if event.outcome == EventOutcome::Alarmed => {
                Some(Self::of(origin, event, "ended", event.end?))
            }
            Change::Ended(_) => None,
        }
    }

    fn of(origin: &EventSource, event: &EventReport, what: &str, time: Timestamp) -> Self {
        let id = format!("{}/{}/{}/{what}", origin.namespace, origin.name, event.start);
        let body = json!({
            "specversion": "1.0",
            "id": id,
            "source": origin.source(),
            "type": format!("dev.anomaly.event.{what}"),
            "subject": origin.name,
            "time": time,
            "datacontenttype": "application/json",
            "data": event,
        });
        Self { id, body: body.to_string() }
    }
}
