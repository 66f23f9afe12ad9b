//! OpenTelemetry's metrics over HTTP in, protobuf or JSON; the readings of the sensors that they are out.
//!
//! A body is an `ExportMetricsServiceRequest` (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>). A metric is a series of
//! its name for each set of attributes: those of the data point, else of the scope, else of the resource. Gauges and sums
//! have readings; histograms and summaries have none.

/// In protobuf.
mod protobuf;
/// In JSON.
mod json;

use std::borrow::Cow;

use jiff::Timestamp;

use super::Inlet;
use super::collector::{Collector, Sample};
use super::items::Items;
use super::series::Label;

/// The flag of a data point that says that there is no value: where a series has ended.
const NO_RECORDED_VALUE: u64 = 1;
/// The most attributes of a data point, with those of its scope and its resource.
const MOST_ATTRIBUTES: usize = 1024;

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

/// What a body holds that arrived at `now`.
///
/// # Errors
/// It is no such message: one sentence.
pub fn items(body: &[u8], encoding: Encoding, inlet: &Inlet, now: Timestamp) -> Result<Items, String> {
    let mut collector = Collector::new(inlet, now);
    let read = match encoding {
        Encoding::Protobuf => protobuf::read(body, &mut collector),
        Encoding::Json => json::read(body, &mut collector),
    };
    read.map_err(|why| format!("expected an ExportMetricsServiceRequest: {why}"))?;
    Ok(collector.finish())
}

/// A data point.
#[derive(Clone, Copy, Debug, Default)]
struct Point {
    /// Nanoseconds since the Unix epoch.
    time: u64,
    double: Option<f64>,
    integer: Option<i64>,
    flags: u64,
}

impl Point {
    fn sample(self) -> Sample {
        let value = self.double.or(self.integer.map(|integer| integer as f64));
        let is_recorded = self.flags & NO_RECORDED_VALUE == 0;
        Sample {
            time: Timestamp::from_nanosecond(self.time.into()).ok().filter(|_| self.time > 0),
            value: value.filter(|_| is_recorded).unwrap_or(f64::NAN),
        }
    }
}

/// The attributes of data point, scope and resource, each of which goes before the next.
fn labels<'a>(layers: [&[Label<'a>]; 3]) -> Vec<Label<'a>> {
    let mut all: Vec<Label> = Vec::new();
    for (name, value) in layers.into_iter().flatten() {
        if !all.iter().any(|(there, _)| there == name) {
            all.push((name, value.clone()));
        }
    }
    all
}

/// The value of an attribute that is no string, as text.
fn text<'a>(value: impl ToString) -> Cow<'a, [u8]> {
    Cow::Owned(value.to_string().into_bytes())
}

#[cfg(test)]
mod tests;
