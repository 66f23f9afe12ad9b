//! The http source of the spec in; an inlet for the readings that requests push out.

/// Where requests put readings.
pub mod inlet;
/// What a request holds.
pub mod items;
/// JSON: an object, an array of objects, or an object a line.
pub mod json;
/// Which series are of a sensor.
pub mod series;
/// The readings of series.
pub mod collector;
/// Protobuf messages, field by field.
pub mod wire;
/// Prometheus' remote write.
pub mod remote_write;
/// OpenTelemetry's metrics.
pub mod otlp;
/// What comes too late to count.
mod watermark;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crd::source::Http;

use self::inlet::Inlet;
use crate::ingest::source::{Feed, Rows, Source, SourceError, Span};

/// How long nothing may be pushed, or five intervals, before the source counts as away.
const SILENCE: Duration = Duration::from_secs(10);
/// A source that is pushed to.
pub struct Pushed {
    inlet: Arc<Inlet>,
}

impl Pushed {
    /// A source before the first push. `credentials` is the folder that its Secret is mounted as; `staleness`, for how
    /// long a reading stands for its sensor.
    pub fn new(spec: &Http, credentials: &Path, staleness: Duration) -> Self {
        let inlet = Inlet::new(spec, credentials, staleness);
        Self { inlet: Arc::new(inlet) }
    }

    /// Where requests put its readings.
    pub fn inlet(&self) -> Arc<Inlet> {
        self.inlet.clone()
    }
}

#[async_trait]
impl Source for Pushed {
    fn remembers(&self) -> bool {
        false
    }

    fn history(&self, _: Span) -> Result<Rows, SourceError> {
        Ok(Box::new(std::iter::empty()))
    }

    /// It is connected while somebody pushes.
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
