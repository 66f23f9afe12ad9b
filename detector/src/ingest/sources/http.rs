//! The http source of the spec in; an inlet, into which requests push readings, out.

/// The inlet, into which requests push readings.
pub mod inlet;
/// The readings and refused items of a request.
pub mod items;
/// JSON: an object, an array of objects, or one object per line.
pub mod json;
/// The series of sensors, selected by name and labels.
pub mod series;
/// The readings from series, collected for a request.
pub mod collector;
/// Protobuf messages, field by field.
pub mod wire;
/// Prometheus' remote write.
pub mod remote_write;
/// OpenTelemetry's metrics.
pub mod otlp;
/// The readings that arrive too late to count.
mod watermark;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crd::source::Http;

use self::inlet::Inlet;
use crate::ingest::source::{Feed, Rows, Source, SourceError, Span};

/// The time without a push, or five intervals if that is longer, after which the source is disconnected.
const SILENCE: Duration = Duration::from_secs(10);
/// A source whose readings are pushed by requests.
pub struct Pushed {
    inlet: Arc<Inlet>,
}

impl Pushed {
    /// A source before the first push. `credentials` is the folder that its Secret is mounted as; `staleness`
    /// is the age up to which a sensor's last reading is used.
    pub fn new(spec: &Http, credentials: &Path, staleness: Duration) -> Self {
        let inlet = Inlet::new(spec, credentials, staleness);
        Self { inlet: Arc::new(inlet) }
    }

    /// The inlet into which requests push its readings.
    pub fn inlet(&self) -> Arc<Inlet> {
        self.inlet.clone()
    }
}

#[async_trait]
impl Source for Pushed {
    fn has_history(&self) -> bool {
        false
    }

    fn history(&self, _: Span) -> Result<Rows, SourceError> {
        Ok(Box::new(std::iter::empty()))
    }

    /// The source counts as connected while readings are pushed.
    async fn live(&self, feed: &Feed) -> Result<(), SourceError> {
        let interval = Duration::try_from(feed.interval()).unwrap_or_default();
        let silence = SILENCE.max(interval * 5);
        feed.disconnected("nothing has been pushed yet");
        self.inlet.open(feed);
        loop {
            tokio::time::sleep(silence / 5).await;
            let quiet = self.inlet.pushed().map(|pushed| pushed.elapsed());
            if quiet.is_some_and(|quiet| quiet > silence) {
                feed.disconnected(&format!("nothing has been pushed for {}s", silence.as_secs()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The inlet of a source of these sensors.
    pub(super) fn inlet(sensors: &str) -> Arc<Inlet> {
        let spec = serde_json::from_str(&format!(r#"{{"sensors":[{sensors}]}}"#)).unwrap();
        Pushed::new(&spec, Path::new(""), Duration::from_secs(5)).inlet()
    }
}
