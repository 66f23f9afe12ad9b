use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::ingest::source::Reading;
use crate::ingest::sources::http::tests::inlet;

/// The messages as `prost` encodes them: an independent encoder.
#[derive(Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Clone, Message)]
struct ResourceMetrics {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Clone, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<Attribute>,
}

#[derive(Clone, Message)]
struct ScopeMetrics {
    #[prost(message, repeated, tag = "2")]
    metrics: Vec<Metric>,
}

#[derive(Clone, Message)]
struct Metric {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "5")]
    gauge: Option<Points>,
    #[prost(message, optional, tag = "9")]
    histogram: Option<Points>,
}

#[derive(Clone, Message)]
struct Points {
    #[prost(message, repeated, tag = "1")]
    data_points: Vec<Number>,
}

#[derive(Clone, Message)]
struct Number {
    #[prost(message, repeated, tag = "7")]
    attributes: Vec<Attribute>,
    #[prost(fixed64, tag = "3")]
    time: u64,
    #[prost(double, optional, tag = "4")]
    double: Option<f64>,
    #[prost(sfixed64, optional, tag = "6")]
    integer: Option<i64>,
    #[prost(uint32, tag = "8")]
    flags: u32,
}

#[derive(Clone, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, Message)]
struct AnyValue {
    #[prost(string, optional, tag = "1")]
    string: Option<String>,
    #[prost(int64, optional, tag = "3")]
    integer: Option<i64>,
}

const NANOSECOND: u64 = 1_700_000_000_250_000_000;
const SENSORS: &str =
    r#"{"name":"plant.pressure","series":{"matchLabels":{"room":"a","rack":"5"}}},{"name":"flow"}"#;

fn now() -> Timestamp {
    Timestamp::from_nanosecond(NANOSECOND.into()).unwrap()
}

fn read(body: &[u8], encoding: Encoding) -> Result<Items, String> {
    items(body, encoding, &inlet(SENSORS), now())
}

fn attribute(key: &str, value: AnyValue) -> Attribute {
    Attribute { key: key.into(), value: Some(value) }
}

fn number(double: Option<f64>, integer: Option<i64>, flags: u32) -> Number {
    let rack = attribute("rack", AnyValue { string: None, integer: Some(5) });
    Number { attributes: vec![rack], time: NANOSECOND, double, integer, flags }
}

fn export() -> Export {
    let room = attribute("room", AnyValue { string: Some("a".into()), integer: None });
    let points = |points: &[Number]| Some(Points { data_points: points.to_vec() });
    let metric = |name: &str, gauge, histogram| Metric { name: name.into(), gauge, histogram };
    let metrics = vec![
        metric("plant.pressure", points(&[number(None, Some(3), 0), number(None, None, 1)]), None),
        metric("flow", None, points(&[number(None, None, 0)])),
        metric("other", points(&[number(Some(1.5), None, 0)]), None),
    ];
    let resource = Some(Resource { attributes: vec![room] });
    Export {
        resource_metrics: vec![ResourceMetrics { resource, scope_metrics: vec![ScopeMetrics { metrics }] }],
    }
}

const JSON: &str = r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"room","value":{"stringValue":"a"}},
    {"key":"tags","value":{"arrayValue":{"values":[]}}}]},"schemaUrl":"x","scopeMetrics":[{"scope":{"name":"s"},"metrics":[
    {"name":"plant.pressure","unit":"bar","gauge":{"dataPoints":[
        {"timeUnixNano":"1700000000250000000","asInt":"3","attributes":[{"key":"rack","value":{"intValue":"5"}}]},
        {"timeUnixNano":1700000000250000000,"flags":1,"attributes":[{"key":"rack","value":{"stringValue":"5"}}]}]}},
    {"name":"flow","histogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"1","count":"1","attributes":[{"key":"rack","value":{"intValue":5}}]}]}},
    {"name":"other","sum":{"isMonotonic":true,"dataPoints":[{"timeUnixNano":"1700000000250000000","asDouble":"NaN"}]}}]}]}]}"#;

#[test]
fn json_and_protobuf_say_the_same() {
    let time = now();
    let readings =
        vec![Reading { sensor: 0, time, value: Some(3.0) }, Reading { sensor: 0, time, value: None }];
    let from_json = read(JSON.as_bytes(), Encoding::Json).unwrap();
    assert_eq!((&from_json.readings, from_json.unselected, from_json.refused), (&readings, 1, 1));
    let why = r#"flow{rack="5", room="a"}: expected a gauge or a counter, got a histogram"#;
    assert_eq!(from_json.named[0].1, why);
    let from_protobuf = read(&export().encode_to_vec(), Encoding::Protobuf).unwrap();
    assert_eq!((&from_protobuf.readings, from_protobuf.unselected, from_protobuf.refused), (&readings, 1, 1));
}

#[test]
fn a_body_that_is_no_such_message_is_refused_in_a_sentence() {
    let point = |point: &str| {
        format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"a","gauge":{{"dataPoints":[{point}]}}}}]}}]}}]}}"#
        )
    };
    for (body, encoding, sentence) in [
        ("\u{1}", Encoding::Protobuf, "failed to decode Protobuf message: "),
        ("\n\u{5}a", Encoding::Protobuf, "the message is truncated"),
        ("[1", Encoding::Json, "EOF while parsing a list"),
        ("[1]", Encoding::Json, "expected an object, got [1]"),
        (r#"{"resourceMetrics":7}"#, Encoding::Json, "expected an array, got 7"),
        (&point(r#"{"asInt":"1"}"#), Encoding::Json, "expected a data point with timeUnixNano"),
        (&point(r#"{"timeUnixNano":"1","asInt":"x"}"#), Encoding::Json, r#"expected an integer, got "x""#),
    ] {
        let error = read(body.as_bytes(), encoding).unwrap_err();
        let expected = format!("expected an ExportMetricsServiceRequest: {sentence}");
        assert!(error.starts_with(&expected), "{error}");
    }
    assert_eq!(Encoding::of("application/json; charset=utf-8"), Some(Encoding::Json));
    assert_eq!(Encoding::of("text/plain"), None);
}

proptest! {
    #[test]
    fn no_bytes_whatever_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes, Encoding::Protobuf);
        let _ = read(&bytes, Encoding::Json);
    }

    #[test]
    fn no_change_of_a_message_makes_it_panic(place in 0..200_usize, byte in any::<u8>()) {
        let mut message = export().encode_to_vec();
        let place = place % message.len();
        message[place] = byte;
        let _ = read(&message, Encoding::Protobuf);
    }
}
