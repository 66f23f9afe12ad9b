//! Model files written by real scikit-learn versions (`fixtures/make`), and the scores that those versions
//! give to rows.

#![allow(clippy::unwrap_used, reason = "a fixture that cannot be read fails its test")]

use std::fs;
use std::path::{Path, PathBuf};

use forest::Samples;
use interchange::Imported;
use serde::Deserialize;

/// The scores and attributes that scikit-learn gives for a model.
#[derive(Deserialize)]
struct Expected {
    version: String,
    columns: Option<Vec<String>>,
    threshold: f64,
    rows: Vec<Vec<f64>>,
    scores: Vec<f64>,
    anomalies: Vec<u8>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// All model files of the folders that are named after a version.
fn models() -> Vec<PathBuf> {
    let in_folder = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_version = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        path.is_dir() && name.starts_with(|letter: char| letter.is_ascii_digit())
    };
    let folders = in_folder(fixtures()).filter(is_version);
    let files = folders.flat_map(in_folder).filter(|path| path.extension().unwrap() != "json");
    files.collect()
}

fn expected(model: &Path) -> Expected {
    let name = model.file_name().unwrap().to_string_lossy();
    let name = name.split('.').next().unwrap();
    serde_json::from_slice(&fs::read(model.with_file_name(format!("{name}.json"))).unwrap()).unwrap()
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(fixtures().join(name)).unwrap()
}

fn rows(expected: &Expected) -> Samples {
    Samples::new(expected.rows[0].len(), expected.rows.concat()).unwrap()
}

#[test]
fn every_version_and_format_scores_as_scikit_learn_did() {
    let models = models();
    assert!(models.len() >= 50, "only {} fixtures", models.len());
    for model in models {
        let expected = expected(&model);
        let Imported { ensemble: forest, threshold, columns, origin, .. } =
            interchange::read(&fs::read(&model).unwrap()).unwrap();
        let shown = model.display();
        for (row, score) in forest.scores(&rows(&expected)).into_iter().enumerate() {
            let wanted = expected.scores[row];
            assert!((score - wanted).abs() <= 1e-12, "{shown}, row {row}: {score}, not {wanted}");
            assert_eq!(u8::from(score > threshold), expected.anomalies[row], "{shown}, row {row}");
        }
        if model.extension().unwrap() == "onnx" {
            assert!((threshold - expected.threshold).abs() < 1e-7, "{shown}");
            assert!(origin.starts_with("ONNX by skl2onnx "), "{shown}: {origin}");
        } else {
            assert!((threshold - interchange::TIE - expected.threshold).abs() <= 1e-15, "{shown}");
            assert_eq!(columns, expected.columns, "{shown}");
            assert_eq!(origin, format!("scikit-learn {}", expected.version), "{shown}");
        }
    }
}

#[test]
fn a_row_on_the_cut_itself_is_among_the_fixtures() {
    for model in models().iter().filter(|model| model.ends_with("tied.p2.pkl")) {
        let expected = expected(model);
        assert!(
            expected.scores.iter().any(|&score| (score - expected.threshold).abs() < 1e-13),
            "{}",
            model.display()
        );
    }
}

#[test]
fn every_version_since_1_0_is_among_the_fixtures() {
    for minor in 0..=9 {
        let prefix = format!("1.{minor}.");
        let found = models().iter().any(|model| expected(model).version.starts_with(&prefix));
        assert!(found, "no fixture of scikit-learn 1.{minor}");
    }
}

#[test]
fn the_columns_of_a_data_frame_keep_their_names() {
    let imported = interchange::read(&fixture("1.9.1/plain.joblib")).unwrap();
    assert_eq!(imported.columns.unwrap(), ["temperature", "vibration", "größe"]);
}

/// A cell, or `null` where it is missing.
type Rows = Vec<Vec<Option<f64>>>;

/// The scores that scikit-learn gives for a pipeline, and ONNX Runtime for the skl2onnx export of it.
#[derive(Deserialize)]
struct ExpectedOfPipeline {
    columns: Option<Vec<String>>,
    rows: Rows,
    scores: Vec<f64>,
    anomalies: Vec<u8>,
    #[serde(default)]
    onnx_scores: Vec<f64>,
    #[serde(default)]
    onnx_anomalies: Vec<u8>,
}

fn pipelines() -> Vec<PathBuf> {
    let folders = ["1.0.2", "1.9.1"].map(|version| fixtures().join("pipelines").join(version));
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    files.map(|file| file.unwrap().path()).filter(|path| path.extension().unwrap() != "json").collect()
}

