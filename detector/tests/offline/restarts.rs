//! The program after it was killed and started again: the same model, no training; and models that take over
//! while it answers.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::running::{Running, ask};

const MANIFEST: &str = "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {name: fan}\nspec:\n  interval: 100ms\n  sources:\n  - name: s\n    \
    simulated: {seed: 3, sensors: [{name: speed, waves: [{amplitude: 1, period: 40s}], noise: {gaussian: {standardDeviation: 0.2}}}]}\n  \
    model: {train: {samples: 400, trees: 25, lags: 3, dataEndTime: 2026-11-22T00:00:00Z}}\n  threshold: {contamination: 0.02}\n";

/// A folder with a manifest and the files that the detector stores.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("fan.yaml", MANIFEST.as_bytes());
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Write a file as a kubelet does: a new file replaces the old one.
    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path("new"), bytes).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    fn change(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("fan.yaml")).unwrap();
        assert!(text.contains(from), "{text}");
        self.write("fan.yaml", text.replace(from, to).as_bytes());
    }

    fn start(&self, arguments: &[&str]) -> Running {
        let running = Running::start(self.0.path(), &self.path("fan.yaml"), arguments);
        running.until_serving();
        running
    }

    fn kept(&self) -> Vec<u8> {
        fs::read(self.path("state/model")).unwrap()
    }
}

/// The time of the newest verdict.
fn newest(running: &Running) -> Option<String> {
    let verdicts: Value = serde_json::from_str(&ask(running.predict, "GET /verdicts?limit=1", "")?).ok()?;
    Some(verdicts["verdicts"][0]["time"].as_str()?.to_owned())
}

fn digest(report: &Value) -> String {
    report["model"]["digest"].as_str().unwrap().to_owned()
}

const STATE: [&str; 4] = ["--state", "state", "--stored-model", "stored"];

#[test]
fn whoever_is_killed_serves_the_same_model_again_without_training() {
    let place = Place::new();
    let (first, trained) = {
        let running = place.start(&STATE);
        let report = running.until(|report| report["trainings"] == 1);
        running.until(|_| place.path("state/snapshot").exists());
        (digest(&report), report)
    };
    assert_eq!(trained["model"]["origin"], "Trained");
    for _ in 0..3 {
        let running = place.start(&STATE);
        let report = running.report();
        assert_eq!((digest(&report), &report["trainings"]), (first.clone(), &0.into()));
        // The readings that the lags need were restored too: the first instant is judged.
        running.until(|_| newest(&running).is_some());
        assert!(running.metric("anomaly_restore_gap_seconds").abs() < 1e-9);
        assert!(running.metric("anomaly_trainings_total{outcome=\"done\"").abs() < 1e-9);
    }
}

#[test]
fn a_new_pod_serves_the_stored_model_and_a_damaged_one_only_costs_a_training() {
    let place = Place::new();
    let first = digest(&place.start(&STATE).report());
    place.write("stored", &place.kept());
    fs::remove_dir_all(place.path("state")).unwrap();
    let report = place.start(&STATE).report();
    assert_eq!((digest(&report), &report["trainings"]), (first.clone(), &0.into()));

    for (name, bytes) in
        [("stored", &place.kept()[..900]), ("state/model", b"not a model"), ("state/snapshot", b"neither")]
    {
        place.write(name, bytes);
    }
    let report = place.start(&STATE).report();
    assert_eq!((digest(&report), &report["trainings"]), (first, &1.into()));
}

