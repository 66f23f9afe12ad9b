use super::checksum::BLANK;
use super::*;
use crate::data::samples::Samples;
use crate::ensemble::EnsembleParams;
use crate::train::params::{Mode, Params};

fn artifact(extension_level: u32) -> Artifact {
    artifact_in(Mode::Standard, extension_level)
}

fn artifact_in(mode: Mode, extension_level: u32) -> Artifact {
    let cells = (0..600).map(|i| f64::from(i * 7919 % 1009)).collect();
    let samples = Samples::new(3, cells).unwrap();
    let forest =
        Forest::fit(&samples, &Params::new(5, 16, extension_level, 1).unwrap().with_mode(mode)).unwrap();
    let training = Training {
        samples: 200,
        trained_at: "2026-11-22T12:00:00Z".into(),
        origin: "trained".into(),
        ..Training::default()
    };
    let columns = ["a", "b", "c"].map(String::from).to_vec();
    let pipeline = serde_json::json!({"window": 8});
    Artifact {
        ensemble: forest.into(),
        metadata: Metadata { columns, lags: 0, pipeline, threshold: 0.6, training, ..Metadata::default() },
        scores: None,
    }
}

#[test]
fn an_artifact_comes_back_as_it_was_and_its_bytes_are_always_the_same() {
    for (mode, extension_level) in Mode::ALL.into_iter().flat_map(|mode| [(mode, 0), (mode, 2)]) {
        let artifact = artifact_in(mode, extension_level);
        let bytes = artifact.to_bytes().unwrap();
        assert_eq!(bytes, artifact.to_bytes().unwrap());
        assert_eq!(Artifact::from_bytes(&bytes).unwrap(), artifact);
        assert_eq!(digest(&bytes), digest(&bytes.clone()));
    }
}

fn ensemble() -> Artifact {
    let samples = Samples::new(3, (0..600).map(|i| f64::from(i * 7919 % 1009)).collect()).unwrap();
    let params = EnsembleParams::Auto(Params::new(5, 16, 0, 1).unwrap());
    Artifact { ensemble: Ensemble::fit(&samples, &params).unwrap(), ..artifact(0) }
}

#[test]
fn an_ensemble_comes_back_as_it_was() {
    let ensemble = ensemble();
    let again = Artifact::from_bytes(&ensemble.to_bytes().unwrap()).unwrap();
    assert_eq!(again, ensemble);
    assert_eq!(again.ensemble.members().len(), 3);
    let row = [10.0, 500.0, 2000.0];
    assert_eq!(again.ensemble.score(&row).to_bits(), ensemble.ensemble.score(&row).to_bits());
}

