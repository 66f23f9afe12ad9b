use std::sync::Arc;

use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::ingest::source::Reading;
use crate::ingest::sources::http::tests::inlet;

/// The messages as `prost` encodes them: an independent encoder.
#[derive(Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Text>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Point>,
    #[prost(message, repeated, tag = "3")]
    exemplars: Vec<Text>,
    #[prost(message, repeated, tag = "4")]
    histograms: Vec<Text>,
}

#[derive(Clone, Message)]
struct Text {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, Message)]
struct Point {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

#[derive(Message)]
struct RequestV2 {
    #[prost(string, repeated, tag = "4")]
    symbols: Vec<String>,
    #[prost(message, repeated, tag = "5")]
    timeseries: Vec<SeriesV2>,
}

#[derive(Clone, Message)]
struct SeriesV2 {
    #[prost(uint32, repeated, tag = "1")]
    labels_refs: Vec<u32>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Point>,
    #[prost(message, repeated, tag = "3")]
    histograms: Vec<Text>,
    #[prost(message, repeated, tag = "4")]
    exemplars: Vec<Text>,
}

const MAX_BYTES: usize = 1 << 20;
const MILLISECOND: i64 = 1_700_000_000_250;

fn sensors() -> Arc<Inlet> {
    inlet(r#"{"name":"up","series":{"matchLabels":{"job":"api"}}},{"name":"node_load1"}"#)
}

fn compressed(message: &impl Message) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(&message.encode_to_vec()).unwrap()
}

fn read(body: &[u8], version: Version) -> Result<(Items, Written), String> {
    let now = Timestamp::from_millisecond(MILLISECOND).unwrap();
    items(body, version, &sensors(), MAX_BYTES, now)
}

fn point(value: f64) -> Point {
    Point { value, timestamp: MILLISECOND }
}

fn series(labels: &[(&str, &str)], value: f64) -> TimeSeries {
    let labels = labels.iter().map(|(name, value)| Text { name: (*name).into(), value: (*value).into() });
    TimeSeries {
        labels: labels.collect(),
        samples: vec![point(value)],
        exemplars: vec![],
        histograms: vec![],
    }
}

fn series_v2(labels_refs: &[u32], value: f64) -> SeriesV2 {
    let labels_refs = labels_refs.to_vec();
    SeriesV2 { labels_refs, samples: vec![point(value)], histograms: vec![], exemplars: vec![] }
}

fn symbols(symbols: &[&str]) -> Vec<String> {
    symbols.iter().map(|symbol| (*symbol).to_owned()).collect()
}

fn stale() -> f64 {
    f64::from_bits(0x7ff0_0000_0000_0002)
}

#[test]
fn both_versions_say_the_same_a_stale_marker_is_missing_and_other_series_are_left_out() {
    let time = Timestamp::from_millisecond(MILLISECOND).unwrap();
    let readings =
        vec![Reading { sensor: 0, time, value: Some(1.0) }, Reading { sensor: 1, time, value: None }];
    let expected = Items { readings, unselected: 1, ..Items::default() };
    let written = Written { samples: 3, ..Written::default() };
    let timeseries = vec![
        series(&[("__name__", "up"), ("job", "api")], 1.0),
        series(&[("__name__", "up"), ("job", "db")], 1.0),
        series(&[("__name__", "node_load1")], stale()),
    ];
    assert_eq!(read(&compressed(&WriteRequest { timeseries }), Version::One), Ok((expected, written)));

    let symbols = symbols(&["", "__name__", "up", "job", "api", "db", "node_load1"]);
    let timeseries =
        vec![series_v2(&[1, 2, 3, 4], 1.0), series_v2(&[1, 2, 3, 5], 1.0), series_v2(&[1, 6], stale())];
    let (items, got) = read(&compressed(&RequestV2 { symbols, timeseries }), Version::Two).unwrap();
    assert_eq!((items.readings.len(), items.readings[1].value, items.unselected), (2, None, 1));
    assert_eq!(got, written);
}

#[test]
fn native_histograms_of_a_sensor_are_refused_and_all_kinds_are_counted() {
    let text = Text { name: String::new(), value: String::new() };
    let with = |labels: &[(&str, &str)]| {
        let (histograms, exemplars) = (vec![text.clone(); 2], vec![text.clone()]);
        TimeSeries { exemplars, histograms, ..series(labels, 1.0) }
    };
    let timeseries = vec![with(&[("__name__", "node_load1")]), with(&[("__name__", "other")])];
    let (items, written) = read(&compressed(&WriteRequest { timeseries }), Version::One).unwrap();
    assert_eq!(written, Written { samples: 2, histograms: 2, exemplars: 2, refused_histograms: 2 });
    let why = "node_load1{}: expected a gauge or a counter, got a native histogram";
    assert_eq!((items.refused, &items.named[0]), (2, &(1, why.to_owned())));
}

#[test]
fn a_body_that_is_no_such_message_is_refused_in_a_sentence() {
    let snappy = |bytes: &[u8]| snap::raw::Encoder::new().compress_vec(bytes).unwrap();
    let v2 = |refs: &[u32]| {
        let symbols = symbols(&["", "__name__", "up"]);
        compressed(&RequestV2 { symbols, timeseries: vec![series_v2(refs, 1.0)] })
    };
    let many = WriteRequest { timeseries: vec![series(&[("a", "b"); 513], 1.0)] };
    let cases = [
        (b"hello".to_vec(), Version::One, "expected one block of Snappy: "),
        (
            snappy(&vec![0; MAX_BYTES + 1]),
            Version::One,
            "a request must have at most 1048576 bytes when it is decompressed, got 1048577",
        ),
        (snappy(b"\x0a\xff"), Version::One, "expected a prometheus.WriteRequest: "),
        (
            snappy(b"\x0a\x05a"),
            Version::Two,
            "expected an io.prometheus.write.v2.Request: the message is truncated",
        ),
        (v2(&[1, 7]), Version::Two, "labels_refs: there are 3 symbols, got a reference to 7"),
        (
            v2(&[1, 2, 1]),
            Version::Two,
            "labels_refs: expected names and values in turn, got a name at the end",
        ),
        (compressed(&many), Version::One, "a series must have at most 512 labels"),
    ];
    for (body, version, sentence) in cases {
        let error = read(&body, version).unwrap_err();
        assert!(error.starts_with(sentence), "{error}");
    }
}

#[test]
fn the_content_type_names_the_version() {
    let protobuf = "application/x-protobuf";
    for (content_type, version) in [
        (protobuf.to_owned(), Some(Version::One)),
        (format!("{protobuf};proto=prometheus.WriteRequest"), Some(Version::One)),
        (format!("{protobuf}; proto=io.prometheus.write.v2.Request"), Some(Version::Two)),
        (format!("{protobuf};proto=io.prometheus.write.v3.Request"), None),
        ("application/json".to_owned(), None),
        (String::new(), None),
    ] {
        assert_eq!(Version::of(&content_type), version, "{content_type}");
    }
}

proptest! {
    #[test]
    fn no_bytes_whatever_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for version in [Version::One, Version::Two] {
            let _ = read(&bytes, version);
            let _ = read(&snap::raw::Encoder::new().compress_vec(&bytes).unwrap(), version);
        }
    }
}
