//! The work of a data scientist with files: train with labels, score with columns kept and reasons, NDJSON,
//! one tree.

use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn detector(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_detector"));
    command.args(arguments).current_dir(folder).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that ends before it has read all its input has closed it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn printed(folder: &Path, arguments: &[&str], input: &str) -> String {
    let output = detector(folder, arguments, input);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn error(folder: &Path, arguments: &[&str], input: &str) -> String {
    let output = detector(folder, arguments, input);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    let text = String::from_utf8(output.stderr).unwrap();
    text.lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or_default().to_owned()
}

/// Rows with a name, and a fault in every hundredth row.
fn rows() -> String {
    (0..500).fold("id,heat,flow,fault\n".to_owned(), |mut rows, row| {
        let fault = row % 100 == 99;
        let (heat, flow) =
            (60.0 + f64::from(row * 7 % 13) / 4.0, if fault { 9.0 } else { f64::from(row * 5 % 11) / 4.0 });
        let _ = writeln!(rows, "pump-{row},{heat},{flow},{}", u8::from(fault));
        rows
    })
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("data.csv"), rows()).unwrap();
    let train = ["train", "--input", "data.csv", "--exclude", "id", "--label", "fault", "--output", "model"];
    let output = detector(folder.path(), &train, "");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("over heat, flow (500 samples)"), "{said}");
    assert!(said.contains("label fault, on the training rows: AUC (ROC) 1.000 (1.000 to 1.000)"), "{said}");
    folder
}

#[test]
fn scores_come_with_the_columns_that_are_kept_and_with_reasons() {
    let folder = folder();
    let score = [
        "score",
        "--model",
        "model",
        "--input",
        "data.csv",
        "--keep",
        "id,fault",
        "--contributions",
        "--reasons",
    ];
    let text = printed(folder.path(), &score, "");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "id,fault,score,severity,anomaly,contribution_heat,contribution_flow,sensor,feature,direction,expected_low,expected_high"
    );
    assert_eq!(lines.len(), 501);
    let fault: Vec<&str> = lines[100].split(',').collect();
    assert_eq!((fault[0], fault[1], fault[4]), ("pump-99", "1", "1"));
    assert_eq!(fault[7..10], ["flow", "Value", "High"]);
    let shares: f64 = fault[5..7].iter().map(|share| share.parse::<f64>().unwrap()).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{shares}");
    let plain = printed(folder.path(), &["score", "--model", "model", "--input", "data.csv"], "");
    let same: Vec<String> =
        lines.iter().map(|line| line.split(',').collect::<Vec<_>>()[2..5].join(",")).collect();
    assert_eq!(plain.lines().collect::<Vec<_>>(), same, "the scores are the same");
}

#[test]
fn ndjson_goes_in_and_out_through_pipes() {
    let folder = folder();
    let lines = "{\"id\":7,\"heat\":61.5,\"flow\":1.0}\n{\"id\":8,\"heat\":null,\"flow\":9}\n";
    let score = ["score", "--model", "model", "--input", "-", "--keep", "id", "--format", "ndjson"];
    let text = printed(folder.path(), &score, lines);
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&rows[0]["id"], &rows[0]["anomaly"]), (&Value::from(7), &Value::from(0)));
    assert_eq!((&rows[1]["id"], &rows[1]["anomaly"]), (&Value::from(8), &Value::from(1)));
    let refused = "{\"heat\":61.5,\"flow\":1.0}\n{\"heat\":\"warm\",\"flow\":9}\n";
    let says = error(folder.path(), &["score", "--model", "model", "--input", "-"], refused);
    assert_eq!(says, "standard input:2: column \"heat\": expected a number, got \"warm\"");
    let says =
        error(folder.path(), &["score", "--model", "model", "--input", "-"], "{\"heat\":1,\"flow\":[]}\n");
    assert!(says.ends_with("line 1: field \"flow\": expected a number or a text, got a list"), "{says}");
}

