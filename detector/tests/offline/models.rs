//! The program on CSV files: train, inspect, score, export, and refused input.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crd::valid::ThresholdRule;
use detector::ingest::sources::csv::Recording;
use detector::model::judge::Explain;
use detector::model::judgement::severity;
use detector::model::model::{Model, Rethreshold};
use detector::model::training::{TrainingSet, learn};
use tempfile::TempDir;

/// A folder with a recording of 2000 readings of two sensors, the last of which is far off.
struct Folder(TempDir);

const ROWS: usize = 2000;

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let rows = (0..ROWS).map(|row| {
            let wave = (row as f64 / 50.0).sin();
            let load = if row + 1 == ROWS { 40.0 } else { wave * wave };
            format!("{},{},{load},{}\n", row * 60, 60.0 + 5.0 * wave, u8::from(row + 1 == ROWS))
        });
        fs::write(
            folder.path("data.csv"),
            format!("timestamp,heat,load,label\n{}", rows.collect::<String>()),
        )
        .unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_detector"));
        command.current_dir(&self.0).args(arguments.split_whitespace());
        command
    }

    fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The output of a command, which must succeed.
    fn done(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The error message of a command, which must fail.
    fn refused(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        stderr.trim_end().strip_prefix("error: ").expect("error: ").to_owned()
    }
}

/// Score, severity and anomaly of each row.
fn scores(text: &str) -> Vec<[f64; 3]> {
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("score,severity,anomaly"));
    let numbers = |line: &str| -> Vec<f64> { line.split(',').map(|cell| cell.parse().unwrap()).collect() };
    lines.map(|line| numbers(line).try_into().unwrap()).collect()
}

fn gzip(from: &Path, to: &Path) {
    let mut encoder =
        flate2::write::GzEncoder::new(fs::File::create(to).unwrap(), flate2::Compression::fast());
    encoder.write_all(&fs::read(from).unwrap()).unwrap();
    encoder.finish().unwrap();
}

#[test]
fn what_is_trained_is_printed_and_inspected() {
    let folder = Folder::new();
    let output = folder
        .run("train --input data.csv --output pump.model --trees 50 --data-end-time 2026-11-22T12:00:00Z");
    let stderr = String::from_utf8(output.stderr).unwrap();
    let description: HashMap<String, serde_json::Value> =
        serde_json::from_str(&folder.done("inspect pump.model")).unwrap();
    let digest = description["digest"].as_str().unwrap();
    assert_eq!(stderr.lines().count(), 1, "no progress bar in a pipe: {stderr}");
    assert!(stderr.starts_with("trained: 50 trees over heat, load (2000 samples), threshold 0."), "{stderr}");
    assert!(stderr.trim_end().ends_with(digest), "{stderr}");
    assert_eq!(digest, forest::artifact::digest(&fs::read(folder.path("pump.model")).unwrap()));
    assert_eq!(description["columns"], serde_json::json!(["heat", "load"]));
    assert_eq!(description["trees"], 50);
    assert_eq!(description["sampleSize"], 256);
    assert_eq!(description["samples"], ROWS);
    assert_eq!(description["origin"], "trained");
    assert_eq!(description["dataEndTime"], "2026-11-22T12:00:00Z");
}

#[test]
fn a_mode_is_kept_and_auto_says_why_it_chose() {
    let folder = Folder::new();
    let inspected = |mode: &str| -> HashMap<String, serde_json::Value> {
        folder.done(&format!("train --input data.csv --output {mode}.model --trees 20 --mode {mode}"));
        serde_json::from_str(&folder.done(&format!("inspect {mode}.model"))).unwrap()
    };
    let density = inspected("Density");
    assert_eq!(density["mode"], "Density");
    assert!(!density.contains_key("members") && !density.contains_key("choice"));
    let auto = inspected("Auto");
    assert_eq!((auto["mode"].as_str(), auto["trees"].as_u64()), (Some("Auto"), Some(60)));
    let modes: Vec<_> = auto["members"].as_array().unwrap().iter().map(|member| &member["mode"]).collect();
    assert_eq!(modes, ["Standard", "PooledGain", "AdjustedDensity"]);
    assert!(auto["choice"].as_str().unwrap().contains("Standard over 256 rows, agreement 0."), "{auto:?}");
    let scores = scores(&folder.done("score --model Auto.model --input data.csv"));
    let anomalies = scores.iter().filter(|[_, _, anomaly]| *anomaly > 0.0).count();
    assert!((ROWS / 100 - 1..=ROWS / 100).contains(&anomalies), "{anomalies}"); // equal scores at the cut are normal
}

