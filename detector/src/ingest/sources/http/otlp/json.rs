//! An `ExportMetricsServiceRequest` in protobuf's JSON in; its data points into a collector.

use std::str::FromStr;

use super::point::{MAX_ATTRIBUTES, Point};
use crate::ingest::sources::http::collector::Collector;
use crate::ingest::sources::http::series::{Layer, Series};
use crate::ingest::sources::raw_json::{Raw, elements, named, shown, text, whole};

/// The fields with points that cannot be readings, and the type of the points.
const UNSUPPORTED: [(&str, &str); 3] = [
    ("histogram", "a histogram"),
    ("exponentialHistogram", "an exponential histogram"),
    ("summary", "a summary"),
];

/// Name and value of an attribute.
type Attribute = (String, String);

/// Read a body.
///
/// # Errors
/// The body is not such a message.
pub(super) fn read(body: &[u8], collector: &mut Collector) -> Result<(), String> {
    let body = whole(body).map_err(|error| error.to_string())?;
    let [resources] = named(body, ["resourceMetrics"])?;
    each(resources, |resource| read_resource(resource, collector))
}

fn read_resource(message: Raw, collector: &mut Collector) -> Result<(), String> {
    let [resource, scopes] = named(message, ["resource", "scopeMetrics"])?;
    let of_resource = attributes_of(resource)?;
    let of_resource = layer(&of_resource);
    each(scopes, |message| {
        let [scope, metrics] = named(message, ["scope", "metrics"])?;
        let of_scope = attributes_of(scope)?;
        let of_scope = layer(&of_scope);
        each(metrics, |metric| read_metric(metric, [&of_scope, &of_resource], collector))
    })
}

fn read_metric(metric: Raw, outer: [&Layer; 2], collector: &mut Collector) -> Result<(), String> {
    let [name, gauge, sum] = named(metric, ["name", "gauge", "sum"])?;
    let name = text(name.ok_or("expected a metric with a name")?)?;
    for numbers in [gauge, sum] {
        each_point(numbers, |point| {
            let sample = number(point)?.sample();
            in_series(&name, point, outer, collector, |collector, series| {
                collector.add(series, std::iter::once(sample))
            })
        })?;
    }
    let found = named(metric, UNSUPPORTED.map(|(field, _)| field))?;
    for (points, (_, what)) in found.into_iter().zip(UNSUPPORTED) {
        each_point(points, |point| {
            in_series(&name, point, outer, collector, |collector, series| {
                collector.add_unsupported(series, 1, what).map(drop)
            })
        })?;
    }
    Ok(())
}

/// Call `add` with a data point of the metric `name`, as a series of its own.
fn in_series(
    name: &str,
    point: Raw,
    outer: [&Layer; 2],
    collector: &mut Collector,
    add: impl FnOnce(&mut Collector, Series) -> Result<(), String>,
) -> Result<(), String> {
    collector.begin_series();
    let attributes = attributes_of(Some(point))?;
    let labels = layer(&attributes);
    add(collector, Series { name: name.as_bytes(), layers: &[&labels, outer[0], outer[1]] })
}

/// `NumberDataPoint`.
fn number(point: Raw) -> Result<Point, String> {
    let [time, double, integer, flags] = named(point, ["timeUnixNano", "asDouble", "asInt", "flags"])?;
    let time = time.ok_or("expected a data point with timeUnixNano")?;
    Ok(Point {
        time: parsed(time, "nanoseconds since the Unix epoch")?,
        double: double.map(|double| parsed(double, "a number")).transpose()?,
        integer: integer.map(|integer| parsed(integer, "an integer")).transpose()?,
        flags: flags.map_or(Ok(0), |flags| parsed(flags, "flags"))?,
    })
}

/// Parse a number. 64-bit integers are strings in protobuf's JSON, and so are `NaN`, `Infinity` and
/// `-Infinity`; numbers are accepted too.
fn parsed<T: FromStr>(value: Raw, what: &str) -> Result<T, String> {
    let is_scalar =
        value.get().starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit());
    let number = value.get().trim_matches('"').parse().ok().filter(|_| is_scalar);
    number.ok_or_else(|| format!("expected {what}, got {}", shown(value)))
}

/// The `attributes` of a message; those of a list, a map or bytes are left out.
fn attributes_of(message: Option<Raw>) -> Result<Vec<Attribute>, String> {
    let mut all = Vec::new();
    let Some(message) = message else { return Ok(all) };
    let [attributes] = named(message, ["attributes"])?;
    each(attributes, |attribute| {
        if all.len() == MAX_ATTRIBUTES {
            return Err(format!("expected at most {MAX_ATTRIBUTES} attributes"));
        }
        let [key, value] = named(attribute, ["key", "value"])?;
        let key = text(key.ok_or("expected an attribute with a key")?)?;
        let value = value.map(attribute_value).transpose()?.flatten();
        all.extend(value.map(|value| (key, value)));
        Ok(())
    })?;
    Ok(all)
}

/// `AnyValue` as text; none where it is a list, a map or bytes.
fn attribute_value(value: Raw) -> Result<Option<String>, String> {
    let [string, boolean, integer, double] =
        named(value, ["stringValue", "boolValue", "intValue", "doubleValue"])?;
    if let Some(string) = string {
        return text(string).map(Some);
    }
    if let Some(boolean) = boolean {
        return parsed_word(boolean).map(Some);
    }
    if let Some(integer) = integer {
        return parsed::<i64>(integer, "an integer").map(|integer| Some(integer.to_string()));
    }
    double.map(|double| parsed::<f64>(double, "a number").map(|double| double.to_string())).transpose()
}

fn parsed_word(boolean: Raw) -> Result<String, String> {
    match boolean.get() {
        word @ ("true" | "false") => Ok(word.to_owned()),
        _ => Err(format!("expected a boolean, got {}", shown(boolean))),
    }
}

fn layer(attributes: &[Attribute]) -> Layer<'_> {
    attributes.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes().into())).collect()
}

fn each_point<'a>(
    points: Option<Raw<'a>>,
    read: impl FnMut(Raw<'a>) -> Result<(), String>,
) -> Result<(), String> {
    let Some(points) = points else { return Ok(()) };
    let [points] = named(points, ["dataPoints"])?;
    each(points, read)
}

/// Call `read` with every element of an array; the array may be absent.
fn each<'a>(array: Option<Raw<'a>>, read: impl FnMut(Raw<'a>) -> Result<(), String>) -> Result<(), String> {
    array.map_or(Ok(()), |array| elements(array, read))
}