#[test]
fn a_model_may_come_through_a_pipe_and_a_report_of_rows_is_a_page() {
    let folder = folder();
    let score = [
        "score",
        "--model",
        "/dev/stdin",
        "--input",
        "data.csv",
        "--report",
        "report.html",
        "--output",
        "scores.csv",
    ];
    let model = fs::read(folder.path().join("model")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_detector"));
    let mut child = command.args(score).current_dir(folder.path()).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&model).unwrap();
    assert!(child.wait().unwrap().success());
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("\"count\":500") && page.contains("\"hasTimes\":false"), "{}", page.len());
}

#[test]
fn a_tree_is_shown_by_its_number() {
    let folder = folder();
    let text = printed(folder.path(), &["inspect", "model", "--tree", "3"], "");
    assert!(text.lines().next().unwrap().contains(" <= "), "{text}");
    let rows = |text: &str| -> u32 {
        let leaves = text.lines().filter_map(|line| {
            line.trim().strip_suffix(" rows").or_else(|| line.trim().strip_suffix(" row"))
        });
        leaves.map(|rows| rows.parse::<u32>().unwrap()).sum()
    };
    assert_eq!(rows(&text), 256, "every row of the sample ended in a leaf");
    assert!(
        printed(folder.path(), &["inspect", "model", "--tree", "3", "--format", "dot"], "")
            .starts_with("digraph tree {")
    );
    assert_eq!(
        error(folder.path(), &["inspect", "model", "--tree", "100"], ""),
        "--tree must be less than the number of trees, 100, got 100"
    );
}

#[test]
fn a_label_that_is_of_no_use_is_refused() {
    let folder = folder();
    let train = ["train", "--input", "data.csv", "--output", "other", "--label", "fault"];
    let says = error(folder.path(), &[&train[..], &["--columns", "heat,fault"]].concat(), "");
    assert_eq!(says, "--label fault must not be one of --columns: the model would be trained on the label");
    let says = error(
        folder.path(),
        &["train", "--input", "data.csv", "--exclude", "id", "--output", "other", "--label", "flow"],
        "",
    );
    assert!(says.ends_with("column \"flow\": expected 0 (normal) or 1 (anomalous), got \"1.25\""), "{says}");
}

#[test]
fn importances_are_mean_contributions_for_people_and_programs() {
    let folder = folder();
    let score = ["score", "--model", "model", "--input", "data.csv", "--importances"];
    let text = printed(folder.path(), &score, "");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "column  importance  of anomalies");
    assert!(lines[4].starts_with("mean contributions over 500 rows, "), "{text}");
    let text = printed(folder.path(), &[&score[..], &["--format", "csv"]].concat(), "");
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0], ["column", "importance", "importance_anomalies"]);
    let share = |row: usize, column: usize| rows[row][column].parse::<f64>().unwrap();
    assert!((share(1, 1) + share(2, 1) - 1.0).abs() < 1e-9 && share(1, 1) >= share(2, 1), "{text}");
    let flow = rows.iter().position(|row| row[0] == "flow").unwrap();
    assert!(share(flow, 2) > 0.7, "the faults are of the flow: {text}");
    printed(folder.path(), &[&score[..], &["--output", "importances.ndjson"]].concat(), "");
    let file = fs::read_to_string(folder.path().join("importances.ndjson")).unwrap();
    let first: Value = serde_json::from_str(file.lines().next().unwrap()).unwrap();
    assert_eq!(first["column"], rows[1][0]);
    let none = ["score", "--model", "model", "--input", "-", "--importances"];
    assert_eq!(
        error(folder.path(), &none, "heat,flow\n"),
        "standard input: expected rows with a score, got none"
    );
}

#[test]
fn no_rows_are_a_header_and_a_report_of_nothing() {
    let folder = folder();
    let score = ["score", "--model", "model", "--input", "-", "--report", "report.html"];
    assert_eq!(printed(folder.path(), &score, "heat,flow\n"), "score,severity,anomaly\n");
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("\"count\":0,"), "{}", page.len());
}

#[test]
fn a_file_of_other_columns_than_the_model_is_refused_with_the_difference() {
    let folder = folder();
    let score = ["score", "--model", "model", "--input", "-"];
    assert_eq!(
        error(folder.path(), &score, "heat,Flow\n1,2\n"),
        "standard input:1: no column \"flow\"; there are heat, Flow"
    );
    assert_eq!(
        error(folder.path(), &score, "a,b,c\n1,2,3\n"),
        "standard input:1: no columns heat, flow; there are a, b, c"
    );
}

