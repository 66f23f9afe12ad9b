//! An `ExportMetricsServiceRequest` in protobuf's JSON in; its data points into a collector.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::point::{MAX_ATTRIBUTES, Point, labels, text};
use crate::ingest::sources::http::collector::Collector;
use crate::ingest::sources::http::series::Label;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Export {
    #[serde(default)]
    resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceMetrics {
    #[serde(default)]
    resource: Attributes,
    #[serde(default)]
    scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Deserialize)]
struct ScopeMetrics {
    #[serde(default)]
    scope: Attributes,
    #[serde(default)]
    metrics: Vec<Metric>,
}

#[derive(Default, Deserialize)]
struct Attributes {
    #[serde(default)]
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
struct Attribute {
    key: String,
    #[serde(default)]
    value: AnyValue,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(clippy::struct_field_names, reason = "the names of the protocol")]
struct AnyValue {
    string_value: Option<String>,
    bool_value: Option<bool>,
    #[serde(deserialize_with = "signed")]
    int_value: Option<i64>,
    #[serde(deserialize_with = "double")]
    double_value: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metric {
    name: String,
    gauge: Option<Points<Number>>,
    sum: Option<Points<Number>>,
    histogram: Option<Points<Attributes>>,
    exponential_histogram: Option<Points<Attributes>>,
    summary: Option<Points<Attributes>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "T: Deserialize<'de>")]
struct Points<T> {
    #[serde(default)]
    data_points: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Number {
    #[serde(default)]
    attributes: Vec<Attribute>,
    #[serde(deserialize_with = "unsigned")]
    time_unix_nano: u64,
    #[serde(default, deserialize_with = "double")]
    as_double: Option<f64>,
    #[serde(default, deserialize_with = "signed")]
    as_int: Option<i64>,
    #[serde(default)]
    flags: u64,
}

/// Integers of 64 bits are strings in protobuf's JSON; readers take numbers too.
fn unsigned<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let integer = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    integer.ok_or_else(|| {
        serde::de::Error::custom(format!("expected nanoseconds since the Unix epoch, got {value}"))
    })
}

fn signed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let integer = value.as_i64().or_else(|| value.as_str()?.parse().ok());
    integer.map(Some).ok_or_else(|| serde::de::Error::custom(format!("expected an integer, got {value}")))
}

/// Numbers, and the strings `NaN`, `Infinity` and `-Infinity`.
fn double<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let double = value.as_f64().or_else(|| value.as_str()?.parse().ok());
    double.map(Some).ok_or_else(|| serde::de::Error::custom(format!("expected a number, got {value}")))
}

/// Read a body.
///
/// # Errors
/// It is no such message.
pub(super) fn read(body: &[u8], collector: &mut Collector) -> Result<(), String> {
    let export: Export = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    for resource in &export.resource_metrics {
        let of_resource = named(&resource.resource.attributes)?;
        for scope in &resource.scope_metrics {
            let of_scope = named(&scope.scope.attributes)?;
            for metric in &scope.metrics {
                read_metric(metric, [&of_scope, &of_resource], collector)?;
            }
        }
    }
    Ok(())
}

fn read_metric(metric: &Metric, outer: [&[Label]; 2], collector: &mut Collector) -> Result<(), String> {
    let name = metric.name.as_bytes();
    for number in metric.gauge.iter().chain(&metric.sum).flat_map(|points| &points.data_points) {
        collector.begin_series();
        let labels = labels([&named(&number.attributes)?, outer[0], outer[1]]);
        let Number { time_unix_nano: time, as_double: double, as_int: integer, flags, .. } = *number;
        collector.add(name, &labels, &[Point { time, double, integer, flags }.sample()]);
    }
    let unfit = [
        ("a histogram", &metric.histogram),
        ("an exponential histogram", &metric.exponential_histogram),
        ("a summary", &metric.summary),
    ];
    for (what, points) in unfit {
        for point in points.iter().flat_map(|points| &points.data_points) {
            collector.begin_series();
            let labels = labels([&named(&point.attributes)?, outer[0], outer[1]]);
            collector.add_unfit(name, &labels, 1, what);
        }
    }
    Ok(())
}

fn named(attributes: &[Attribute]) -> Result<Vec<Label<'_>>, String> {
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(format!("expected at most {MAX_ATTRIBUTES} attributes, got {}", attributes.len()));
    }
    Ok(attributes.iter().filter_map(|each| Some((each.key.as_bytes(), each.value.text()?))).collect())
}

impl AnyValue {
    /// None where it is a list, a map or bytes.
    fn text(&self) -> Option<Cow<'_, [u8]>> {
        let string = self.string_value.as_ref().map(|string| Cow::Borrowed(string.as_bytes()));
        string
            .or_else(|| self.bool_value.as_ref().map(text))
            .or_else(|| self.int_value.as_ref().map(text))
            .or_else(|| self.double_value.as_ref().map(text))
    }
}