#[test]
fn a_change_that_touches_neither_sources_nor_model_never_trains() {
    let place = Place::new();
    let first = digest(&place.start(&STATE).report());
    for (from, to) in [
        ("threshold:", "replicas: 2\n  threshold:"),
        ("threshold:", "alarm: {minimumDuration: 2s, coolDown: 1m}\n  threshold:"),
        ("threshold:", "pod: {annotations: {a: b}}\n  service: {port: 81}\n  threshold:"),
        ("model: {train", "model: {retrain: {interval: 8760h}, train"),
    ] {
        place.change(from, to);
        let report = place.start(&STATE).report();
        // Only with `retrain` a training is due, because the model's history ended long ago.
        let due = u64::from(to.contains("retrain"));
        assert!(report["trainings"].as_u64().unwrap() <= due, "{to}");
        if due == 0 {
            assert_eq!(digest(&report), first, "{to}");
        }
    }
    let place = Place::new();
    let first = place.start(&STATE).report();
    place.change("contamination: 0.02", "contamination: 0.2");
    let with_threshold = place.start(&STATE).report();
    assert_eq!(
        (&with_threshold["trainings"], &with_threshold["model"]["origin"]),
        (&0.into(), &"Rethresholded".into())
    );
    assert_ne!(digest(&with_threshold), digest(&first));
    // A detector that trains by the new threshold has the same model, to the bit.
    fs::remove_dir_all(place.path("state")).unwrap();
    let fresh = place.start(&STATE).report();
    assert_eq!((digest(&fresh), &fresh["trainings"]), (digest(&with_threshold), &1.into()));
}

#[test]
fn a_moved_end_of_the_history_trains_beside_the_serving_model_and_swaps() {
    let place = Place::new();
    let running = place.start(&STATE);
    let first = digest(&running.report());
    place.change("2026-11-22T00:00:00Z", "2026-11-22T06:00:00Z");
    let report = running.until(|report| digest(report) != first);
    assert_eq!(report["trainings"], 2);
    assert!((running.metric("anomaly_model_swaps_total") - 1.0).abs() < 1e-9);
    drop(running);
    let again = place.start(&STATE).report();
    assert_eq!(
        (&again["trainings"], digest(&again)),
        (&0.into(), digest(&report)),
        "what was trained was kept"
    );
}

#[test]
fn a_pin_takes_effect_at_once_and_its_end_goes_on_with_the_newest() {
    let place = Place::new();
    let old = {
        let running = place.start(&STATE);
        digest(&running.report())
    };
    place.write("stored", &place.kept());
    let running = place.start(&STATE);
    place.change("2026-11-22T00:00:00Z", "2026-11-22T06:00:00Z");
    let new = digest(&running.until(|report| digest(report) != old));

    place.change("model: {train", &format!("model: {{pinnedDigest: '{old}', train"));
    running.until(|report| digest(report) == old);
    let pinned = place.start(&["--state", "other", "--stored-model", "stored"]);
    assert_eq!(digest(&pinned.report()), old, "a new pod, too");

    place.change(&format!("pinnedDigest: '{old}'"), &format!("pinnedDigest: 'sha256:{}'", "0".repeat(64)));
    let report = running.until(|report| report["rejected"]["reason"] == "PinNotFound");
    assert!((running.metric("anomaly_model_rejected") - 1.0).abs() < 1e-9, "{report}");

    place.change(&format!("pinnedDigest: 'sha256:{}', ", "0".repeat(64)), "");
    let report = running.until(|report| digest(report) == new && report["rejected"].is_null());
    assert_eq!(report["trainings"], 1);
}

#[test]
fn trainings_by_the_clock_swap_and_every_answer_is_of_one_model() {
    let place = Place::new();
    // A threshold that follows the scores could not tell the models apart.
    place.change("model: {train", "adaptation: {policy: Fixed}\n  model: {retrain: {interval: 1s}, train");
    let running = place.start(&STATE);
    let mut models = std::collections::HashMap::new();
    let deadline = Instant::now() + Duration::from_secs(30);
    while models.len() < 4 && Instant::now() < deadline {
        let answer = ask(running.predict, "POST /predict?detail=true", "{\"value\":0.3}").unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let cut = models.entry(answer["model"].as_str().unwrap().to_owned());
        assert_eq!(cut.or_insert_with(|| answer["threshold"].clone()), &answer["threshold"]);
    }
    assert!(models.len() >= 4, "{models:?}");
    assert!(running.metric("anomaly_model_next_training_timestamp_seconds") > 1.7e9);
    assert!(running.metric("anomaly_trainings_total{outcome=\"failed\"").abs() < 1e-9);
}

