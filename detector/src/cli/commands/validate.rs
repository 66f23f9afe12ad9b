//! `detector validate`: manifests in; every broken rule out, with its line, the field's path, the rule and the value.

use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::Args;
use crd::memory::{Memory, quantity};
use crd::violation::Violation;
use crd::{Valid, lines, manifest};
use serde_json::Value;
use thiserror::Error;

use crate::cli::manifest::{FileError, located, shown, text};
use crate::cli::stdout::{self, StdoutError};
use crate::ingest::sources::prometheus::promql;

/// Check manifests against the rules of the API server and of the operator.
///
/// Also checks that queries are valid PromQL. Prints a line for each broken rule, `FILE:LINE: FIELD: what was
/// expected and what was there`, or `FILE: valid`. Every document of a file is checked; documents of other
/// kinds are ignored.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// Manifests, each with one or more YAML documents: files, folders (their .yaml, .yml and .json files),
    /// or the standard input (-)
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Why the validation failed.
#[derive(Debug, Error)]
pub enum ValidateError {
    /// Files break rules.
    #[error("{refused} of {files} files are not valid")]
    Broken {
        /// The number of files that break rules.
        refused: usize,
        /// The number of files that were checked.
        files: usize,
    },
    /// The result cannot be printed.
    #[error(transparent)]
    Stdout(#[from] StdoutError),
}

/// The result of checking a file.
enum Checked {
    /// Every detector in the file is valid. A line for each whose pods need another amount of memory than
    /// usual.
    Valid(Vec<String>),
    /// The file breaks rules: a line for each.
    Broken(Vec<String>),
    /// The file has no detector, only documents of these kinds.
    Other(Vec<String>),
}

/// Check every file.
///
/// # Errors
/// At least one file is not valid, and its broken rules have been printed; or the result cannot be printed.
pub fn run(args: &ValidateArgs) -> Result<(), ValidateError> {
    let mut checked = Vec::new();
    for path in &args.paths {
        checked.extend(check(path)?);
    }
    let refused = checked.iter().filter(|checked| matches!(checked, Checked::Broken(_))).count();
    let files = checked.iter().filter(|checked| !matches!(checked, Checked::Other(_))).count();
    if refused == 0 { Ok(()) } else { Err(ValidateError::Broken { refused, files }) }
}

/// Check a file, or the manifests of a folder, and print the result for each.
fn check(path: &Path) -> Result<Vec<Checked>, StdoutError> {
    let folder = if path.is_dir() { Some(manifests(path)) } else { None };
    let checked = match folder {
        None => vec![(path.to_owned(), require_detector(path, checked(path)))],
        Some(Err(error)) => {
            vec![(path.to_owned(), Checked::Broken(vec![format!("{}: {error}", path.display())]))]
        }
        Some(Ok(files)) => {
            let checked = files.into_iter().map(|file| (file.clone(), checked(&file)));
            let ours: Vec<_> = checked.filter(|(_, checked)| !matches!(checked, Checked::Other(_))).collect();
            if ours.is_empty() { vec![(path.to_owned(), no_detector_in(path))] } else { ours }
        }
    };
    for (path, checked) in &checked {
        match checked {
            Checked::Valid(notes) => {
                stdout::print(format_args!("{}: valid", shown(path)))?;
                notes.iter().try_for_each(stdout::print)?;
            }
            Checked::Broken(rules) => rules.iter().try_for_each(stdout::print)?,
            Checked::Other(_) => {}
        }
    }
    Ok(checked.into_iter().map(|(_, checked)| checked).collect())
}

/// The manifest files directly in a folder, not in its subfolders, sorted by name.
fn manifests(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    let is_manifest = |path: &PathBuf| {
        path.is_file()
            && path.extension().is_some_and(|name| ["yaml", "yml", "json"].iter().any(|known| name == *known))
    };
    files.retain(is_manifest);
    files.sort();
    Ok(files)
}

fn no_detector_in(folder: &Path) -> Checked {
    Checked::Broken(vec![format!(
        "{}: expected an AnomalyDetector in a .yaml, .yml or .json file, got none",
        folder.display()
    )])
}

/// Refuse a file without a detector. Only files of a folder may have none, not a file that an argument names.
fn require_detector(path: &Path, checked: Checked) -> Checked {
    match checked {
        Checked::Other(kinds) => Checked::Broken(vec![format!(
            "{}: expected an AnomalyDetector, got kind {}",
            shown(path),
            kinds.join(", ")
        )]),
        checked => checked,
    }
}

fn checked(path: &Path) -> Checked {
    match rules_broken_in(path) {
        Ok(checked) => checked,
        Err(error) => Checked::Broken(vec![error.to_string()]),
    }
}

fn rules_broken_in(path: &Path) -> Result<Checked, FileError> {
    let text = text(path)?;
    let refused = |source| FileError::Refused { path: path.to_owned(), source };
    let documents = manifest::documents(&text).map_err(refused)?;
    if !documents.iter().any(is_detector) {
        return Ok(Checked::Other(documents.iter().map(|other| other["kind"].to_string()).collect()));
    }
    let lines = lines::of(&text);
    let ours = documents.into_iter().enumerate().filter(|(_, document)| is_detector(document));
    let (mut notes, mut broken) = (Vec::new(), Vec::new());
    for (i, document) in ours {
        let queries = no_promql(&document);
        let rules = match manifest::detector(document) {
            Ok(detector) => {
                notes.extend(memory_note(path, &detector));
                Vec::new()
            }
            Err(rules) => rules.0,
        };
        broken.extend(rules.iter().chain(&queries).map(|rule| located(path, lines.get(i), rule)));
    }
    Ok(if broken.is_empty() { Checked::Valid(notes) } else { Checked::Broken(broken) })
}

/// The queries that are not valid PromQL. The API server has no such rule: the source's server may accept a
/// dialect, and reports itself which queries it refuses.
fn no_promql(document: &Value) -> Vec<Violation> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut broken = Vec::new();
    for (i, source) in list(&document["spec"]["sources"]).iter().enumerate() {
        for (j, sensor) in list(&source["prometheus"]["sensors"]).iter().enumerate() {
            if let Some(Err(error)) = sensor["query"].as_str().map(promql::check) {
                let path = format!("spec.sources[{i}].prometheus.sensors[{j}].query");
                broken.push(Violation::new(path, format!("must be PromQL: {error}")));
            }
        }
    }
    broken
}

/// A line about a detector whose pods get another amount of memory than usual, where the spec sets none.
fn memory_note(path: &Path, detector: &Valid) -> Option<String> {
    let memory = Memory::of_spec(detector.spec());
    let is_usual = memory.limit() == Memory::of(0, None).limit();
    (detector.spec().pod.resources.is_none() && !is_usual).then(|| {
        let (request, limit) = (quantity(memory.request()), quantity(memory.limit()));
        let name = detector.name();
        format!("{}: {name}: its pods request {request} of memory and are limited to {limit}", shown(path))
    })
}

/// Whether a document is an AnomalyDetector or was meant to be one: it has the kind AnomalyDetector, the
/// group `anomaly.dev`, or no kind.
fn is_detector(document: &Value) -> bool {
    let group =
        document["apiVersion"].as_str().and_then(|version| version.split_once('/')).map(|(group, _)| group);
    document["kind"] == "AnomalyDetector" || group == Some("anomaly.dev") || document["kind"].is_null()
}
