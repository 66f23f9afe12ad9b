//! Artifacts of each format up to now: they open, and score as they did.
//!
//! After a new format: `UPDATE=1 cargo test -p forest --test artifacts` writes its files. Commit them, and
//! never change them.

#![allow(clippy::unwrap_used, reason = "tests")]

use forest::artifact::{FORMAT, digest};
use forest::{Artifact, Ensemble, EnsembleParams, Metadata, Mode, Params, Samples, Training};
use std::path::PathBuf;

fn path(format: u32, kind: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join(format!("tests/artifacts/format-{format}-{kind}.safetensors"))
}

/// The artifact that the current code trains with these parameters.
fn artifact(params: &EnsembleParams) -> Artifact {
    let cells = (0..300).map(|i| f64::from(i * 7919 % 1009) / 10.0).collect();
    let samples = Samples::new(3, cells).unwrap();
    let ensemble = Ensemble::fit(&samples, params).unwrap();
    let columns = ["flow", "pressure", "temperature"].map(String::from).to_vec();
    let training = Training {
        samples: 100,
        trained_at: "2026-11-22T12:00:00Z".into(),
        origin: "trained".into(),
        ..Training::default()
    };
    let metadata = Metadata {
        columns,
        lags: 2,
        pipeline: serde_json::json!({"differences": true}),
        threshold: 0.617,
        training,
        ..Metadata::default()
    };
    Artifact { ensemble, metadata, scores: None }
}

/// The kinds of files of the current format, with their parameters of training.
fn kinds() -> [(&'static str, EnsembleParams); 4] {
    let params = |trees, extension_level| Params::new(trees, 16, extension_level, 1).unwrap();
    [
        ("axis", params(5, 0).into()),
        ("planes", params(5, 2).into()),
        ("density", params(5, 0).with_mode(Mode::Density).into()),
        ("ensemble", EnsembleParams::Auto(params(1, 0))),
    ]
}

#[test]
fn the_current_format_has_its_files() {
    for (kind, params) in kinds() {
        let path = path(FORMAT, kind);
        if std::env::var_os("UPDATE").is_some() && !path.exists() {
            std::fs::write(&path, artifact(&params).to_bytes().unwrap()).unwrap();
        }
        assert!(path.exists(), "{} must be there: run with UPDATE=1", path.display());
    }
}

#[test]
fn a_training_gives_the_bytes_of_the_committed_files_on_every_processor() {
    for (kind, params) in kinds() {
        let committed = std::fs::read(path(FORMAT, kind)).unwrap();
        assert_eq!(digest(&artifact(&params).to_bytes().unwrap()), digest(&committed), "{kind}");
    }
}

#[test]
fn format_1_opens() {
    let axis = std::fs::read(path(1, "axis")).unwrap();
    assert_eq!(digest(&axis), DIGESTS[0]);
    let axis = Artifact::from_bytes(&axis).unwrap();
    assert_eq!(axis.metadata, artifact(&kinds()[0].1).metadata);
    let forest = axis.ensemble.single().unwrap();
    assert_eq!((forest.trees().len(), forest.sample_size(), forest.columns()), (5, 16, 3));
    assert_scores(&axis.ensemble, SCORES[0]);
}

#[test]
fn format_1_opens_with_planes() {
    let planes = std::fs::read(path(1, "planes")).unwrap();
    assert_eq!(digest(&planes), DIGESTS[1]);
    assert_scores(&Artifact::from_bytes(&planes).unwrap().ensemble, SCORES[1]);
}

#[test]
fn format_2_opens_in_another_mode() {
    let density = std::fs::read(path(2, "density")).unwrap();
    let density = Artifact::from_bytes(&density).unwrap();
    assert_eq!(density, artifact(&kinds()[2].1));
}

#[test]
fn format_2_opens_with_an_ensemble() {
    let bytes = std::fs::read(path(2, "ensemble")).unwrap();
    assert_eq!(digest(&bytes), DIGESTS[2]);
    let ensemble = Artifact::from_bytes(&bytes).unwrap().ensemble;
    let members = ensemble.members().iter().map(|member| (member.mode(), member.trees().len()));
    let expected = [(Mode::Standard, 1), (Mode::PooledGain, 1), (Mode::AdjustedDensity, 1)];
    assert_eq!(members.collect::<Vec<_>>(), expected);
    assert_scores(&ensemble, SCORES[2]);
}

fn assert_scores(ensemble: &Ensemble, expected: [f64; 3]) {
    let scores = [[50.0, 50.0, 50.0], [0.0, 100.0, 12.5], [400.0, -1.0, 3.0]].map(|row| ensemble.score(&row));
    for (score, expected) in scores.iter().zip(expected) {
        assert!((score - expected).abs() < 1e-12, "{scores:?}");
    }
}

/// The digests of the files for axis-parallel splits, for planes and for an ensemble.
const DIGESTS: [&str; 3] = [
    "sha256:f2d67380560778f7680f612bf648d2c112bf126216d128980929663f25ed347d",
    "sha256:32bbe5cd3b9a6829106e99280871d759daa612045bfd504dc409976cfe5ab82e",
    "sha256:29fb02d8352b8165e0172d49df887d72b963c3012a5ac4136ed0fd9869519f07",
];
const SCORES: [[f64; 3]; 3] = [
    [0.454_064_133_686_628_73, 0.638_279_898_564_996_8, 0.638_279_898_564_996_8],
    [0.431_662_149_530_224_47, 0.471_639_206_002_713_5, 0.681_262_213_130_331_1],
    [0.618_406_540_607_623_3, 0.835_343_486_993_737_2, 0.876_912_324_724_192],
];