#[test]
fn the_model_is_the_same_on_1_to_16_threads() {
    let digests: Vec<String> = ["1", "2", "3", "16"]
        .iter()
        .map(|threads| {
            let place = Place::new();
            let output = Command::new(env!("CARGO_BIN_EXE_detector"))
                .args(["run", "--fast", "--duration", "1s"])
                .arg(place.path("fan.yaml"))
                .env("RAYON_NUM_THREADS", threads)
                .current_dir(place.0.path())
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            text.lines()
                .find(|line| line.starts_with("model "))
                .unwrap_or_else(|| panic!("{text}"))
                .to_owned()
        })
        .collect();
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{digests:?}");
}

#[test]
fn a_replay_keeps_its_model_and_goes_on_where_it_was() {
    let place = Place::new();
    let rows: Vec<String> = (0..100).map(|i| format!("{},{}", i * 60, i * i % 31)).collect();
    place.write("rows.csv", format!("timestamp,value\n{}\n", rows.join("\n")).as_bytes());
    place.write(
        "rows.yaml",
        "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {name: rows}\nspec:\n  \
         sources: [{name: r, csv: {path: rows.csv, sensors: [{name: value}]}}]\n  model: {train: {samples: 50, lags: 2}}\n"
            .as_bytes(),
    );
    let replay = |duration: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_detector"));
        command.args(["run", "rows.yaml", "--fast", "--state", "state", "--duration", duration]);
        let output = command.current_dir(place.0.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let (first, second) = (replay("20m"), replay("24h"));
    assert!(first.contains("trained on 50 samples") && first.contains("readings=20 "), "{first}");
    assert!(second.contains("without training"), "{second}");
    // The first 2 rows have no past of their own: 52 were read to learn from, 20 were judged.
    assert!(second.contains("readings=28 "), "{second}");
}

#[test]
fn a_file_that_is_to_be_loaded_is_taken_when_it_comes_and_not_when_it_is_of_others() {
    let place = Place::new();
    place.write("stored", b"");
    place.start(&["--state", "made"]);
    let artifact = fs::read(place.path("made/model")).unwrap();
    let train = fs::read_to_string(place.path("fan.yaml")).unwrap();
    let at = train.find("model: {train").unwrap();
    let load = format!("{}model: {{load: {{configMap: {{name: x}}}}}}\n", &train[..at]);
    place.write("fan.yaml", load.as_bytes());

    let arguments = ["--load", ".", "--state", "state"];
    let running = Running::start(place.0.path(), &place.path("fan.yaml"), &arguments);
    let report = running.until(|report| report["rejected"]["reason"] == "LoadFailed");
    assert_eq!(report["phase"]["name"], "warmingUp");
    let ready = ask(running.metrics, "GET /readyz", "").unwrap();
    assert!(ready.contains("the model is not loaded yet: "), "{ready}");

    place.write("model", &artifact);
    let report = running.until(|report| report["phase"]["name"] == "serving" && report["rejected"].is_null());
    assert_eq!(report["model"]["origin"], "Loaded");
    assert!((running.metric("anomaly_model_rejected")).abs() < 1e-9);
    let first = digest(&report);

    place.write("model", &artifact[..artifact.len() - 1]);
    let report = running.until(|report| report["rejected"]["reason"] == "ArtifactInvalid");
    assert_eq!(digest(&report), first, "the current model keeps serving");
    place.write("model", &artifact);
    running.until(|report| report["rejected"].is_null());
    assert_eq!(place.kept(), artifact, "for the next start");
}
