//! OpenTelemetry's metrics over HTTP, in protobuf or JSON, in; the readings of the sensors that select them,
//! out.
//!
//! A body is an `ExportMetricsServiceRequest` (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>). Each
//! set of attributes of a metric is a series with the metric's name. An attribute is that of the data point,
//! else of the scope, else of the resource. Gauges and sums have readings; histograms and summaries have
//! none.

/// A data point and its attributes.
mod point;
/// In protobuf.
mod protobuf;
/// In JSON.
mod json;

use jiff::Timestamp;

use super::collector::Collector;
use super::inlet::Inlet;
use super::items::Items;

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
}

impl Encoding {
    /// The encoding of a Content-Type.
    pub fn of(content_type: &str) -> Option<Self> {
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/x-protobuf" => Some(Self::Protobuf),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// The readings and refused items of a body that arrived at `now`.
///
/// # Errors
/// The body is not such a message: one sentence.
pub fn items(body: &[u8], encoding: Encoding, inlet: &Inlet, now: Timestamp) -> Result<Items, String> {
    let mut collector = Collector::new(inlet, now);
    let read = match encoding {
        Encoding::Protobuf => protobuf::read(body, &mut collector),
        Encoding::Json => json::read(body, &mut collector),
    };
    read.map_err(|why| format!("expected an ExportMetricsServiceRequest: {why}"))?;
    Ok(collector.finish())
}

#[cfg(test)]
mod tests;