/// `iconv -t latin1` of rows with a place, and of a header with one.
const LATIN_1: [&[u8]; 2] = [
    b"timestamp,heat,flow,label,place\n1,60,1,0,Werk\n2,61,2,1,M\xfcll\n3,60,1,0,Werk\n",
    b"timestamp,heat,flow,label,W\xe4rme\n1,60,1,0,1\n2,61,2,1,2\n",
];

#[test]
fn another_encoding_is_in_the_way_only_where_its_cells_are_asked_for() {
    let folder = folder();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("cells.csv", LATIN_1[0]);
    write("names.csv", LATIN_1[1]);
    write("stray.csv", b"timestamp,heat,flow,label\n1,60,1,0\n2,6\xb91,2,0\n3,60,1,\xb9\n");
    let error = |arguments: &str| error(folder.path(), &arguments.split(' ').collect::<Vec<_>>(), "");
    let convert = "convert the file, as by iconv -f latin1 -t utf-8";
    let place = format!("cells.csv:3: column \"place\": expected UTF-8, got \"M\\xfcll\": {convert}");
    let name = format!("names.csv:1: the name of column 5: expected UTF-8, got \"W\\xe4rme\": {convert}");
    let cell = format!("stray.csv:3: column \"heat\": expected UTF-8, got \"6\\xb91\": {convert}");
    let label = format!("stray.csv:4: column \"label\": expected UTF-8, got \"\\xb9\": {convert}");
    assert_eq!(error("train --input names.csv --output none"), name);
    assert_eq!(error("train --input stray.csv --output none"), cell);
    assert_eq!(error("score --model model --input stray.csv"), cell);
    assert_eq!(error("score --model model --input cells.csv --keep place"), place);
    assert_eq!(error("evaluate --model model --input stray.csv --labels stray.csv"), cell);
    write("labels.csv", b"label\n0\n1\n0\n");
    write("good.csv", b"heat,flow\n60,1\n61,2\n60,1\n");
    assert_eq!(error("evaluate --model model --input good.csv --labels stray.csv"), label);
    assert_eq!(error("run names.csv"), name);
    let timed: Vec<String> = (1..40).map(|row| format!("{row},{},1,0\n", 60 + row % 3)).collect();
    let timed = timed.concat();
    write("timed.csv", format!("timestamp,heat,flow,label\n{timed}").as_bytes());
    assert_eq!(error("run timed.csv --set spec.sources[0].csv.path=stray.csv"), cell);
    let scores = printed(folder.path(), &["score", "--model", "model", "--input", "cells.csv"], "");
    assert_eq!(scores.lines().count(), 4, "nobody asks for the place");
}

#[test]
fn utf_16_as_spreadsheets_save_it_is_read_by_every_command() {
    let folder = folder();
    let text = fs::read_to_string(folder.path().join("data.csv")).unwrap();
    let utf16: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(folder.path().join("utf16.csv"), utf16).unwrap();
    let of = |file: &str| {
        let score = ["score", "--model", "model", "--keep", "id", "--input", file];
        let evaluate =
            ["evaluate", "--model", "model", "--label", "fault", "--output", "json", "--input", file];
        printed(folder.path(), &["train", "--exclude", "id,fault", "--output", "same", "--input", file], "");
        let evaluated: Value = serde_json::from_str(&printed(folder.path(), &evaluate, "")).unwrap();
        let model = fs::read(folder.path().join("same")).unwrap();
        (printed(folder.path(), &score, ""), evaluated["figures"].clone(), model)
    };
    assert!(of("utf16.csv") == of("data.csv"));
    let recorded: Vec<u8> =
        include_str!("../../../manifests/recorded.csv").encode_utf16().flat_map(u16::to_be_bytes).collect();
    fs::write(folder.path().join("recorded.csv"), [&b"\xfe\xff"[..], &recorded].concat()).unwrap();
    assert!(printed(folder.path(), &["run", "recorded.csv"], "").contains("readings, "));
}
