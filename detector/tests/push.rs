//! The program with a source that is pushed to: it collects, trains and judges what is posted, and accounts for it exactly.
#![cfg(test)]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const MANIFEST: &str = "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {name: press}\nspec:\n  interval: 1s\n  sources:\n  - name: pushed\n    \
    http: {sensors: [{name: pressure, unit: pascal}, {name: flow}], tokenSecretRef: {name: press, key: token}}\n  \
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
        let [predict, metrics] = [free_port(), free_port()];
        let mut command = Command::new(env!("CARGO_BIN_EXE_detector"));
        command.arg("run").arg(manifest).current_dir(self.0.path());
        command.args(["--source-credentials", "secrets", "--state", "state"]);
        command.args(["--predict-address", &predict.to_string(), "--metrics-address", &metrics.to_string()]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let running = Running { child, predict, metrics };
        running.until(|running| {
            Running::ask(running.metrics, "GET /readyz", "", "").is_some_and(|(code, _)| code == 200)
        });
        running
    }
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A detector; killed, as by kill -9, when it is dropped.
struct Running {
    child: Child,
    predict: SocketAddr,
    metrics: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Running {
    fn ask(address: SocketAddr, request: &str, headers: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(address).ok()?;
        let length = body.len();
        let head = format!(
            "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    fn push(&self, query: &str, body: &str) -> (u16, Value) {
        let request = format!("POST /readings{query}");
        let (code, body) =
            Self::ask(self.predict, &request, "Authorization: Bearer open sesame\r\n", body).unwrap();
        (code, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    fn report(&self) -> Value {
        let (_, body) = Self::ask(self.metrics, "GET /status", "", "").unwrap_or_default();
        serde_json::from_str(&body).unwrap_or(Value::Null)
    }

    /// Wait until this is so.
    fn until(&self, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !is_so(self) {
            assert!(Instant::now() < deadline, "never so: {}", self.report());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn metric(&self, series: &str) -> f64 {
        let (_, text) = Self::ask(self.metrics, "GET /metrics", "", "").unwrap();
        let line =
            text.lines().find(|line| line.starts_with(series)).unwrap_or_else(|| panic!("{series}: {text}"));
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    }

    /// (arrived, scored + missing + refused + dropped)
    fn accounts(&self) -> (f64, f64) {
        let outcome = |outcome| self.metric(&format!("anomaly_readings_total{{outcome=\"{outcome}\""));
        let arrived = self.metric("anomaly_readings_arrived_total");
        (arrived, ["scored", "missing", "refused", "dropped"].map(outcome).iter().sum())
    }
}

/// So many seconds of readings from a second on, a line each: two sensors that tremble a little.
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
    assert_eq!(Running::ask(running.predict, "POST /readings", "", "{}").unwrap().0, 401);
    assert_eq!(
        Running::ask(running.predict, "POST /predict", "", r#"{"values":{"pressure":1,"flow":1}}"#)
            .unwrap()
            .0,
        503
    );
    assert_eq!(running.push("", &lines(0, 100)).0, 204);
    running.until(|running| running.report()["phase"]["have"] == 100);
    assert_eq!(
        running.report()["phase"],
        json!({"name": "warmingUp", "have": 100, "need": 300, "secondsLeft": 200})
    );
    assert_eq!(running.report()["sources"][0]["connected"], true);
    drop(running);

    let running = place.start();
    assert_eq!(running.report()["phase"]["have"], 100, "what was collected survives a kill");
    let wrong = lines(100, 200) + "\n{\"values\":{\"pressure\":\"high\"}}";
    let (code, answer) = running.push("", &wrong);
    assert_eq!(
        (code, &answer["accepted"], &answer["refused"][0]["item"]),
        (400, &json!(400), &json!(201)),
        "{answer}"
    );
    running.until(|running| running.report()["phase"]["name"] == "serving");
    let (code, answer) = running.push("?verdicts=true", &lines(300, 2));
    assert_eq!((code, answer["verdicts"].as_array().unwrap().len()), (200, 2), "{answer}");
    assert_eq!(answer["verdicts"][1]["anomaly"], 0);
    let fault = format!(r#"{{"time":{},"values":{{"pressure":900,"flow":-5}}}}"#, FIRST + 302);
    let (_, answer) = running.push("?verdicts=true", &fault);
    assert_eq!(answer["verdicts"][0]["anomaly"], 1, "{answer}");
    assert!((running.metric("anomaly_score{") - 1.0).abs() < f64::EPSILON, "what was pushed moves the score");
    let too_late = format!(r#"{{"time":{FIRST},"values":{{"pressure":1,"flow":1}}}}"#);
    assert_eq!(running.push("", &too_late).0, 204);
    running.until(|running| {
        let (arrived, accounted) = running.accounts();
        arrived >= 400.0 + 1.0 + 4.0 + 2.0 + 2.0 && (arrived - accounted).abs() < 0.5
    });
}

#[test]
fn the_sample_is_trained_by_what_is_pushed_and_finds_a_fault() {
    let place = Place::new();
    let running = place.start_with(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/push.yaml")));
    assert_eq!(running.push("", &lines(0, 310)).0, 204);
    running.until(|running| running.report()["phase"]["name"] == "serving");
    let fault = format!(r#"{{"time":{},"values":{{"pressure":900,"flow":-5}}}}"#, FIRST + 310);
    let (_, answer) = running.push("?verdicts=true", &fault);
    assert_eq!(answer["verdicts"][0]["anomaly"], 1, "{answer}");
}
