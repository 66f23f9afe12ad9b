//! `detector validate`: manifests in; every broken rule out, with the field's path, the rule and the value.

use std::path::{Path, PathBuf};

use clap::Args;
use crd::manifest;
use serde_json::Value;
use thiserror::Error;

use crate::cli::manifest::text;

/// Check manifests by the rules that the API server applies, and those that only the operator can check.
///
/// Prints a line for each broken rule, `FILE: FIELD: what was expected and what was there`, or `FILE: valid`. Documents of
/// other kinds in the same file are passed over.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// Manifests, each with one or more YAML documents
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Rules are broken.
#[derive(Debug, Error)]
#[error("{refused} of {files} files are not valid")]
pub struct ValidateError {
    refused: usize,
    files: usize,
}

/// Check every file.
///
/// # Errors
/// At least one file is not valid: what is wrong has been printed.
pub fn run(args: &ValidateArgs) -> Result<(), ValidateError> {
    let mut refused = 0;
    for file in &args.files {
        let broken = broken_rules(file);
        for rule in &broken {
            println!("{rule}");
        }
        if broken.is_empty() {
            println!("{}: valid", file.display());
        }
        refused += usize::from(!broken.is_empty());
    }
    if refused == 0 { Ok(()) } else { Err(ValidateError { refused, files: args.files.len() }) }
}

/// One line for each rule that a file breaks.
fn broken_rules(file: &Path) -> Vec<String> {
    let text = match text(file) {
        Ok(text) => text,
        Err(error) => return vec![error.to_string()],
    };
    let documents = match manifest::documents(&text) {
        Ok(documents) => documents,
        Err(error) => return vec![format!("{}: {error}", file.display())],
    };
    let (ours, others): (Vec<Value>, Vec<Value>) = documents.into_iter().partition(is_ours);
    if ours.is_empty() {
        let kinds: Vec<String> = others.iter().map(|other| other["kind"].to_string()).collect();
        return vec![format!(
            "{}: expected an AnomalyDetector, got kind {}",
            file.display(),
            kinds.join(", ")
        )];
    }
    let rules = ours
        .into_iter()
        .filter_map(|document| manifest::detector(document).err())
        .flat_map(|broken| broken.0);
    rules.map(|rule| format!("{}: {rule}", file.display())).collect()
}

/// An AnomalyDetector, or what was meant to be one: of our group, or of no other.
fn is_ours(document: &Value) -> bool {
    let group =
        document["apiVersion"].as_str().and_then(|version| version.split_once('/')).map(|(group, _)| group);
    document["kind"] == "AnomalyDetector" || group == Some("anomaly.dev") || document["kind"].is_null()
}
