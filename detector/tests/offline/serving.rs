//! The program with a model file and no manifest: it answers predictions, and reports a file that is not a
//! model.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::running::{Running, ask_with};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/interchange/tests/fixtures/1.0.2");

#[test]
fn a_file_of_scikit_learn_is_served_in_one_command() {
    let file = Path::new(FIXTURES).join("chosen.joblib");
    let running = Running::serve(&file, &[]);
    running.until_serving();
    let rows = r#"{"instances":[[0,0,0,0]]}"#;
    let (code, answer) = ask_with(running.predict, "POST /predict", "", rows).unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((code, answer["predictions"].as_array().map(Vec::len)), (200, Some(1)), "{answer}");
}

#[test]
fn a_pipeline_of_scikit_learn_is_served_with_its_steps() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/interchange/tests/fixtures/pipelines/1.0.2");
    let expected = std::fs::read(Path::new(folder).join("robust.json")).unwrap();
    let expected: Value = serde_json::from_slice(&expected).unwrap();
    let running = Running::serve(&Path::new(folder).join("robust.joblib"), &[]);
    running.until_serving();
    let rows = serde_json::json!({ "instances": expected["rows"] }).to_string();
    let (code, answer) = ask_with(running.predict, "POST /predict", "", &rows).unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(code, 200, "{answer}");
    let (predictions, scores) =
        (answer["predictions"].as_array().unwrap(), expected["scores"].as_array().unwrap());
    let ours = predictions.iter().map(|prediction| prediction["anomaly"].clone());
    assert_eq!(predictions.len(), scores.len());
    assert!(ours.eq(expected["anomalies"].as_array().unwrap().iter().cloned()), "{answer}");
}

#[test]
fn what_cannot_be_served_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model"), "no model").unwrap();
    let refused = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_detector"));
        command.arg("serve").args(arguments).current_dir(folder.path()).stdin(Stdio::null());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(&["model"]).starts_with("error: model: "));
    assert!(refused(&["absent"]).starts_with("error: absent: No such file"));
}
