//! The program with recorded data: a file without a manifest, a pipe, a file that grows, times that go
//! backwards.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::json;

use crate::running::Running;

/// Rows for these minutes: a load that varies a little, and a fault in one minute.
fn rows(minutes: std::ops::Range<usize>, fault: usize) -> String {
    minutes.fold(String::new(), |mut rows, minute| {
        let (hour, rest, is_fault) = (minute / 60 % 24, minute % 60, minute == fault);
        let load = if is_fault { 900.0 } else { 50.0 + (minute * 7 % 13) as f64 / 4.0 };
        let day = 1 + minute / 1440;
        let _ = writeln!(rows, "2026-03-{day:02} {hour:02}:{rest:02}:00,{load},{}", u8::from(is_fault));
        rows
    })
}

const HEADER: &str = "when,load (percent),fault\n";
const MANIFEST: &str = "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {name: rows}\nspec:\n  interval: 1m\n  sources:\n  - name: rows\n    \
    csv: {path: rows.csv, time: when, sensors: [{name: load, column: load (percent)}], label: fault}\n  \
    model: {train: {samples: 200, trees: 25}}\n  threshold: {contamination: 0.01}\n";

fn detector(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_detector"));
    command.args(arguments).current_dir(folder).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The lines about events, which depend neither on the detector's name nor on the machine.
fn summary(output: &Output) -> String {
    let lines = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{lines}{}", text(&output.stderr));
    lines.lines().filter(|line| line.contains(" event, ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_data_file_is_run_without_a_manifest_and_what_was_inferred_is_said_and_can_be_kept() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("Rows.csv"), HEADER.to_owned() + &rows(0..1000, 800)).unwrap();
    let output = detector(folder.path(), &["run", "Rows.csv"], "");
    let log = text(&output.stderr);
    for note in [
        "Rows.csv: cells are separated by commas",
        "time: column \"when\" as DateTime, \"2026-03-01 00:00:00\" (UTC; timeZone sets another zone); a row every 1m",
        "sensors: load",
        "truth: column \"fault\"",
        "of its 1000 rows the first 256 are used for training, the others are scored",
    ] {
        assert!(log.contains(note), "{log}");
    }
    assert!(summary(&output).contains("load 900.0000 percent, high"), "{}", text(&output.stdout));
    let manifest = detector(folder.path(), &["run", "Rows.csv", "--print-manifest"], "");
    let manifest = text(&manifest.stdout);
    let kept = detector(folder.path(), &["run", "-", "--fast"], &manifest);
    assert_eq!(summary(&kept), summary(&output), "{manifest}");
    let other = detector(folder.path(), &["run", "Rows.csv", "--set", "spec.interval=-1s"], "");
    assert_eq!(other.status.code(), Some(1));
    fs::write(folder.path().join("table.csv"), "a,b\n1,2\n").unwrap();
    let refused = text(&detector(folder.path(), &["run", "table.csv"], "").stderr);
    assert!(refused.contains("table.csv: expected a column of timestamps, got a, b"), "{refused}");
}

#[test]
fn a_recording_may_come_through_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let data = HEADER.to_owned() + &rows(0..1000, 800);
    fs::write(folder.path().join("rows.csv"), &data).unwrap();
    fs::write(folder.path().join("rows.yaml"), MANIFEST).unwrap();
    let from_file = detector(folder.path(), &["run", "rows.yaml", "--fast"], "");
    for path in ["-", "/dev/stdin"] {
        let path = format!("spec.sources[0].csv.path={path}");
        let piped = detector(folder.path(), &["run", "rows.yaml", "--fast", "--set", &path], &data);
        assert_eq!(summary(&piped), summary(&from_file));
    }
}

#[test]
fn rows_whose_time_falls_are_dropped_and_the_log_says_so_twice_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let data = HEADER.to_owned() + &rows(0..500, 400) + &rows(440..520, 0);
    fs::write(folder.path().join("rows.csv"), data).unwrap();
    fs::write(folder.path().join("rows.yaml"), MANIFEST).unwrap();
    let output = detector(folder.path(), &["run", "rows.yaml", "--fast"], "");
    let log = text(&output.stderr);
    let first = "rows.csv:502: 2026-03-01T07:20:00Z is earlier than 2026-03-01T08:19:00Z of the previous row: such rows are dropped";
    assert!(log.contains(first), "{log}");
    assert!(log.contains("rows.csv: 59 rows were dropped, whose time is earlier"), "{log}");
    assert_eq!(log.matches("dropped").count(), 2, "{log}");
    let output = detector(
        folder.path(),
        &["run", "rows.yaml", "--fast", "--set", "spec.sources[0].csv.outOfOrder=Fail"],
        "",
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("rows.csv:502: column \"when\": timestamps must not fall"),
        "{log}"
    );
}

#[test]
fn a_file_that_grows_is_followed_and_accounted_for_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    let manifest = MANIFEST.replace("csv: {path: rows.csv,", "csv: {path: rows.csv, follow: true,");
    fs::write(folder.path().join("rows.yaml"), manifest).unwrap();
    fs::write(&path, HEADER.to_owned() + &rows(0..100, 0)).unwrap();
    let running = Running::start(folder.path(), &folder.path().join("rows.yaml"), &[]);
    running.until(|report| report["phase"]["have"] == 100);
    assert_eq!(running.report()["sources"][0]["connected"], true);
    let append =
        |rows: &str| OpenOptions::new().append(true).open(&path).unwrap().write_all(rows.as_bytes()).unwrap();
    append(&rows(100..230, 0));
    running.until_serving();
    append(&rows(230..231, 230));
    running.until(|_| (running.metric("anomaly_score{") - 1.0).abs() < f64::EPSILON);
    append(&rows(10..20, 0));
    append(&rows(231..232, 0));
    running.until(|_| {
        let (arrived, accounted) = running.accounts();
        arrived >= 242.0 && (arrived - accounted).abs() < 0.5
    });
    assert!(running.metric("anomaly_readings_total{outcome=\"dropped\"") >= 10.0);
    assert_eq!(running.report()["phase"]["name"], json!("serving"));
}
