//! `detector evaluate`: labels in, figures with their intervals out; and the errors of bad labels.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn detector(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_detector"));
    command.args(arguments).current_dir(folder).env_remove("RUST_LOG").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The sentence of the error.
fn error(folder: &Path, arguments: &[&str]) -> String {
    let output = detector(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    text(&output.stderr).lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or_default().to_owned()
}

/// Rows a minute apart, of which the last two of every hundred are anomalous.
fn rows(count: usize) -> String {
    (0..count).fold("timestamp,load,label\n".to_owned(), |mut rows, row| {
        let fault = row % 100 > 97;
        let load = if fault { 90.0 } else { 50.0 + (row * 7 % 13) as f64 / 4.0 };
        let (day, hour, minute) = (1 + row / 1440, row / 60 % 24, row % 60);
        let _ = writeln!(rows, "2026-03-{day:02} {hour:02}:{minute:02}:00,{load},{}", u8::from(fault));
        rows
    })
}

/// A folder with labelled rows and a model of them.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("data.csv"), rows(2000)).unwrap();
    let train = ["train", "--input", "data.csv", "--output", "model", "--contamination", "0.02"];
    assert!(detector(folder.path(), &train).status.success());
    folder
}

fn figures(folder: &Path, arguments: &[&str]) -> Value {
    let output = detector(folder, &[&["evaluate", "--output", "json"], arguments].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_model_is_measured_against_the_labels_of_a_table() {
    let folder = folder();
    let found = figures(folder.path(), &["--model", "model", "--input", "data.csv"]);
    assert_eq!(found["counts"]["faults"], 20);
    assert_eq!(found["delayUnit"], "seconds");
    for figure in ["auc", "recall", "eventRecall", "alarmRecall"] {
        assert_eq!(found["figures"][figure]["value"], 1.0, "{found}");
    }
    let chosen =
        figures(folder.path(), &["--model", "model", "--input", "data.csv", "--choose", "precision=0.9"]);
    assert_eq!(chosen["chosen"]["rows"], 1000);
    assert_eq!(chosen["figures"]["precision"]["value"], 1.0, "{chosen}");
    let table = detector(folder.path(), &["evaluate", "--model", "model", "--input", "data.csv"]);
    assert!(text(&table.stdout).contains("blocks of 13 rows"), "{}", text(&table.stdout));
}

#[test]
fn a_data_file_and_a_manifest_are_measured_by_their_own_truth() {
    let folder = folder();
    let found = figures(folder.path(), &["data.csv"]);
    assert_eq!(found["counts"]["rows"], 1491, "a quarter is learned from: {found}");
    assert!(found["figures"]["auc"]["value"].as_f64().unwrap() > 0.99, "{found}");
    assert!(found["figures"]["alertRateRatio"]["value"].is_number(), "{found}");
    let pump = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/pump.yaml");
    let few = ["--set", "spec.model.train.samples=2000", "--duration", "1h"];
    let found = figures(folder.path(), &[&[pump][..], &few].concat());
    assert_eq!(found["counts"]["rows"], 3600);
    assert!(found["counts"]["faults"].as_u64().unwrap() > 2, "{found}");
}

#[test]
fn labels_may_come_from_a_file_of_their_own() {
    let folder = folder();
    let labels = |count: usize| {
        (0..count)
            .fold("label\n".to_owned(), |labels, row| labels + if row % 100 > 97 { "1\n" } else { "0\n" })
    };
    fs::write(folder.path().join("labels.csv"), labels(2000)).unwrap();
    let arguments = ["--model", "model", "--input", "data.csv", "--labels", "labels.csv"];
    assert_eq!(figures(folder.path(), &arguments)["figures"]["auc"]["value"], 1.0);
    fs::write(folder.path().join("labels.csv"), labels(1999)).unwrap();
    assert_eq!(
        error(folder.path(), &[&["evaluate"][..], &arguments].concat()),
        "labels.csv: expected a label for each of the 2000 rows of data.csv, got 1999"
    );
}

#[test]
fn labels_that_are_of_no_use_are_refused_in_a_sentence() {
    let folder = folder();
    let write = |text: &str| fs::write(folder.path().join("bad.csv"), text).unwrap();
    let refused = |more: &[&str]| {
        error(folder.path(), &[&["evaluate", "--model", "model", "--input", "bad.csv"][..], more].concat())
    };
    for (rows, sentence) in [
        (
            "load,label\n50,0\n51,0\n",
            "bad.csv: expected labels of both classes, got 0 (normal) in all of 2 rows",
        ),
        (
            "load,label\n50,1\n51,1\n",
            "bad.csv: expected labels of both classes, got 1 (anomalous) in all of 2 rows",
        ),
        ("load,other\n50,1\n", "bad.csv:1: no column \"label\"; there are load, other"),
        (
            "load,label\n50,NaN\n",
            "bad.csv:2: column \"label\": expected 0 (normal) or 1 (anomalous), got \"NaN\"",
        ),
        ("heat,label\n50,1\n", "bad.csv:1: no column \"load\"; there are heat, label"),
        ("load,label\n", "bad.csv: expected rows with a verdict, got none"),
    ] {
        write(rows);
        assert_eq!(refused(&[]), sentence);
    }
    write("load,label\n50,0\n90,1\n50,0\n90,1\n");
    assert_eq!(
        refused(&["--choose", "alertsPerDay=1"]),
        "bad.csv: alertsPerDay=1 needs the times of the rows: expected a column of timestamps, got none"
    );
    let quickstart = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/quickstart.yaml");
    assert_eq!(
        error(folder.path(), &["evaluate", quickstart, "--model", "model"]),
        "the model must have the manifest's columns, value, got load"
    );
}

#[test]
fn a_report_shows_the_half_that_the_chosen_threshold_judges() {
    let folder = folder();
    let evaluate = ["--model", "model", "--input", "data.csv", "--choose", "f1", "--report", "report.html"];
    let chosen = figures(folder.path(), &evaluate);
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("\"count\":1000,"), "the later half");
    assert!(page.contains(&format!("\"threshold\":{}", chosen["threshold"])), "{}", chosen["threshold"]);
    assert!(page.contains("the threshold was chosen for f1 on the 1000 rows before these"));
    assert!(page.contains(&format!("\"eventCount\":{}", chosen["counts"]["events"])), "{}", chosen["counts"]);
    let quickstart = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/pump.yaml");
    let choose = [quickstart, "--duration", "2h", "--choose", "recall=0.5", "--report", "replay.html"];
    let chosen = figures(folder.path(), &choose);
    let page = fs::read_to_string(folder.path().join("replay.html")).unwrap();
    assert!(page.contains(&format!("\"count\":{},", chosen["counts"]["rows"])), "{}", chosen["counts"]);
    assert!(page.contains(&format!("\"eventCount\":{}", chosen["counts"]["events"])), "{}", chosen["counts"]);
}

#[test]
fn tune_says_what_is_better_and_writes_the_manifest() {
    let folder = folder();
    let output = detector(folder.path(), &["tune", "data.csv", "--output", "best.yaml"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(said.starts_with("average precision") && said.contains("* "), "{said}");
    let best = fs::read_to_string(folder.path().join("best.yaml")).unwrap();
    assert!(best.contains("kind: AnomalyDetector"), "{best}");
    let quickstart = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/quickstart.yaml");
    let says = error(folder.path(), &["tune", quickstart, "--duration", "10m"]);
    assert!(says.contains("both halves of the time need labels"), "{says}");
}
