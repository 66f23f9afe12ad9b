//! A manifest file and `--set` assignments in, a valid detector out.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crd::lines::{self, Lines};
use crd::manifest::{self, ManifestError};
use crd::{Valid, Violation};
use serde_json::{Map, Value};
use thiserror::Error;

/// Why a manifest is of no use.
#[derive(Debug, Error)]
pub enum FileError {
    /// The file cannot be read.
    #[error("{}: {source}", shown(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It breaks rules: a line for each.
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
    /// It holds no manifest.
    #[error("{}: {source}", shown(path))]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ManifestError,
    },
    /// An assignment that does not fit.
    #[error("--set {0}: {1}")]
    Set(String, String),
}

/// The text of a manifest, which must be UTF-8; `-` is the standard input.
///
/// # Errors
/// The file cannot be read, or is too large.
pub fn text(path: &Path) -> Result<String, FileError> {
    let refused = |source| FileError::Refused { path: path.to_owned(), source };
    let bytes = read(path).map_err(|source| FileError::Unreadable { path: path.to_owned(), source })?;
    if bytes.len() > manifest::MAX_BYTES {
        return Err(refused(ManifestError::TooLarge(bytes.len())));
    }
    String::from_utf8(bytes)
        .map_err(|_| refused(ManifestError::Yaml("the file is not UTF-8 text".to_owned())))
}

/// No more than shows that it is too large.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = manifest::MAX_BYTES as u64 + 1;
    if path == Path::new("-") {
        io::stdin().take(limit).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// A file's name in messages.
pub fn shown(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// A broken rule and where it stands: `pump.yaml:7: spec.interval: must be between 10ms and 24h, got 1ms`.
pub fn located(path: &Path, lines: Option<&Lines>, broken: &Violation) -> String {
    let line =
        lines.and_then(|lines| lines.line(&broken.path)).map_or(String::new(), |line| format!(":{line}"));
    format!("{}{line}: {broken}", shown(path))
}

/// The one detector of the file, after the assignments: `spec.sources[0].csv.path=other.csv`, several with commas
/// between, as Helm's `--set` takes them.
///
/// # Errors
/// The file is unreadable, breaks rules, or an assignment does not fit.
pub fn detector(path: &Path, assignments: &[String]) -> Result<Valid, FileError> {
    let refused = |source| FileError::Refused { path: path.to_owned(), source };
    let text = text(path)?;
    let mut documents = manifest::documents(&text).map_err(refused)?;
    let (Some(mut document), true) = (documents.pop(), documents.is_empty()) else {
        return Err(refused(ManifestError::Several(documents.len() + 1)));
    };
    for assignment in assignments.iter().flat_map(|each| split(each, ',')) {
        set(&mut document, &assignment).map_err(|why| FileError::Set(assignment.clone(), why))?;
    }
    manifest::detector(document).map_err(|broken| {
        let lines = lines::of(&text).pop();
        FileError::Invalid(broken.0.iter().map(|broken| located(path, lines.as_ref(), broken)).collect())
    })
}

/// The parts between separators; a backslash makes the next character an ordinary one.
fn split(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let last = parts.len() - 1;
        match character {
            '\\' => parts[last].extend(characters.next()),
            c if c == separator => parts.push(String::new()),
            c => parts[last].push(c),
        }
    }
    parts
}

fn set(document: &mut Value, assignment: &str) -> Result<(), String> {
    let (path, value) = assignment.split_once('=').ok_or("expected PATH=VALUE")?;
    let mut place = document;
    for step in steps(path)? {
        place = match step {
            Step::Field(name) => {
                if place.is_null() {
                    *place = Value::Object(Map::new());
                }
                let fields =
                    place.as_object_mut().ok_or_else(|| format!("{name} is set on what is no object"))?;
                fields.entry(name).or_insert(Value::Null)
            }
            Step::Index(index) => {
                let items =
                    place.as_array_mut().ok_or_else(|| format!("[{index}] is set on what is no list"))?;
                let length = items.len();
                items
                    .get_mut(index)
                    .ok_or_else(|| format!("[{index}] is beyond the list's {length} items"))?
            }
        };
    }
    *place = scalar(value);
    Ok(())
}

enum Step {
    Field(String),
    Index(usize),
}

/// `spec.sources[0].name` -> spec, sources, 0, name.
fn steps(path: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let (name, indices) = part.split_at(part.find('[').unwrap_or(part.len()));
        if name.is_empty() {
            return Err("expected a path such as spec.sources[0].name".to_owned());
        }
        steps.push(Step::Field(name.to_owned()));
        for index in indices.split_terminator(']') {
            let index = index.strip_prefix('[').and_then(|index| index.parse().ok());
            steps.push(Step::Index(index.ok_or("expected an index such as [0]")?));
        }
    }
    Ok(steps)
}

/// As Helm reads it: true, false, null and numbers are what they look like, all else is text.
fn scalar(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn after(assignment: &str) -> Result<Value, String> {
        let mut document = json!({ "spec": { "sources": [{ "csv": { "path": "a.csv" } }] } });
        set(&mut document, assignment).map(|()| document)
    }

    #[test]
    fn a_field_in_a_list_is_replaced() {
        assert_eq!(
            after("spec.sources[0].csv.path=b=c.csv").unwrap()["spec"]["sources"][0]["csv"]["path"],
            "b=c.csv"
        );
    }

    #[test]
    fn fields_on_the_way_are_made_and_numbers_are_numbers() {
        let document = after("spec.model.train.trees=50").unwrap();
        assert_eq!(document["spec"]["model"]["train"]["trees"], json!(50));
    }

    #[test]
    fn what_does_not_fit_is_refused_in_a_sentence() {
        for (assignment, sentence) in [
            ("spec.sources[3].name=x", "[3] is beyond the list's 1 items"),
            ("spec.sources.name=x", "name is set on what is no object"),
            ("spec[0]=x", "[0] is set on what is no list"),
            ("spec.sources[x]=1", "expected an index such as [0]"),
            (".=1", "expected a path such as spec.sources[0].name"),
            ("spec", "expected PATH=VALUE"),
        ] {
            assert_eq!(after(assignment).unwrap_err(), sentence, "{assignment}");
        }
    }

    #[test]
    fn commas_separate_assignments_unless_escaped() {
        assert_eq!(split(r"a=1,b=x\,y", ','), ["a=1", "b=x,y"]);
    }
}