#[test]
fn every_kind_of_pipeline_scores_as_scikit_learn_did_where_rounding_decides_too() {
    let pipelines = pipelines();
    assert_eq!(pipelines.len(), 11 + 3 * 11 + 9);
    for path in pipelines {
        let name = path.file_name().unwrap().to_string_lossy().split('.').next().unwrap().to_owned();
        let expected = fs::read(path.with_file_name(format!("{name}.json"))).unwrap();
        let expected: ExpectedOfPipeline = serde_json::from_slice(&expected).unwrap();
        let imported = interchange::read(&fs::read(&path).unwrap()).unwrap();
        let shown = path.display();
        let is_onnx = path.extension().unwrap() == "onnx";
        let (scores, anomalies, tolerance) = if is_onnx {
            // ONNX Runtime adds up in single precision.
            (&expected.onnx_scores, &expected.onnx_anomalies, 1e-5)
        } else {
            (&expected.scores, &expected.anomalies, 1e-12)
        };
        let cells = expected.rows.concat().into_iter().map(|cell| cell.unwrap_or(f64::NAN)).collect();
        let cells = Samples::new(imported.ensemble.columns(), imported.cells(cells)).unwrap();
        assert_eq!(imported.inputs(), 3, "{shown}");
        for (row, score) in imported.ensemble.scores(&cells).into_iter().enumerate() {
            let wanted = scores[row];
            assert!((score - wanted).abs() <= tolerance, "{shown}, row {row}: {score}, not {wanted}");
            let on_threshold = (score - imported.threshold).abs() <= tolerance;
            let agrees = u8::from(score > imported.threshold) == anomalies[row];
            assert!(agrees || (is_onnx && on_threshold), "{shown}, row {row}");
        }
        if !is_onnx {
            assert_eq!(imported.columns, expected.columns, "{shown}");
            let stays = ["passthrough", "one_step"].contains(&&name[..]);
            assert_eq!(imported.preprocessing.is_none(), stays, "{shown}");
        }
    }
}

#[test]
fn what_is_exported_as_onnx_opens_again() {
    for name in ["1.9.1/plain.joblib", "1.9.1/lone.joblib", "1.9.1/chosen.joblib", "1.9.1/tied.skops"] {
        let imported = interchange::read(&fixture(name)).unwrap();
        let columns: Vec<String> = (0..imported.inputs()).map(|column| format!("größe {column}")).collect();
        let bytes = interchange::onnx::write(&imported.ensemble, imported.threshold, &columns).unwrap();
        let again = interchange::read(&bytes).unwrap();
        assert_eq!((again.threshold, again.columns.as_ref()), (imported.threshold, Some(&columns)), "{name}");
        assert_eq!(again.origin, format!("ONNX by anomaly-operator {}", env!("CARGO_PKG_VERSION")));
        let rows = rows(&expected(&fixtures().join(name)));
        assert_eq!(again.ensemble.scores(&rows), imported.ensemble.scores(&rows), "{name}");
        // A byte of the leaves, and a byte of the nodes after them.
        for at in [bytes.len() / 2, bytes.len() - 200] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(interchange::read(&changed).is_err(), "{name}");
        }
    }
}

#[test]
fn what_is_exported_as_skops_opens_again() {
    for name in ["1.9.1/plain.joblib", "1.9.1/lone.joblib", "1.9.1/chosen.joblib", "1.9.1/tied.skops"] {
        let imported = interchange::read(&fixture(name)).unwrap();
        let columns: Vec<String> = (0..imported.inputs()).map(|column| format!("größe {column}")).collect();
        let bytes = interchange::skops::write(&imported.ensemble, imported.threshold, &columns).unwrap();
        let again = interchange::read(&bytes).unwrap();
        assert_eq!((again.ensemble, again.columns), (imported.ensemble, Some(columns)), "{name}");
        assert!((again.threshold - imported.threshold).abs() < 2e-12, "{name}");
    }
}

/// A small file for each reader.
const ONE_OF_EACH: [&str; 7] = [
    "1.0.2/plain.p2.pkl",
    "1.9.1/plain.joblib",
    "1.9.1/plain.joblib",
    "1.9.1/plain.zlib.joblib",
    "1.9.1/lone.skops",
    "1.9.1/plain.onnx",
    "pipelines/1.0.2/columns.joblib",
];

