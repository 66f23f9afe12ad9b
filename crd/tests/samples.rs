//! `manifests/*.yaml` are valid and survive a round trip through the types; `manifests/invalid/*.yaml` break
//! exactly the rules in their first lines.
#![cfg(test)]

use std::path::PathBuf;

use crd::manifest::{self, ManifestError};
use serde_json::Value;

/// (path, text) of every YAML file in a folder of the repository.
fn manifests(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// Assert that `whole` has everything that `part` has. A field that only `whole` has may be a default.
fn contains(whole: &Value, part: &Value, path: &str) {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().for_each(|(key, part)| contains(&whole[key], part, &format!("{path}.{key}")));
        }
        (Value::Array(whole), Value::Array(part)) => {
            assert_eq!(whole.len(), part.len(), "{path}");
            whole.iter().zip(part).for_each(|(whole, part)| contains(whole, part, path));
        }
        (Value::Number(whole), Value::Number(part)) => assert_eq!(whole.as_f64(), part.as_f64(), "{path}"),
        _ => assert_eq!(whole, part, "{path}"),
    }
}

#[test]
fn every_sample_is_valid_and_loses_nothing() {
    let samples = manifests("manifests");
    assert!(samples.len() >= 3, "samples are missing");
    for (path, text) in samples {
        let detector =
            manifest::one_detector(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let written = manifest::documents(&text).unwrap().remove(0);
        contains(&serde_json::to_value(detector.detector()).unwrap(), &written, &path.display().to_string());
    }
}

#[test]
fn every_invalid_sample_breaks_the_rules_that_its_first_lines_say() {
    let samples = manifests("manifests/invalid");
    assert!(samples.len() >= 25, "samples are missing");
    let mut wrong = Vec::new();
    for (path, text) in samples {
        let expected: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("# ")).collect();
        let broken: Vec<String> = match manifest::one_detector(&text) {
            Ok(_) => panic!("{} is valid", path.display()),
            Err(ManifestError::Invalid(broken)) => broken.0.iter().map(ToString::to_string).collect(),
            Err(other) => vec![other.to_string()],
        };
        if broken != expected {
            wrong.push(format!("{}: expected {expected:#?}, got {broken:#?}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_no_manifest_is_refused_in_a_sentence() {
    let refused = |text: &str| manifest::one_detector(text).unwrap_err().to_string();
    assert_eq!(refused(""), "expected an AnomalyDetector, got an empty file");
    assert_eq!(refused("# only a comment\n---\n"), "expected an AnomalyDetector, got an empty file");
    assert!(refused("a: [").starts_with("expected YAML: "), "{}", refused("a: ["));
    assert!(refused("a: 1\na: 2").starts_with("expected YAML: "), "{}", refused("a: 1\na: 2"));
    assert_eq!(refused(&"x".repeat(2_000_000)), "a manifest must be at most 1500000 bytes, got 2000000");
    assert_eq!(refused("a: 1\n---\nb: 2"), "expected one AnomalyDetector, got 2");
    assert_eq!(
        refused("apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nspec: {sources: [{name: a}]}"),
        "apiVersion: must be \"anomaly.dev/v1alpha1\", got \"v1\"; kind: must be \"AnomalyDetector\", got \"Secret\"; \
         spec.sources[0]: exactly one of simulated, csv, prometheus, mqtt, http must be set"
    );
}
