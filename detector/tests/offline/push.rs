//! The program with a source that is pushed to: it collects, trains on and judges readings, and accounts for
//! each of them.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use prost::Message;
use serde_json::{Value, json};

use crate::running::{Running, ask_with};

const MANIFEST: &str = "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {name: press}\nspec:\n  interval: 1s\n  sources:\n  - name: pushed\n    \
    http: {sensors: [{name: pressure, unit: pascal}, {name: flow, series: {name: plant.flow, matchLabels: {room: a}}}], tokenSecretRef: {name: press, key: token}}\n  \
    model: {train: {samples: 300, trees: 25}}\n  threshold: {contamination: 0.01}\n";

/// The time of the first reading, in seconds since the Unix epoch.
const FIRST: usize = 1_700_000_000;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::write(place.path("press.yaml"), MANIFEST).unwrap();
        fs::create_dir_all(place.path("secrets/pushed")).unwrap();
        fs::write(place.path("secrets/pushed/token"), "open sesame\n").unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn start(&self) -> Running {
        self.start_with(&self.path("press.yaml"))
    }

    fn start_with(&self, manifest: &Path) -> Running {
        let arguments = ["--source-credentials", "secrets", "--state", "state"];
        let running = Running::start(self.0.path(), manifest, &arguments);
        running
            .until(|_| ask_with(running.metrics, "GET /readyz", "", "").is_some_and(|(code, _)| code == 200));
        running
    }
}

fn push(running: &Running, query: &str, body: &str) -> (u16, Value) {
    let request = format!("POST /readings{query}");
    let token = "Authorization: Bearer open sesame\r\n";
    let (code, body) = ask_with(running.predict, &request, token, body).unwrap();
    (code, serde_json::from_str(&body).unwrap_or(Value::Null))
}