#[test]
fn missing_cells_are_learned_from_and_scored_and_what_cannot_be_trusted_is_warned_of() {
    let folder = Folder::new();
    let rows =
        (0..40).map(|i| format!("{i},{},7\n", if i % 3 == 0 { String::new() } else { (i % 5).to_string() }));
    fs::write(folder.path("holes.csv"), "a,b,c\n".to_owned() + &rows.collect::<String>()).unwrap();
    let output = folder.run("train --input holes.csv --output holes.model");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("warning: 40 rows are few to train on: 64 or more are better\n"), "{stderr}");
    assert!(
        stderr.contains("warning: constant in the training set: c; any other value will look anomalous\n"),
        "{stderr}"
    );
    let inspected: serde_json::Value = serde_json::from_str(&folder.done("inspect holes.model")).unwrap();
    assert_eq!(
        inspected["warnings"][1],
        "constant in the training set: c; any other value will look anomalous"
    );
    let scores = scores(&folder.done("score --model holes.model --input holes.csv"));
    assert_eq!(scores.len(), 40);
    assert!(scores.iter().all(|[score, ..]| *score > 0.0 && *score <= 1.0));
}

#[test]
fn what_auto_chooses_cannot_be_given() {
    let refused = Folder::new().refused("train --input data.csv --output x --mode Auto --sample-size 64");
    assert_eq!(refused, "mode Auto chooses --sample-size and --extension: they must be left out");
}

#[test]
fn the_share_of_contamination_is_anomalous_and_the_stray_row_is_the_highest() {
    let folder = Folder::new();
    folder.done("train --input data.csv --output pump.model --contamination 0.05");
    let scores = scores(&folder.done("score --model pump.model --input data.csv"));
    assert_eq!(scores.len(), ROWS);
    assert_eq!(scores.iter().filter(|[_, _, anomaly]| *anomaly > 0.0).count(), ROWS / 20);
    let highest = scores.iter().map(|row| row[0]).fold(0.0, f64::max);
    assert_eq!(scores[ROWS - 1][0].to_bits(), highest.to_bits());
    for [score, severity, anomaly] in scores {
        assert_eq!(severity > 1.0, anomaly > 0.0, "{score} {severity} {anomaly}");
    }
}

#[test]
fn a_fixed_score_is_the_threshold() {
    let folder = Folder::new();
    folder.done("train --input data.csv --output pump.model --score 0.7");
    for [score, severe, anomaly] in scores(&folder.done("score --model pump.model --input data.csv")) {
        assert_eq!((severe.to_bits(), anomaly > 0.0), (severity(score, 0.7).to_bits(), score > 0.7));
    }
}

#[test]
fn the_same_data_and_seed_give_the_same_file_on_any_number_of_threads() {
    let folder = Folder::new();
    let train = |output: &str, threads: &str, seed: u32| {
        let arguments = format!("train --input data.csv --output {output} --seed {seed}");
        assert!(
            folder.command(&arguments).env("RAYON_NUM_THREADS", threads).output().unwrap().status.success()
        );
        fs::read(folder.path(output)).unwrap()
    };
    let one = train("one", "1", 7);
    assert!(one == train("two", "4", 7));
    assert!(one != train("three", "4", 8));
}

