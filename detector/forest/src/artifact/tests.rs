use super::*;
use crate::params::Params;
use crate::samples::Samples;

fn artifact(extension: u32) -> Artifact {
    let cells = (0..600).map(|i| f64::from(i * 7919 % 1009)).collect();
    let samples = Samples::new(3, cells).unwrap();
    let forest = Forest::fit(&samples, &Params::new(5, 16, extension, 1).unwrap()).unwrap();
    let training =
        Training { samples: 200, trained_at: "2026-11-22T12:00:00Z".into(), origin: "trained".into() };
    let columns = ["a", "b", "c"].map(String::from).to_vec();
    let pipeline = serde_json::json!({"window": 8});
    Artifact { forest, metadata: Metadata { columns, lags: 0, pipeline, threshold: 0.6, training } }
}

#[test]
fn an_artifact_comes_back_as_it_was_and_its_bytes_are_always_the_same() {
    for extension in [0, 2] {
        let artifact = artifact(extension);
        let bytes = artifact.to_bytes().unwrap();
        assert_eq!(bytes, artifact.to_bytes().unwrap());
        assert_eq!(Artifact::from_bytes(&bytes).unwrap(), artifact);
        assert_eq!(digest(&bytes), digest(&bytes.clone()));
    }
}

#[test]
fn an_artifact_that_was_changed_in_any_byte_does_not_open() {
    let bytes = artifact(1).to_bytes().unwrap();
    for at in 0..bytes.len() {
        for flip in [0x01, 0x20, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            assert!(Artifact::from_bytes(&damaged).is_err(), "byte {at} ^ {flip:#x}");
        }
    }
}

#[test]
fn an_artifact_that_was_cut_anywhere_does_not_open() {
    let bytes = artifact(1).to_bytes().unwrap();
    for length in 0..bytes.len() {
        assert!(Artifact::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
    }
    assert!(Artifact::from_bytes(&[&bytes[..], b"\0"].concat()).is_err());
}

#[test]
fn a_threshold_that_no_score_compares_with_is_refused() {
    let mut artifact = artifact(0);
    for threshold in [f64::NAN, -0.1, 1.1] {
        artifact.metadata.threshold = threshold;
        let message = artifact.to_bytes().unwrap_err().to_string();
        assert_eq!(message, format!("threshold must be from 0 to 1, got {threshold}"));
    }
}

#[test]
fn the_usual_forest_is_at_most_300_kib() {
    let cells = (0..80_000).map(|i| (f64::from(i) * 0.618_034).fract()).collect();
    let samples = Samples::new(8, cells).unwrap();
    let forest = Forest::fit(&samples, &Params::default()).unwrap();
    let bytes = Artifact { forest, ..artifact(0) }.to_bytes().unwrap();
    assert!(bytes.len() <= 300 * 1024, "{} bytes", bytes.len());
}