/// Readings of `count` seconds, the first at second `from`, one line each: two sensors that vary a little.
fn lines(from: usize, count: usize) -> String {
    let line = |second: usize| {
        let values = json!({"pressure": 100 + second * 7 % 5, "flow": second * 3 % 4});
        json!({"time": FIRST + second, "values": values}).to_string()
    };
    (from..from + count).map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_pushed_is_collected_trained_on_and_judged_over_a_restart() {
    let place = Place::new();
    let running = place.start();
    assert_eq!(ask_with(running.predict, "POST /readings", "", "{}").unwrap().0, 401);
    assert_eq!(
        ask_with(running.predict, "POST /predict", "", r#"{"values":{"pressure":1,"flow":1}}"#).unwrap().0,
        503
    );
    assert_eq!(push(&running, "", &lines(0, 100)).0, 204);
    running.until(|report| report["phase"]["have"] == 100);
    assert_eq!(
        running.report()["phase"],
        json!({"name": "warmingUp", "have": 100, "need": 300, "secondsLeft": 200})
    );
    assert_eq!(running.report()["sources"][0]["connected"], true);
    drop(running);

    let running = place.start();
    assert_eq!(running.report()["phase"]["have"], 100, "what was collected survives a kill");
    let wrong = lines(100, 200) + "\n{\"values\":{\"pressure\":\"high\"}}";
    let (code, answer) = push(&running, "", &wrong);
    assert_eq!(
        (code, &answer["accepted"], &answer["refused"][0]["item"]),
        (400, &json!(400), &json!(201)),
        "{answer}"
    );
    running.until_serving();
    let (code, answer) = push(&running, "?verdicts=true", &lines(300, 2));
    assert_eq!((code, answer["verdicts"].as_array().unwrap().len()), (200, 2), "{answer}");
    assert_eq!(answer["verdicts"][1]["anomaly"], 0);
    let fault = format!(r#"{{"time":{},"values":{{"pressure":900,"flow":-5}}}}"#, FIRST + 302);
    let (_, answer) = push(&running, "?verdicts=true", &fault);
    assert_eq!(answer["verdicts"][0]["anomaly"], 1, "{answer}");
    running.until(|_| (running.metric("anomaly_score{") - 1.0).abs() < f64::EPSILON);
    let too_late = format!(r#"{{"time":{FIRST},"values":{{"pressure":1,"flow":1}}}}"#);
    let (code, answer) = push(&running, "", &too_late);
    assert_eq!((code, &answer["accepted"], &answer["dropped"]), (200, &json!(0), &json!(2)), "{answer}");
    assert!(answer["message"].as_str().unwrap().starts_with("2 readings are older than "), "{answer}");
    running.until(|_| {
        let (arrived, accounted) = running.accounts();
        arrived >= 400.0 + 1.0 + 4.0 + 2.0 + 2.0 && (arrived - accounted).abs() < 0.5
    });
}

#[test]
fn the_sample_is_trained_by_what_is_pushed_and_finds_a_fault() {
    let place = Place::new();
    let running = place.start_with(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/push.yaml")));
    assert_eq!(push(&running, "", &lines(0, 310)).0, 204);
    running.until_serving();
    let fault = format!(r#"{{"time":{},"values":{{"pressure":900,"flow":-5}}}}"#, FIRST + 310);
    let (_, answer) = push(&running, "?verdicts=true", &fault);
    assert_eq!(answer["verdicts"][0]["anomaly"], 1, "{answer}");
}

/// `prometheus.WriteRequest`, as prost writes it.
#[derive(Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<Series>,
}

#[derive(Clone, Message)]
struct Series {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

/// `io.prometheus.write.v2.Request`, as prost writes it.
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
    samples: Vec<Sample>,
}

/// Readings of one sensor, by second.
type Values<'a> = &'a dyn Fn(usize) -> f64;

fn samples(seconds: std::ops::Range<usize>, value: Values) -> Vec<Sample> {
    let sample =
        |second| Sample { value: value(second), timestamp: ((FIRST + second) * 1000).cast_signed() as i64 };
    seconds.map(sample).collect()
}

const PRESSURE: Values = &|second| (100 + second * 7 % 5) as f64;
const FLOW: Values = &|second| (second * 3 % 4) as f64;

fn write_request(seconds: std::ops::Range<usize>) -> Vec<u8> {
    let series = |labels: &[(&str, &str)], value| Series {
        labels: labels
            .iter()
            .map(|(name, value)| Label { name: (*name).into(), value: (*value).into() })
            .collect(),
        samples: samples(seconds.clone(), value),
    };
    let timeseries = vec![
        series(&[("__name__", "pressure"), ("instance", "x")], PRESSURE),
        series(&[("__name__", "plant.flow"), ("room", "a")], FLOW),
        series(&[("__name__", "plant.flow"), ("room", "b")], FLOW),
    ];
    snappy(&WriteRequest { timeseries })
}

fn snappy(message: &impl Message) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(&message.encode_to_vec()).unwrap()
}

/// Code, head and body of the answer to a POST with the token.
fn post(running: &Running, path: &str, content_type: &str, body: &[u8]) -> (u16, String, String) {
    let mut stream = TcpStream::connect(running.predict).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer open sesame\r\n\
         Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_lowercase(), body.to_owned())
}

const PROTOBUF: &str = "application/x-protobuf";
const PROTOBUF_V2: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";

#[test]
fn a_history_by_remote_write_trains_a_fault_is_found_and_what_comes_too_late_is_said() {
    let place = Place::new();
    let running = place.start();
    assert_eq!(ask_with(running.predict, "POST /api/v1/write", "", "").unwrap().0, 401);
    let (code, _, body) = post(&running, "/api/v1/write", PROTOBUF, &write_request(0..310));
    assert_eq!((code, body.as_str()), (204, ""));
    running.until_serving();

    let symbols = ["", "__name__", "pressure", "plant.flow", "room", "a"].map(str::to_owned).to_vec();
    let of = |labels_refs: &[u32], value| SeriesV2 {
        labels_refs: labels_refs.to_vec(),
        samples: samples(310..311, value),
    };
    let instance = [1, 2, 4, 5];
    let timeseries = vec![of(&instance, &|_| 900.0), of(&[1, 3, 4, 5], &|_| -5.0)];
    let (code, _, body) =
        post(&running, "/api/v1/write", PROTOBUF_V2, &snappy(&RequestV2 { symbols, timeseries }));
    // Two series of one sensor: pressure came with another label before.
    assert_eq!(code, 400, "{body}");
    assert!(body.contains(r#"sensor pressure: expected one series, got pressure{room=\"a\"}"#), "{body}");

    let symbols =
        ["", "__name__", "pressure", "plant.flow", "room", "a", "instance", "x"].map(str::to_owned).to_vec();
    let timeseries = vec![
        SeriesV2 { labels_refs: vec![1, 2, 6, 7], samples: samples(311..312, &|_| 900.0) },
        SeriesV2 { labels_refs: vec![1, 3, 4, 5], samples: samples(311..312, &|_| -5.0) },
    ];
    let (code, head, _) =
        post(&running, "/api/v1/write", PROTOBUF_V2, &snappy(&RequestV2 { symbols, timeseries }));
    assert!(code == 204 && head.contains("x-prometheus-remote-write-samples-written: 2"), "{head}");
    running.until(|_| (running.metric("anomaly_score{") - 1.0).abs() < f64::EPSILON);

    let (code, _, body) = post(&running, "/api/v1/write", PROTOBUF, &write_request(5..10));
    assert_eq!(code, 400, "{body}");
    assert!(
        body.contains("10 readings are older than ") && body.contains("0 readings are accepted"),
        "{body}"
    );
    let late = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"pressure","gauge":{{"dataPoints":[
           {{"timeUnixNano":"{FIRST}000000000","asInt":"1","attributes":[{{"key":"instance","value":{{"stringValue":"x"}}}}]}}]}}}}]}}]}}]}}"#
    );
    let (code, _, body) = post(&running, "/v1/metrics", "application/json", late.as_bytes());
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((code, &body["partialSuccess"]["rejectedDataPoints"]), (200, &json!("1")), "{body}");
    running.until(|_| {
        let (arrived, accounted) = running.accounts();
        arrived >= 620.0 + 2.0 + 2.0 + 10.0 + 1.0 && (arrived - accounted).abs() < 0.5
    });
}

