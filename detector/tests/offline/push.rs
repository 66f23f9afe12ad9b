//! The program with a source that is pushed to: it collects, trains and judges what is posted, and accounts for it exactly.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::running::{Running, ask_with};

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

/// (arrived, scored + missing + refused + dropped)
fn accounts(running: &Running) -> (f64, f64) {
    let outcome = |outcome| running.metric(&format!("anomaly_readings_total{{outcome=\"{outcome}\""));
    let arrived = running.metric("anomaly_readings_arrived_total");
    (arrived, ["scored", "missing", "refused", "dropped"].map(outcome).iter().sum())
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
    assert!((running.metric("anomaly_score{") - 1.0).abs() < f64::EPSILON, "what was pushed moves the score");
    let too_late = format!(r#"{{"time":{FIRST},"values":{{"pressure":1,"flow":1}}}}"#);
    assert_eq!(push(&running, "", &too_late).0, 204);
    running.until(|_| {
        let (arrived, accounted) = accounts(&running);
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
