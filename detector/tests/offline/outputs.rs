//! The files that the program writes: never over its own input, and never lost without an error.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

const ROWS: &str = "a,b\n1,2\n3,4\n5,7\n2,1\n3,3\n";

/// A folder with a recording and a model of it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("data.csv"), ROWS).unwrap();
    let trained = run(folder.path(), &["train", "--input", "data.csv", "--output", "model", "--trees", "3"]);
    assert_eq!(trained, (0, String::new()), "{}", trained.1);
    folder
}

/// (exit code, the sentence of the error) of a command in a folder.
fn run(folder: &Path, arguments: &[&str]) -> (i32, String) {
    run_to(folder, arguments, Stdio::null())
}

fn run_to(folder: &Path, arguments: &[&str], stdout: Stdio) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_detector"));
    let output = command.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(stdout).output();
    let output = output.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let error = said.lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or_default();
    (output.status.code().unwrap_or(-1), error.to_owned())
}

#[test]
fn an_output_that_is_an_input_is_refused_by_every_name_of_it() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    fs::hard_link(at("data.csv"), at("hard")).unwrap();
    std::os::unix::fs::symlink("data.csv", at("soft")).unwrap();
    let manifest = format!(
        "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {{name: fan}}\nspec:\n  sources: [{{name: s, csv: {{path: {}, \
         time: a, sensors: [{{name: b}}]}}}}]\n",
        at("data.csv").display()
    );
    fs::write(at("fan.yaml"), &manifest).unwrap();
    let model = fs::read(at("model")).unwrap();
    for (arguments, input) in [
        (&["train", "--input", "data.csv", "--output", "data.csv"][..], "data.csv"),
        (&["train", "--input", "data.csv", "--output", "hard"], "data.csv"),
        (&["train", "--input", "soft", "--output", "data.csv"], "soft"),
        (&["score", "--model", "model", "--input", "data.csv", "--output", "soft"], "data.csv"),
        (&["score", "--model", "model", "--input", "data.csv", "--output", "model"], "model"),
        (&["export", "--onnx", "--model", "model", "--output", "model"], "model"),
        (&["run", "fan.yaml", "--fast", "--output", "fan.yaml"], "fan.yaml"),
        (&["run", "fan.yaml", "--fast", "--output", "hard"], at("data.csv").to_str().unwrap()),
    ] {
        let (code, error) = run(folder.path(), arguments);
        let says = format!(": the output must be another file than the input {input}");
        assert!(code == 1 && error.ends_with(&says), "{arguments:?}: {code} {error}");
    }
    assert_eq!(fs::read_to_string(at("data.csv")).unwrap(), ROWS);
    assert_eq!(fs::read(at("model")).unwrap(), model);
    assert_eq!(fs::read_to_string(at("fan.yaml")).unwrap(), manifest);
}

#[test]
fn a_full_disk_ends_every_command_with_an_error() {
    let folder = folder();
    let quickstart = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/quickstart.yaml");
    for arguments in [
        &["inspect", "model"][..],
        &["compare", "model", "model", "--input", "data.csv"],
        &["score", "--model", "model", "--input", "data.csv"],
        &["export", "--onnx", "--model", "model", "--output", "-"],
        &["train", "--input", "data.csv", "--output", "-"],
        &["validate", quickstart],
        &["completions", "bash"],
        &["run", quickstart, "--fast", "--duration", "60s"],
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let (code, error) = run_to(folder.path(), arguments, full.into());
        assert!(code == 1 && error.contains("No space left on device"), "{arguments:?}: {code} {error}");
    }
    let full = File::options().write(true).open("/dev/full").unwrap();
    assert_eq!(run_to(folder.path(), &["--help"], full.into()).0, 1);
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let folder = folder();
    let score = ["score", "--model", "model", "--input", "data.csv", "--keep", "a"];
    for arguments in [&["inspect", "model"][..], &score] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(run_to(folder.path(), arguments, writer.into()), (0, String::new()), "{arguments:?}");
    }
}

#[test]
fn two_processes_do_not_share_a_folder_of_state() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let _held = detector::lifecycle::store::StateDirectory::open(&state).unwrap();
    let quickstart = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/quickstart.yaml");
    let arguments = ["run", quickstart, "--fast", "--duration", "5s", "--state", "state"];
    let (code, error) = run(folder.path(), &arguments);
    assert_eq!(
        (code, error.as_str()),
        (1, "state: the folder is in use by another detector, each needs one of its own")
    );
}

#[test]
fn a_report_is_a_page_and_never_written_over_an_input() {
    let folder = folder();
    let quickstart = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/quickstart.yaml");
    let arguments = ["run", quickstart, "--fast", "--duration", "60s", "--report", "report.html"];
    assert_eq!(run(folder.path(), &arguments), (0, String::new()));
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("\"count\":60"), "{}", page.len());
    fs::copy(quickstart, folder.path().join("own.yaml")).unwrap();
    let over = ["run", "own.yaml", "--fast", "--duration", "60s", "--report", "own.yaml"];
    assert!(run(folder.path(), &over).1.ends_with("the output must be another file than the input own.yaml"));
}

/// The output of a command on a terminal, which `script` provides.
fn on_a_terminal(no_color: &str) -> String {
    let command = format!(
        "{} run {}/../manifests/recorded.csv",
        env!("CARGO_BIN_EXE_detector"),
        env!("CARGO_MANIFEST_DIR")
    );
    let mut script = Command::new("script");
    script
        .args(["-qec", &command, "/dev/null"])
        .env("NO_COLOR", no_color)
        .env("TERM", "xterm")
        .env_remove("RUST_LOG");
    String::from_utf8_lossy(&script.stdin(Stdio::null()).output().unwrap().stdout).into_owned()
}

#[test]
fn a_terminal_has_a_live_line_and_one_line_an_event_in_colours_unless_they_are_refused() {
    let shown = on_a_terminal("");
    let events = shown.lines().filter(|line| line.contains("value change -6.6000, low")).count();
    assert_eq!(events, 1, "{shown}");
    assert!(shown.contains("readings · ") && shown.contains("\u{1b}[1;31m"), "{shown}");
    let plain = on_a_terminal("1");
    assert!(
        plain.contains("readings · ") && !plain.contains("\u{1b}[1;31m") && !plain.contains("\u{1b}[32m"),
        "{plain}"
    );
}

#[test]
fn a_pipe_has_whole_lines_and_nothing_else() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_detector"));
    command
        .args(["run", concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/recorded.csv")])
        .env_remove("RUST_LOG");
    let output = command.stdin(Stdio::null()).output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(
        !stdout.contains('\u{1b}') && !stderr.contains('\u{1b}') && !stderr.contains("readings · "),
        "{stderr}"
    );
    assert!(
        stdout.contains("alarm, event since 2026-10-04T14:50:00Z")
            && stdout.contains(" event, 600 s, 1 verdict"),
        "{stdout}"
    );
}