#[test]
fn a_push_that_cannot_be_read_is_answered_by_a_sentence() {
    let place = Place::new();
    let running = place.start();
    let bomb = snap::raw::Encoder::new().compress_vec(&vec![0; 9 << 20]).unwrap();
    for (path, content_type, body, code, sentence) in [
        (
            "/api/v1/write",
            "application/json",
            &b"{}"[..],
            415,
            "Content-Type: expected application/x-protobuf, of proto",
        ),
        ("/api/v1/write", PROTOBUF, b"hello", 400, "expected one block of Snappy"),
        (
            "/api/v1/write",
            PROTOBUF,
            &bomb,
            400,
            "a request must have at most 8388608 bytes when it is decompressed",
        ),
        (
            "/v1/metrics",
            "text/plain",
            b"",
            415,
            "Content-Type: expected application/x-protobuf or application/json",
        ),
        ("/v1/metrics", "application/json", b"[", 400, "expected an ExportMetricsServiceRequest: "),
        (
            "/v1/metrics",
            PROTOBUF,
            b"\x0a\x05a",
            400,
            "expected an ExportMetricsServiceRequest: the message is truncated",
        ),
    ] {
        let (got, _, answer) = post(&running, path, content_type, body);
        assert_eq!(got, code, "{path} {answer}");
        assert!(answer.contains(sentence), "{path} {answer}");
    }
}
