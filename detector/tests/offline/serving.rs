//! The program with a model file and no manifest: it answers, and says what is wrong with a file that is no model.

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