#[test]
fn gzip_and_pipes_give_what_the_file_gives() {
    let folder = Folder::new();
    gzip(&folder.path("data.csv"), &folder.path("data.csv.gz"));
    folder.done("train --input data.csv --output plain");
    folder.done("train --input data.csv.gz --output gzipped");
    assert!(fs::read(folder.path("plain")).unwrap() == fs::read(folder.path("gzipped")).unwrap());
    let expected = folder.done("score --model plain --input data.csv");
    let mut piped = folder
        .command("score --model plain --input - --output -")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = piped.stdin.take().unwrap();
    let data = fs::read(folder.path("data.csv.gz")).unwrap();
    let writer = std::thread::spawn(move || input.write_all(&data).unwrap());
    let output = piped.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    folder.done("score --model plain --input data.csv --output scores.csv");
    assert_eq!(fs::read_to_string(folder.path("scores.csv")).unwrap(), expected);
}

#[test]
fn columns_are_taken_by_name_whatever_their_order() {
    let folder = Folder::new();
    folder.done("train --input data.csv --output pump.model --columns load,heat");
    let text = fs::read_to_string(folder.path("data.csv")).unwrap();
    let swapped = text.lines().map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        format!("{};{};{}\n", cells[2], cells[1], cells[0])
    });
    fs::write(folder.path("swapped.csv"), swapped.collect::<String>()).unwrap();
    let expected = folder.done("score --model pump.model --input data.csv");
    assert_eq!(folder.done("score --model pump.model --input swapped.csv"), expected);
    let renamed = fs::read_to_string(folder.path("swapped.csv")).unwrap().replace("load;heat", "a;b");
    fs::write(folder.path("renamed.csv"), renamed).unwrap();
    assert_eq!(folder.done("score --model pump.model --input renamed.csv --columns a,b"), expected);
}