#[test]
fn a_forged_ensemble_is_refused() {
    let bytes = ensemble().to_bytes().unwrap();
    assert_eq!(
        forged(&bytes, r#"\"rarity\":[[0."#, r#"\"rarity\":[[9."#),
        "rarity must have scores in (0, 1] and bits from 0 to 64, both rising"
    );
    let fewer = forged(&bytes, r#"\"trees\":5,"#, r#"\"trees\":4,"#);
    assert_eq!(fewer, "tensor `lengths` must be as long as the nodes need, got less");
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
fn the_default_forest_is_at_most_300_kib() {
    let cells = (0..80_000).map(|i| (f64::from(i) * 0.618_034).fract()).collect();
    let samples = Samples::new(8, cells).unwrap();
    let forest = Forest::fit(&samples, &Params::default()).unwrap();
    let bytes = Artifact { ensemble: forest.into(), ..artifact(0) }.to_bytes().unwrap();
    assert!(bytes.len() <= 300 * 1024, "{} bytes", bytes.len());
}

/// `bytes` with the first `from` replaced by `to`, which must have the same length.
fn with(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
}

fn message(bytes: &[u8]) -> String {
    Artifact::from_bytes(bytes).unwrap_err().to_string()
}

#[test]
fn an_artifact_of_a_newer_format_says_so() {
    let newer = with(&artifact(0).to_bytes().unwrap(), r#"\"format\":2"#, r#"\"format\":3"#);
    let expected = "the model was written by a newer version: its format must be at most 2, got 3";
    assert_eq!(message(&newer), expected);
}

#[test]
fn a_huge_header_is_refused_before_it_is_read() {
    let huge = [&u64::MAX.to_le_bytes()[..], b"{}"].concat();
    assert_eq!(message(&huge), "a model's header must be at most 4194304 bytes, got 18446744073709551615");
}

#[test]
fn what_is_not_a_model_says_what_it_should_be() {
    assert_eq!(message(b"\x80\x04\x95"), "a model must be a safetensors file: header too small");
    let other = [&2u64.to_le_bytes()[..], b"{}"].concat();
    assert_eq!(message(&other), "a model must have the metadata `anomaly.dev/forest`, got none");
}

/// Gets past the checksum: the error for `bytes` that were changed on purpose and have the checksum that
/// fits.
fn forged(bytes: &[u8], from: &str, to: &str) -> String {
    let mut bytes = with(bytes, from, to);
    let before = "seal\\\":\\\"";
    let at =
        bytes.windows(before.len()).position(|window| window == before.as_bytes()).unwrap() + before.len();
    bytes[at..at + BLANK.len()].copy_from_slice(BLANK.as_bytes());
    let header = header_end(&bytes).unwrap();
    checksum::write(&mut bytes, header);
    message(&bytes)
}

#[test]
fn a_leaf_without_a_value_or_beyond_all_measure_is_refused() {
    let density = artifact_in(Mode::Density, 0);
    let bytes = density.to_bytes().unwrap();
    assert_eq!(forged(&bytes, r#""lengths""#, r#""l3ngths""#), "tensor `lengths` must be there");
    let length = density.ensemble.members()[0].trees()[0].leaf_lengths().next().unwrap().to_le_bytes();
    let at = bytes.windows(8).position(|window| window == length).unwrap();
    let endless = [&bytes[..at], &[0xff; 8], &bytes[at + 8..]].concat();
    let sentence = forged(&endless, r#"\"lags\":0"#, r#"\"lags\":1"#);
    assert_eq!(sentence, "tensor `lengths` must be of path lengths, got one that is too long");
}

#[test]
fn ranges_come_back_and_those_that_are_none_are_refused() {
    let artifact = artifact(0);
    let bytes = artifact.to_bytes().unwrap();
    let far = [1e6, 0.0, 0.0];
    let again = Artifact::from_bytes(&bytes).unwrap().ensemble.single().unwrap().clone();
    assert_eq!(again.score(&far).to_bits(), artifact.ensemble.score(&far).to_bits());
    assert!(again.score(&far) > again.with_ranges(None).score(&far));
    let bounds = artifact.ensemble.members()[0].ranges().unwrap().bounds()[0].map(f32::to_le_bytes);
    let at = bytes.windows(8).position(|window| window == bounds.as_flattened()).unwrap();
    let turned = [&bytes[..at], &bounds[1], &bounds[0], &bytes[at + 8..]].concat();
    let sentence = forged(&turned, r#"\"lags\":0"#, r#"\"lags\":1"#);
    assert_eq!(sentence, "tensor `ranges` must be two finite numbers for each column, the first not greater");
}

#[test]
fn a_forged_artifact_is_refused_by_what_is_in_it() {
    let bytes = artifact(0).to_bytes().unwrap();
    let columns = forged(&bytes, r#"\"columns\":3"#, r#"\"columns\":1"#);
    assert!(columns.starts_with("tree 0: node "), "{columns}");
    assert!(columns.ends_with("must split on one of the 1 columns, got column 2"), "{columns}");
    assert_eq!(forged(&bytes, r#""nodes""#, r#""n0des""#), "tensor `nodes` must be there");
    let short = forged(&bytes, r#"\"sampleSize\":16"#, r#"\"sampleSize\":00"#);
    assert!(short.starts_with("the model's metadata must be of format 2"), "{short}");
}

#[test]
fn the_greatest_scores_are_kept_and_how_many_there_were() {
    let many: Vec<f64> = (1..=10_000).map(|i| f64::from(i) / 10_000.0).collect();
    let scores =
        Scores { seen: Greatest::of(&many), unseen: Greatest::of(&[0.4, 0.6]), seconds_apart: Some(60.0) };
    assert_eq!(
        (scores.seen.scores().len(), scores.seen.count(), scores.seen.is_whole()),
        (MAX_SCORES, 10_000, false)
    );
    assert_eq!((scores.unseen.scores(), scores.unseen.is_whole()), (&[0.6, 0.4][..], true));
    let artifact = Artifact { scores: Some(scores), ..artifact(0) };
    assert_eq!(Artifact::from_bytes(&artifact.to_bytes().unwrap()).unwrap(), artifact);
}

#[test]
fn scores_that_are_none_are_refused() {
    for wrong in [vec![0.5, f64::NAN], vec![1.5], vec![0.0]] {
        let scores =
            Scores { seen: Greatest::of(&wrong), unseen: Greatest::of(&[]), seconds_apart: Some(1.0) };
        let bytes = Artifact { scores: Some(scores), ..artifact(0) }.to_bytes().unwrap();
        assert_eq!(
            Artifact::from_bytes(&bytes).unwrap_err().to_string(),
            "tensor `scores.seen` must be falling scores, greater than 0 and at most 1, as many as the header says"
        );
    }
}

#[test]
fn a_checksum_of_a_megabyte_of_digits_is_refused_at_once() {
    // The header has a megabyte of zeros, and so has the checksum to find in it: comparing at one index after
    // the other would take a billion steps.
    let bytes = artifact(0).to_bytes().unwrap();
    let digits = "0".repeat(1 << 20);
    let text = std::str::from_utf8(&bytes[LENGTH..header_end(&bytes).unwrap()]).unwrap();
    let before = "seal\\\":\\\"";
    let at = text.find(before).unwrap() + before.len();
    let header = format!("{}{digits}{}", &text[..at], &text[at + BLANK.len()..]);
    let mut long = (header.len() as u64).to_le_bytes().to_vec();
    long.extend(header.as_bytes());
    long.extend(&bytes[header_end(&bytes).unwrap()..]);
    let refusal = Artifact::from_bytes(&long).unwrap_err().to_string();
    assert!(refusal.starts_with("the model is damaged: "), "{refusal}");
    assert!(refusal.len() < 300, "{refusal}");
}

#[test]
fn texts_that_must_not_stand_in_a_log_are_refused_and_never_written() {
    let mut artifact = artifact(0);
    artifact.metadata.training.origin = "plant\nlevel=error".to_owned();
    let refusal = "origin must be of at most 256 characters, none of them a control character, got \"plant?level=error\"";
    assert_eq!(artifact.to_bytes().unwrap_err().to_string(), refusal);
    artifact.metadata.training.origin = "trained".to_owned();
    let bytes = artifact.to_bytes().unwrap();
    let forged = forged(&bytes, r#"\"origin\":\"trained"#, r#"\"origin\":\"tr\\nab"#);
    assert_eq!(
        forged,
        "origin must be of at most 256 characters, none of them a control character, got \"tr?ab\""
    );
}
