//! The program as a process: its start, its answers, its stop, its exit codes and its messages.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Output, Stdio};

use crate::running::{ask, free_port};

fn detector(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_detector"));
    command.args(arguments).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).stdin(Stdio::null());
    command
}

fn done(arguments: &[&str]) -> Output {
    detector(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// (exit code, standard error) of a call that must fail.
fn refused(arguments: &[&str]) -> (i32, String) {
    let output = done(arguments);
    (output.status.code().unwrap(), text(&output.stderr))
}

/// A detector that serves on free ports of the loopback interface.
struct Serving {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
    predict: SocketAddr,
    metrics: SocketAddr,
}

impl Serving {
    fn start(arguments: &[&str]) -> Self {
        let (predict, metrics) = (free_port(), free_port());
        let addresses = [predict, metrics].map(|address| address.to_string());
        let mut command = detector(&["run"]);
        command
            .args(["--predict-address", &addresses[0], "--metrics-address", &addresses[1]])
            .args(arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines, predict, metrics }
    }

    /// Read lines until one contains the words.
    fn until(&mut self, words: &str) -> String {
        let mut line = String::new();
        while self.lines.read_line(&mut line).unwrap() > 0 {
            if line.contains(words) {
                return line;
            }
            line.clear();
        }
        panic!("the detector ended without a line with {words:?}");
    }

    fn signal(&self, name: &str) {
        let status =
            Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// The rest of the output, and the exit code.
    fn end(mut self) -> (String, Option<i32>) {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        (rest, self.child.wait().unwrap().code())
    }
}

#[test]
fn the_quickstart_trains_answers_and_ends_with_a_summary_at_either_signal() {
    for signal in ["TERM", "INT"] {
        let mut detector = Serving::start(&["manifests/quickstart.yaml"]);
        assert!(detector.until("predictions at").contains(&detector.predict.to_string()));
        assert!(detector.until("trained on").starts_with("quickstart: trained on 4096 samples of value in "));
        assert!(detector.until("model sha256:").len() > 64);
        assert_eq!(ask(detector.predict, "POST /predict", r#"{"value":0.95}"#).unwrap(), r#"{"anomaly":0}"#);
        assert_eq!(ask(detector.predict, "POST /predict", r#"{"value":1.5}"#).unwrap(), r#"{"anomaly":1}"#);
        let metrics = ask(detector.metrics, "GET /metrics", "").unwrap();
        assert!(metrics.contains(r#"anomaly_threshold{detector="quickstart"} 0."#), "{metrics}");
        while !ask(detector.predict, "GET /verdicts", "").unwrap().contains("\"time\"") {}
        detector.signal(signal);
        let (rest, code) = detector.end();
        assert_eq!(code, Some(0));
        assert!(rest.contains("figures: ") && rest.contains("faults found: "), "{rest}");
    }
}

#[test]
fn it_stops_by_itself_after_the_duration_and_speaks_json_to_machines() {
    let mut detector = Serving::start(&["--log", "json", "--duration", "1s", "manifests/quickstart.yaml"]);
    let trained: serde_json::Value = serde_json::from_str(&detector.until("\"trained\"")).unwrap();
    assert_eq!(trained["detector"], "quickstart");
    assert_eq!(trained["model"]["samples"], 4096);
    let (rest, code) = detector.end();
    assert_eq!(code, Some(0));
    let summary: serde_json::Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
    assert_eq!(summary["event"], "summary");
}

#[test]
fn two_runs_agree_in_digest_and_in_every_verdict_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let runs = ["1", "2", "7"].map(|threads| {
        let path = folder.path().join(threads);
        let output = detector(&[
            "run",
            "--fast",
            "--duration",
            "20m",
            "manifests/pump.yaml",
            "--output",
            path.to_str().unwrap(),
        ])
        .env("RAYON_NUM_THREADS", threads)
        .output()
        .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        let digest = text(&output.stdout).lines().find(|line| line.starts_with("model ")).unwrap().to_owned();
        (digest, std::fs::read_to_string(path).unwrap())
    });
    assert_eq!(runs[0].1.lines().count(), 1 + 20 * 60);
    let header = "time,temperature,vibration,score,severity,anomaly,sensor,feature,direction,expected_low,expected_high,truth";
    assert_eq!(runs[0].1.lines().next(), Some(header));
    assert!(runs[0] == runs[1] && runs[1] == runs[2]);
}

/// The recall and the precision in the last line of the output.
fn figures(output: &Output) -> (f64, f64) {
    let stdout = text(&output.stdout);
    let last = stdout.lines().last().unwrap();
    let figure = |name: &str| {
        let value =
            last.split(' ').find_map(|word| word.strip_prefix(name)).unwrap_or_else(|| panic!("{last}"));
        value.parse::<f64>().unwrap()
    };
    assert!(last.starts_with("figures: "), "{last}");
    assert!(figure("readings_per_second=") > 0.0);
    (figure("event_recall="), figure("precision="))
}

#[test]
fn an_event_is_one_line_with_its_direction_and_expected_range() {
    let output = text(&done(&["run", "--fast", "--duration", "6h", "manifests/pump.yaml"]).stdout);
    let events: Vec<&str> = output.lines().filter(|line| line.contains(" event, ")).collect();
    assert!(output.contains(&format!("\nevents: {}, of which", events.len())), "{output}");
    assert!(!events.is_empty() && !output.contains(" anomaly, "), "{output}");
    for event in events {
        let says = |words: &str| event.contains(words);
        assert!(says(", high: expected ") || says(", low: expected ") || says(" missing ("), "{event}");
    }
}

#[test]
fn an_interrupt_ends_a_replay_after_a_whole_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("verdicts.csv");
    let arguments =
        ["run", "--fast", "--duration", "100000h", "manifests/pump.yaml", "--output", path.to_str().unwrap()];
    let mut child = detector(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    while std::fs::metadata(&path).map_or(0, |file| file.len()) < 100_000 {
        std::thread::yield_now();
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let mut output = String::new();
    child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(output.contains("figures: "), "{output}");
    let rows = std::fs::read_to_string(&path).unwrap();
    assert!(rows.ends_with('\n') && rows.lines().all(|row| row.matches(',').count() == 11));
}

#[test]
fn a_manifest_is_read_from_the_standard_input_and_a_union_is_changed_by_set() {
    let manifest =
        std::fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/pump.yaml")).unwrap();
    let arguments = ["run", "--fast", "--duration", "1m", "-", "--set", "spec.threshold.score=0.9"];
    let output = detector(&arguments).stdin(manifest).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("threshold 0.9000"), "{}", text(&output.stdout));
}

#[test]
fn over_a_simulated_day_the_pumps_faults_are_found_and_nine_of_ten_alarms_are_right() {
    for seed in ["42", "5"] {
        let seed = format!("spec.sources[0].simulated.seed={seed}");
        let output = done(&["run", "--fast", "--duration", "24h", "manifests/pump.yaml", "--set", &seed]);
        let (recall, precision) = figures(&output);
        assert!(recall >= 0.95 && precision >= 0.5, "{seed}: recall {recall}, precision {precision}");
        let said = text(&output.stdout);
        let alarms = said.rsplit_once("alarm_precision=").unwrap().1.split_once(' ').unwrap().0;
        assert!(alarms.parse::<f64>().unwrap() >= 0.9, "{seed}: {alarms}");
    }
}

#[test]
fn the_quickstart_raises_no_alarm_on_an_ordinary_day() {
    for seed in ["42", "5"] {
        let seed = format!("spec.sources[0].simulated.seed={seed}");
        let output =
            done(&["run", "--fast", "--duration", "24h", "manifests/quickstart.yaml", "--set", &seed]);
        let said = text(&output.stdout);
        assert!(said.contains("of which 0 raised an alarm"), "{seed}: {said}");
    }
}

#[test]
fn in_a_pod_recordings_come_from_their_folder_and_the_words_of_other_files_are_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::copy(
        concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/recorded.csv"),
        data.join("recorded.csv"),
    )
    .unwrap();
    for key in ["data/key", "key"] {
        std::fs::write(folder.path().join(key), "swordfish\npudding\n").unwrap();
    }
    let run = |path: &str| {
        let path = format!("spec.sources[0].csv.path={path}");
        let mut command = detector(&["run", "manifests/recorded-volume.yaml", "--fast", "--duration", "1h"]);
        command.args(["--set", &path]).env("DETECTOR_DATA", &data).output().unwrap()
    };
    assert_eq!(run("recorded.csv").status.code(), Some(0));
    for (path, why) in [("key", "none of the columns that the spec names"), ("../key", "must be a file in ")]
    {
        let refused = run(path);
        let said = text(&refused.stderr) + &text(&refused.stdout);
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(said.contains(why) && !said.contains("swordfish") && !said.contains("pudding"), "{said}");
    }
}

#[test]
fn the_recorded_failures_are_found() {
    for manifest in ["manifests/recorded.yaml", "manifests/stream.yaml"] {
        let output = done(&["run", "--fast", manifest]);
        assert!((figures(&output).0 - 1.0).abs() < 1e-9, "{manifest}: {}", text(&output.stdout));
    }
}

#[test]
fn every_invalid_sample_is_refused_with_the_sentences_of_its_first_lines() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/invalid");
    let names =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut paths: Vec<String> = names.map(|name| format!("manifests/invalid/{name}")).collect();
    paths.sort();
    let sentences = |path: &String| -> Vec<String> {
        let text = std::fs::read_to_string(format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        text.lines().map_while(|line| line.strip_prefix("# ")).map(|line| format!("{path}: {line}")).collect()
    };
    let expected: Vec<String> = paths.iter().flat_map(sentences).collect();
    let arguments: Vec<&str> = ["validate"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    let output = done(&arguments);
    assert_eq!(output.status.code(), Some(1));
    let without_line = |said: &str| {
        let (file, rest) = said.split_once(".yaml:").unwrap();
        format!("{file}.yaml:{}", rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':'))
    };
    assert_eq!(text(&output.stdout).lines().map(without_line).collect::<Vec<_>>(), expected);
    assert!(expected.len() > 25);
    let folder = done(&["validate", "manifests/invalid"]);
    assert_eq!((folder.status.code(), text(&folder.stdout)), (Some(1), text(&output.stdout)));
}

#[test]
fn a_broken_rule_is_shown_with_its_line_in_files_of_several_documents_and_on_the_standard_input() {
    let path = "manifests/invalid/several-at-once.yaml";
    let said = format!(
        "{path}:9: spec.interval: must match ^([0-9]{{1,9}}(\\.[0-9]{{1,9}})?(ms|s|m|h))+$, got \"fast\"\n\
         {path}:11: spec.model.train.trees: must be at least 1, got 0\n\
         {path}:10: spec.replicas: must be at most 100, got 1000\n\
         {path}:14: spec.sources[0].simulated.sensors[0].color: unknown field, expected one of baseline, faults, name, \
         noise, trendPerHour, unit, waves\n"
    );
    assert_eq!(text(&done(&["validate", path]).stdout), said);
    assert_eq!(refused(&["run", path]), (1, format!("error: {said}")));

    let quickstart = include_str!("../../../manifests/quickstart.yaml");
    let several = format!(
        "{quickstart}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: x}}\n---\n{quickstart}  replicas: -1\n"
    );
    let line = several.lines().count();
    let mut child =
        detector(&["validate", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(several.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        text(&output.stdout),
        format!("standard input:{line}: spec.replicas: must be at least 0, got -1\n")
    );
}

#[test]
fn a_query_that_is_no_promql_is_shown_with_its_line_and_column_beside_the_rules_that_are_broken() {
    let manifest = "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {name: api}\nspec:\n  replicas: -1\n  \
        sources:\n  - name: metrics\n    prometheus:\n      url: http://prometheus:9090\n      sensors:\n      \
        - {name: up, query: 'max(up)'}\n      - name: errors\n        query: |\n          sum(\n            rate(errors_total[5m)\n          )\n";
    let mut child =
        detector(&["validate", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(manifest.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (
            Some(1),
            "standard input:5: spec.replicas: must be at least 0, got -1\n\
             standard input:13: spec.sources[0].prometheus.sensors[1].query: must be PromQL: line 2, column 23: \
             expected \":\" or \"]\", got \")\"\n"
                .to_owned()
        )
    );
}

#[test]
fn validate_passes_what_is_valid_and_names_what_is_not() {
    let output = done(&["validate", "manifests/quickstart.yaml", "manifests/every-option.yaml"]);
    assert!(output.status.success());
    assert_eq!(
        text(&output.stdout),
        "manifests/quickstart.yaml: valid\nmanifests/every-option.yaml: valid\n"
    );
    let (code, stderr) =
        refused(&["validate", "manifests/quickstart.yaml", "manifests/invalid/no-trees.yaml"]);
    assert_eq!((code, stderr.as_str()), (1, "error: 1 of 2 files are not valid\n"));
}

#[test]
fn what_cannot_run_ends_in_one_sentence_and_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let unwritable = folder.path().join("no/such/folder.csv");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (arguments, sentence) in [
        (
            vec!["run", "absent.yaml"],
            "error: absent.yaml: No such file or directory (os error 2)\n".to_owned(),
        ),
        (
            vec!["run", "manifests/quickstart.yaml", "--set", "spec.sources[9]=1"],
            "error: --set spec.sources[9]=1: [9] is beyond the list's 1 items\n".to_owned(),
        ),
        (
            vec!["run", "manifests/quickstart.yaml", "--predict-address", &address],
            format!("error: {address} cannot be listened on: Address already in use (os error 98)\n"),
        ),
        (
            vec!["run", "--fast", "manifests/quickstart.yaml", "--output", unwritable.to_str().unwrap()],
            format!("error: {}: No such file or directory (os error 2)\n", unwritable.display()),
        ),
    ] {
        assert_eq!(refused(&arguments), (1, sentence));
    }
}

#[test]
fn wrong_usage_is_code_2() {
    for arguments in
        [&["run"] as &[&str], &["fly"], &["run", "manifests/quickstart.yaml", "--duration", "1 day"]]
    {
        assert_eq!(refused(arguments).0, 2, "{arguments:?}");
    }
}

#[test]
fn completions_are_printed_for_a_shell() {
    let output = done(&["completions", "bash"]);
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("--metrics-address"));
}