#[test]
fn a_model_that_looks_back_scores_the_rows_that_have_a_past_as_the_detector_does() {
    let folder = Folder::new();
    let manifest = format!(
        "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {{name: pump}}\nspec:\n  sources:\n  - name: r\n    \
         csv: {{path: {:?}, sensors: [{{name: heat}}, {{name: load}}]}}\n  model: {{train: {{features: [Value, LogStdDev], window: 5, \
         lags: 1}}}}\n  threshold: {{contamination: 0.01}}\n",
        folder.path("data.csv").display().to_string()
    );
    let detector = crd::manifest::one_detector(&manifest).unwrap();
    let recording = Recording::open(detector.spec().sources[0].csv.as_ref().unwrap()).unwrap();
    let readings: Vec<_> = recording.map(Result::unwrap).collect();
    let model = learn(
        &detector,
        TrainingSet { readings: &readings, until: None, serving: None, renewed_trees: None },
        &|_| (),
    )
    .unwrap();
    fs::write(folder.path("pump.model"), model.bytes()).unwrap();

    let mut past = model.features().frozen();
    let expected = readings.into_iter().map(|readings| {
        let values = readings.values.into_iter().map(Option::unwrap).collect::<Vec<_>>();
        let vector = past.push(readings.time, &values)?;
        Some(model.judge(&vector, Explain::Never).unwrap().score)
    });
    let text = folder.done("score --model pump.model --input data.csv");
    let got = text.lines().skip(1).map(|line| line.split(',').next().unwrap().parse::<f64>().ok());
    assert_eq!(got.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    assert_eq!(text.lines().filter(|line| *line == ",,").count(), 5, "window 5 and one lag");
}

#[test]
fn a_scikit_learn_forest_is_imported_scored_as_theirs_and_exported() {
    let folder = Folder::new();
    let fixture = |name: &str| {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("interchange/tests/fixtures/1.3.2");
        fs::read(fixtures.join(name)).unwrap()
    };
    fs::write(folder.path("theirs"), fixture("plain.p5.pkl")).unwrap();
    let theirs: serde_json::Value = serde_json::from_slice(&fixture("plain.json")).unwrap();
    let numbers = |field: &str| serde_json::from_value::<Vec<f64>>(theirs[field].clone()).unwrap();
    let rows: Vec<Vec<f64>> = serde_json::from_value(theirs["rows"].clone()).unwrap();
    let lines = rows.iter().map(|row| row.iter().map(f64::to_string).collect::<Vec<_>>().join(","));
    fs::write(folder.path("rows.csv"), format!("a,b,c\n{}\n", lines.collect::<Vec<_>>().join("\n"))).unwrap();

    folder.done("train --from-sklearn theirs --output pump.model --columns a,b,c");
    let description: serde_json::Value = serde_json::from_str(&folder.done("inspect pump.model")).unwrap();
    assert_eq!(description["origin"], "scikit-learn 1.3.2");
    let ours = scores(&folder.done("score --model pump.model --input rows.csv"));
    assert_eq!(ours.len(), rows.len());
    for (ours, (score, anomaly)) in ours.iter().zip(numbers("scores").iter().zip(numbers("anomalies"))) {
        assert!((ours[0] - score).abs() < 1e-12, "{} {score}", ours[0]);
        assert_eq!(ours[2] > 0.0, anomaly > 0.0);
    }
    folder.done("export --sklearn --model pump.model --output pump.skops");
    folder.done("train --from-sklearn pump.skops --output again.model");
    let (model, again) = (folder.path("pump.model"), folder.path("again.model"));
    let open = |path: PathBuf| Model::open(fs::read(path).unwrap()).unwrap();
    assert_eq!(open(again).ensemble(), open(model).ensemble());
    folder.done("export --onnx --model pump.model --output pump.onnx");
    assert!(
        String::from_utf8_lossy(&fs::read(folder.path("pump.onnx")).unwrap()).contains(r#"["a","b","c"]"#)
    );
}

#[test]
fn an_imported_pipeline_keeps_its_steps_in_the_artifact() {
    let folder = Folder::new();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/interchange/tests/fixtures/pipelines/1.0.2");
    for kind in ["columns", "constant", "standard"] {
        folder.done(&format!(
            "train --from-sklearn {fixtures}/{kind}.joblib --columns a,b,c --output {kind}.model"
        ));
        let model = Model::open(fs::read(folder.path(&format!("{kind}.model"))).unwrap()).unwrap();
        let expected = fs::read(format!("{fixtures}/{kind}.json")).unwrap();
        let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
        let rows = expected["rows"].as_array().unwrap().iter().map(|row| row.as_array().unwrap());
        let rows: Vec<Vec<f64>> =
            rows.map(|row| row.iter().map(|cell| cell.as_f64().unwrap_or(f64::NAN)).collect()).collect();
        let scores = model.scores(rows.concat()).unwrap();
        for (at, row) in rows.iter().enumerate() {
            assert!(
                (scores[at] - expected["scores"][at].as_f64().unwrap()).abs() < 1e-12,
                "{kind}, row {at}"
            );
            let judgement = model.judge(row, Explain::Always).unwrap();
            assert_eq!(judgement.score.to_bits(), scores[at].to_bits(), "{kind}, row {at}");
            assert_eq!(u64::from(judgement.anomalous), expected["anomalies"][at].as_u64().unwrap());
            assert!((judgement.contributions.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
        // The reasons are of the row as it was given, not of what the forest sees.
        let judgement = model.judge(&[1e-2, 0.0, 5e6], Explain::Always).unwrap();
        // The kind `constant` clips its cells: there this cell is no further off than the others.
        assert!(kind == "constant" || judgement.top_contributor() == Some(2), "{kind}");
        assert!((judgement.reasons[2].value - 5e6).abs() < 1e-6, "{kind}");
        assert_eq!(model.scores(vec![0.0, 0.0, f64::INFINITY]).unwrap_err().to_string(), beyond(), "{kind}");
    }
    let description = folder.done("inspect standard.model");
    assert!(description.contains(r#""origin": "scikit-learn 1.0.2""#), "{description}");
    assert!(!description.contains("1970"), "{description}");
    assert_eq!(
        folder.refused("export --onnx --model standard.model --output none"),
        "a model with steps before its forest cannot be exported: export the pipeline that it was imported from"
    );
}

fn beyond() -> String {
    "row 0, column 2 (both counted from 0) must be a finite number within ±3.4e38, got inf".to_owned()
}

#[test]
fn bad_input_is_refused_in_one_sentence() {
    let folder = Folder::new();
    let write = |name: &str, text: &[u8]| fs::write(folder.path(name), text).unwrap();
    write("empty.csv", b"");
    write("binary.csv", b"\x7fELF\0\0\0");
    write("header.csv", b"a,b\n");
    write("one.csv", b"a,b\n1,2\n");
    write("ragged.csv", b"a,b\n1,2\n1\n");
    write("words.csv", b"a,b\n1,2\n1,x\n");
    write("gap.csv", b"heat,load\n1,2\n1,x\n");
    folder.done("train --input data.csv --output pump.model");
    let mut damaged = fs::read(folder.path("pump.model")).unwrap();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    write("damaged.model", &damaged);
    let train = |input: &str| folder.refused(&format!("train --input {input} --output none"));
    let cases = [
        (train("none.csv"), "none.csv: no such file"),
        (train("."), ".: expected a CSV file, got a directory"),
        (train("empty.csv"), "empty.csv: expected a header line, got an empty file"),
        (train("binary.csv"), "binary.csv: expected CSV text, got binary data"),
        (train("header.csv"), "header.csv: expected rows after the header, got none"),
        (train("one.csv"), "one.csv: expected at least 2 rows to train on, got 1"),
        (train("ragged.csv"), "ragged.csv:3: expected 2 cells as in the header, got 1"),
        (train("words.csv"), "words.csv:3: column \"b\": expected a number, got \"x\""),
        (
            train("data.csv --columns heat,laod"),
            "data.csv:1: no column \"laod\"; there are timestamp, heat, load, label",
        ),
        (train("data.csv --trees 0"), "trees must be from 1 to 10000, got 0"),
        (
            train("data.csv --contamination 0.9"),
            "contamination must be greater than 0 and at most 0.5, got 0.9",
        ),
        (train("data.csv --score 1"), "score must be greater than 0 and less than 1, got 1"),
        (
            folder.refused("score --model pump.model --input gap.csv"),
            "gap.csv:3: column \"load\": expected a number, got \"x\"",
        ),
        (
            folder.refused("score --model pump.model --input one.csv"),
            "one.csv:1: no columns heat, load; there are a, b",
        ),
        (
            folder.refused("score --model pump.model --input one.csv --columns a"),
            "columns must be as many as the model's, 2, got 1",
        ),
        (
            folder.refused("train --from-sklearn data.csv --output none"),
            "data.csv: the file must be a pickle (protocol 2 to 5), joblib, skops or ONNX file, got none of these",
        ),
    ];
    for (got, expected) in cases {
        assert_eq!(got, expected);
    }
    let damaged = folder.refused("inspect damaged.model");
    assert!(damaged.starts_with("damaged.model: the model is damaged"), "{damaged}");
    assert!(folder.refused("inspect none").starts_with("none: "));
    assert!(!folder.path("none").exists(), "what is refused leaves no file");
}

#[test]
fn wrong_usage_ends_with_2() {
    let folder = Folder::new();
    for arguments in [
        "train --output x",
        "train --input data.csv",
        "train --input data.csv --from-sklearn y --output x",
        "train --input data.csv --output x --contamination 0.1 --score 0.5",
        "train --from-sklearn y --output x --trees 5",
        "train --input data.csv --output x --trees many",
        "train --manifest pump.yaml --input data.csv --output x",
        "train --manifest pump.yaml --output x --trees 5",
        "train --manifest pump.yaml --output x --columns a",
        "train --input data.csv --output x --set spec.interval=1m",
        "evaluate --model x --input data.csv --set spec.interval=1m",
        "evaluate --model x pump.yaml --label fault",
        "score --input data.csv",
        "export --model x --output y",
        "inspect",
    ] {
        assert_eq!(folder.run(arguments).status.code(), Some(2), "{arguments}");
    }
}

#[test]
fn two_models_are_compared_by_order_verdicts_and_rates() {
    let folder = Folder::new();
    for (name, options) in
        [("a", ""), ("b", "--contamination 0.2"), ("c", "--seed 7"), ("d", "--columns heat")]
    {
        folder.done(&format!("train --input data.csv --output {name} {options}"));
    }
    let compare = |a: &str, b: &str| -> serde_json::Value {
        serde_json::from_str(&folder.done(&format!("compare {a} {b} --input data.csv --output json")))
            .unwrap()
    };
    let same = compare("a", "a");
    assert_eq!((&same["rankCorrelation"], &same["changedVerdicts"]["rows"]), (&1.0.into(), &0.into()));
    assert_eq!(same["rows"], ROWS);

    let with_threshold = compare("a", "b");
    assert_eq!(with_threshold["rankCorrelation"], 1.0, "the same forest");
    let anomalous = |side: &str| with_threshold[side]["anomalous"].as_u64().unwrap();
    assert_eq!(with_threshold["changedVerdicts"]["nowAnomalous"], anomalous("b") - anomalous("a"));
    assert!((with_threshold["b"]["alertRate"].as_f64().unwrap() - 0.2).abs() < 0.01);

    let other = compare("a", "c");
    let correlation = other["rankCorrelation"].as_f64().unwrap();
    assert!((0.3..0.99).contains(&correlation), "{correlation}");
    assert!(folder.done("compare a c --input data.csv").contains("rank correlation of the scores of"));
    assert_eq!(
        folder.refused("compare a d --input data.csv"),
        "both models must have the same columns, got heat, load and heat"
    );
}

#[test]
fn a_label_an_index_and_a_first_row_are_not_learned_without_a_word() {
    let folder = Folder::new();
    let rows = (0..80).map(|i| format!("{i},{},0\n", f64::from(i).sin())).collect::<Vec<_>>().concat();
    fs::write(folder.path("labelled.csv"), format!("id,heat,is_anomaly\n{rows}")).unwrap();
    let said = String::from_utf8(folder.run("train --input labelled.csv --output a.model").stderr).unwrap();
    assert!(said.contains("warning: column id counts the rows and is used for training"), "{said}");
    assert!(
        said.contains("warning: column is_anomaly looks like a label and is used for training"),
        "{said}"
    );
    fs::write(folder.path("headless.csv"), &rows[5..]).unwrap();
    let said = String::from_utf8(folder.run("train --input headless.csv --output b.model").stderr).unwrap();
    assert!(said.contains("is read as the header but looks like a row"), "{said}");
}

#[test]
fn a_file_that_is_no_model_says_what_it_is() {
    let folder = Folder::new();
    assert_eq!(
        folder.refused("inspect data.csv"),
        "data.csv: expected a model that `detector train` or a detector wrote, got a CSV file: `detector train --input` \
         makes a model of it"
    );
    gzip(&folder.path("data.csv"), &folder.path("data.csv.gz"));
    assert!(folder.refused("inspect data.csv.gz").ends_with("got a gzip file"));
}

#[test]
fn a_model_is_read_from_the_standard_input() {
    let folder = Folder::new();
    folder.done("train --input data.csv --output pump.model --trees 5");
    let mut command = folder.command("inspect -");
    let output = command.stdin(fs::File::open(folder.path("pump.model")).unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), folder.done("inspect pump.model"));
}

#[test]
fn a_table_is_trained_on_with_lags_features_and_alerts_per_day() {
    let folder = Folder::new();
    folder.done(
        "train --input data.csv --output pump.model --trees 20 --features Value,RollingMean --window 3 --lags 1 \
         --alerts-per-day 24",
    );
    let inspected: serde_json::Value = serde_json::from_str(&folder.done("inspect pump.model")).unwrap();
    assert_eq!(
        inspected["pipeline"],
        serde_json::json!({"features": ["Value", "RollingMean"], "window": 3, "lags": 1})
    );
    assert_eq!(inspected["samples"], ROWS - 3, "three rows are the past of the first vector");
    let expected = inspected["expectedAlertsPerDay"].as_f64().unwrap();
    assert!(expected > 12.0 && expected <= 24.0, "{expected}");
    let scores = folder.done("score --model pump.model --input data.csv");
    assert!(scores.starts_with("score,severity,anomaly\n,,\n,,\n,,\n0."), "{scores:.60}");
}

#[test]
fn another_threshold_of_a_trained_file_needs_no_training() {
    let folder = Folder::new();
    folder.done("train --input data.csv --output one.model --contamination 0.01");
    folder.done("train --input data.csv --output five.model --contamination 0.05");
    let model = |name: &str| Model::open(fs::read(folder.path(name)).unwrap()).unwrap();
    let Rethreshold::Other(five) =
        model("one.model").rethreshold(ThresholdRule::Contamination(0.05)).unwrap()
    else {
        panic!("the training scores are in the file");
    };
    assert_eq!(five.digest(), model("five.model").digest());
}

#[test]
fn alerts_per_day_need_times() {
    let folder = Folder::new();
    fs::write(folder.path("bare.csv"), "a\n1\n2\n3\n").unwrap();
    fs::write(folder.path("falling.csv"), "timestamp,a\n60,1\n120,2\n90,3\n").unwrap();
    let refused = |arguments: &str| folder.refused(&format!("train --output x {arguments}"));
    assert_eq!(
        refused("--input bare.csv --alerts-per-day 5"),
        "--alerts-per-day needs the times of the rows: expected a column \"timestamp\", got none"
    );
    assert_eq!(
        refused("--input bare.csv --features DailyResidual"),
        "DailyResidual needs the times of the rows: expected a column \"timestamp\", got none"
    );
    assert_eq!(
        refused("--input falling.csv --alerts-per-day 5"),
        "falling.csv:4: column \"timestamp\": expected a time not before the row above, got \"90\""
    );
    assert_eq!(
        refused("--input falling.csv --alerts-per-day 0"),
        "alerts per day must be greater than 0, got 0"
    );
}

#[test]
fn a_manifest_is_trained_as_the_detector_trains_it() {
    let folder = Folder::new();
    let manifests = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests");
    let changes =
        "--set spec.model.train.dataEndTime=2026-01-01T00:00:00Z --set spec.model.train.samples=300";
    folder.done(&format!("run {manifests}/pump.yaml {changes} --fast --duration 10s --state state"));
    folder.done(&format!("train --manifest {manifests}/pump.yaml {changes} --output pump.model"));
    let read = |name: &str| fs::read(folder.path(name)).unwrap();
    assert!(read("pump.model") == read("state/model"), "the same file as that of the detector");
    folder.done("train --manifest data.csv --output recorded.model");
    let inspected: serde_json::Value = serde_json::from_str(&folder.done("inspect recorded.model")).unwrap();
    assert_eq!(inspected["columns"], serde_json::json!(["heat", "load"]));
}

#[test]
fn a_manifest_that_cannot_be_trained_is_refused_in_a_sentence() {
    let folder = Folder::new();
    let manifests = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests");
    let quickstart = fs::read_to_string(format!("{manifests}/quickstart.yaml")).unwrap();
    let loads = format!("{quickstart}  model: {{load: {{url: \"https://models.plant/pump\"}}}}\n");
    fs::write(folder.path("loads.yaml"), loads).unwrap();
    let refused = |arguments: &str| folder.refused(&format!("train --output none {arguments}"));
    assert_eq!(
        refused("--manifest loads.yaml"),
        "loads.yaml: expected a manifest that trains a model, got model.load"
    );
    assert_eq!(
        refused(&format!("--manifest {manifests}/push.yaml")),
        "source \"pushed\" has no history to train on: `detector run` trains on the readings that arrive, and GET /model on \
         its metrics port is the model"
    );
    assert!(refused("--manifest none.yaml").starts_with("none.yaml: "));
    assert!(!folder.path("none").exists(), "what is refused leaves no file");
}