/// Whether a damaged file is refused. If it is not, check that it reads as a forest that scores.
fn refused_or_sound(bytes: &[u8]) -> bool {
    match interchange::read(bytes) {
        Err(refusal) => {
            assert!(!refusal.to_string().is_empty());
            true
        }
        Ok(imported) => {
            let cells = imported.cells(vec![0.5; imported.inputs()]);
            assert_eq!(cells.len(), imported.ensemble.columns());
            // A flipped bit of a scale may take the cells out of the forest's range.
            let scores = Samples::new(cells.len(), cells).map(|row| imported.ensemble.scores(&row)[0]);
            assert!(
                scores.is_ok_and(|score| score > 0.0 && score <= 1.0) || imported.preprocessing.is_some()
            );
            assert!(imported.threshold.is_finite());
            false
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    for name in ONE_OF_EACH {
        let whole = fixture(name);
        assert!(!refused_or_sound(&whole), "{name}");
        for length in 0..whole.len() {
            let refused = refused_or_sound(&whole[..length]);
            // The last fields of an ONNX model name the operator sets, and nothing of the forest.
            let is_tail = name.ends_with("onnx") && whole.len() - length <= 30;
            assert!(refused || is_tail, "{name}: {length} of {} bytes", whole.len());
        }
    }
}

#[test]
fn a_file_with_a_byte_flipped_is_refused_or_reads_as_a_sound_forest() {
    for name in ONE_OF_EACH {
        let mut bytes = fixture(name);
        // A schema of 50 KiB is parsed each time, so only every fourth byte is flipped.
        let stride = if name.ends_with("skops") { 4 } else { 1 };
        for at in (0..bytes.len()).step_by(stride) {
            // All bits, or one of them.
            let flip = if at % 3 == 0 { 0xff } else { 1 << (at / 3 % 8) };
            bytes[at] ^= flip;
            refused_or_sound(&bytes);
            bytes[at] ^= flip;
        }
    }
}

#[test]
fn one_tree_named_a_hundred_thousand_times_is_refused() {
    let bomb = fixture("bombs/repeated.pkl.zlib");
    assert!(bomb.len() < 20_000, "{}", bomb.len());
    let refusal = interchange::read(&bomb).unwrap_err().to_string();
    assert!(refusal.starts_with("the trees take more than the "), "{refusal}");
}

#[test]
fn what_is_no_fitted_forest_is_named() {
    let refusal = |name: &str| interchange::read(&fixture(name)).unwrap_err().to_string();
    assert_eq!(
        refusal("bombs/unfitted.pkl"),
        "the IsolationForest was never fitted: it has no n_features_in_"
    );
    assert_eq!(refusal("bombs/dict.pkl"), "the file must hold an IsolationForest, got a dict");
    let shell = "class posix.system is not part of an isolation forest, no code of the file was run";
    assert_eq!(refusal("bombs/shell.pkl"), shell);
    assert_eq!(
        refusal("bombs/last-step.pkl"),
        "the last step of the Pipeline must be an IsolationForest, got a StandardScaler"
    );
    let regressor = refusal("bombs/regressor.onnx");
    assert!(
        regressor.starts_with("the ONNX model must be an IsolationForest as skl2onnx writes it"),
        "{regressor}"
    );
    assert_eq!(interchange::read(b"hello").unwrap_err().to_string(), unknown());
    assert_eq!(interchange::read(b"").unwrap_err().to_string(), unknown());
}

#[test]
fn the_error_for_a_step_that_is_not_supported_names_it_and_the_way_to_the_forest_alone() {
    let refusal = |name: &str| interchange::read(&fixture(name)).unwrap_err().to_string();
    let alone = " To import the forest alone, which scores rows as the previous steps output them: \
        `pipeline = joblib.load(\"pipeline.joblib\")`; `joblib.dump(pipeline[-1], \"forest.joblib\")`";
    for (file, class) in [
        ("bombs/pca.joblib", "sklearn.decomposition._pca.PCA"),
        ("bombs/pca.skops", "sklearn.decomposition._pca.PCA"),
        ("bombs/custom.pkl", "__main__.Clock"),
    ] {
        let refused = format!("class {class} is not a supported step, no code of the file was run.{alone}");
        assert_eq!(refusal(file), refused);
    }
    assert!(refusal("bombs/function.pkl").ends_with(alone));
    for (file, sentence) in [
        (
            "bombs/weights.pkl",
            "the ColumnTransformer is not supported: it must be without transformer_weights.",
        ),
        ("bombs/indicator.pkl", "the SimpleImputer is not supported: add_indicator must be False, got True."),
        (
            "bombs/itself.pkl",
            "the Pipeline is not supported: it must have at most 256 steps, 8 deep, got more.",
        ),
    ] {
        assert_eq!(refusal(file), format!("{sentence}{alone}"));
    }
}

#[test]
fn a_scaler_that_lacks_a_number_is_named() {
    let refusal = |name: &str| interchange::read(&fixture(name)).unwrap_err().to_string();
    assert_eq!(refusal("bombs/without-scale.pkl"), "the StandardScaler was never fitted: it has no scale_");
    assert_eq!(
        refusal("bombs/zero-scale.pkl"),
        "the StandardScaler: scaling must be by a finite, non-zero number, got 0"
    );
    assert_eq!(refusal("bombs/short-mean.pkl"), "the StandardScaler must have 2 columns, got 1");
}

fn unknown() -> String {
    "the file must be a pickle (protocol 2 to 5), joblib, skops or ONNX file, got none of these".to_owned()
}

#[test]
fn a_forest_that_has_learned_from_missing_cells_says_that_it_scores_them_otherwise() {
    let warnings = |name: &str| interchange::read(&fixture(name)).unwrap().warnings;
    assert!(warnings("1.9.1/missing.joblib")[0].starts_with("the forest was trained with missing values"));
    assert_eq!(warnings("1.9.1/plain.joblib"), Vec::<String>::new());
    assert_eq!(warnings("1.0.2/plain.joblib"), Vec::<String>::new());
}
