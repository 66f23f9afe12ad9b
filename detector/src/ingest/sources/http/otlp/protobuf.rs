//! An `ExportMetricsServiceRequest` in protobuf in; its data points into a collector.

use std::borrow::Cow;

use super::point::{MAX_ATTRIBUTES, Point, text};
use crate::ingest::sources::http::collector::Collector;
use crate::ingest::sources::http::series::{Layer, Series};
use crate::ingest::sources::http::wire::{Fields, Value, WireError};

/// Read a body.
///
/// # Errors
/// The body is not such a message.
pub(super) fn read(body: &[u8], collector: &mut Collector) -> Result<(), String> {
    for metrics in Fields(body).of(1) {
        resource_metrics(metrics.map_err(|error| sentence(&error))?, collector)?;
    }
    Ok(())
}

fn sentence(error: &WireError) -> String {
    error.to_string()
}

/// Read the metrics of a resource. Attributes may come after the metrics that they belong to, so a message is
/// read twice.
fn resource_metrics(message: &[u8], collector: &mut Collector) -> Result<(), String> {
    let resource = first(message, 1).map_err(|error| sentence(&error))?;
    let of_resource = attributes(resource, 1)?;
    for scope_metrics in Fields(message).of(2) {
        let scope_metrics = scope_metrics.map_err(|error| sentence(&error))?;
        let scope = first(scope_metrics, 1).map_err(|error| sentence(&error))?;
        let of_scope = attributes(scope, 3)?;
        for metric in Fields(scope_metrics).of(2) {
            read_metric(metric.map_err(|error| sentence(&error))?, [&of_scope, &of_resource], collector)?;
        }
    }
    Ok(())
}

fn read_metric(metric: &[u8], outer: [&Layer; 2], collector: &mut Collector) -> Result<(), String> {
    let name = first(metric, 1).map_err(|error| sentence(&error))?;
    for field in Fields(metric) {
        let (unsupported, points) = match field.map_err(|error| sentence(&error))? {
            (5 | 7, Value::Bytes(points)) => (None, points),
            (9, Value::Bytes(points)) => (Some("a histogram"), points),
            (10, Value::Bytes(points)) => (Some("an exponential histogram"), points),
            (11, Value::Bytes(points)) => (Some("a summary"), points),
            _ => continue,
        };
        for point in Fields(points).of(1) {
            let point = point.map_err(|error| sentence(&error))?;
            collector.begin_series();
            // The field number of the attributes depends on the type of the point.
            let field = match unsupported {
                None | Some("a summary") => 7,
                Some("a histogram") => 9,
                Some(_) => 1,
            };
            let of_point = attributes(point, field)?;
            let series = Series { name, layers: &[&of_point, outer[0], outer[1]] };
            match unsupported {
                None => {
                    let sample = number(point).map_err(|error| sentence(&error))?.sample();
                    collector.add(series, std::iter::once(sample))?;
                }
                Some(what) => drop(collector.add_unsupported(series, 1, what)?),
            }
        }
    }
    Ok(())
}

/// `NumberDataPoint`.
fn number(message: &[u8]) -> Result<Point, WireError> {
    let mut point = Point::default();
    for field in Fields(message) {
        match field? {
            (3, Value::Fixed64(time)) => point.time = time,
            (4, Value::Fixed64(bits)) => (point.double, point.integer) = (Some(f64::from_bits(bits)), None),
            (6, Value::Fixed64(bits)) => (point.double, point.integer) = (None, Some(bits.cast_signed())),
            (8, Value::Varint(flags)) => point.flags = flags,
            _ => {}
        }
    }
    Ok(point)
}

/// The attributes in the fields with this number.
fn attributes(message: &[u8], number: u32) -> Result<Layer<'_>, String> {
    let mut all = Layer::default();
    for attribute in Fields(message).of(number) {
        if all.len() == MAX_ATTRIBUTES {
            return Err(format!("expected at most {MAX_ATTRIBUTES} attributes"));
        }
        let attribute = attribute.map_err(|error| sentence(&error))?;
        let name = first(attribute, 1).map_err(|error| sentence(&error))?;
        if let Some(value) =
            value(first(attribute, 2).map_err(|error| sentence(&error))?).map_err(|error| sentence(&error))?
        {
            all.push((name, value));
        }
    }
    Ok(all)
}

/// `AnyValue` as text; none where it is a list, a map or bytes.
fn value(message: &[u8]) -> Result<Option<Cow<'_, [u8]>>, WireError> {
    for field in Fields(message) {
        match field? {
            (1, Value::Bytes(string)) => return Ok(Some(Cow::Borrowed(string))),
            (2, Value::Varint(boolean)) => return Ok(Some(text(&(boolean != 0)))),
            (3, Value::Varint(integer)) => return Ok(Some(text(&integer.cast_signed()))),
            (4, Value::Fixed64(bits)) => return Ok(Some(text(&f64::from_bits(bits)))),
            _ => {}
        }
    }
    Ok(None)
}

/// The first length-delimited field with this number; empty where there is none.
fn first(message: &[u8], number: u32) -> Result<&[u8], WireError> {
    Fields(message).of(number).next().unwrap_or(Ok(&[]))
}
