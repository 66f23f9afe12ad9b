//! A manifest file, or a data file, and `--set` assignments in; a valid detector out.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crd::lines::{self, Lines};
use crd::manifest::{self, ManifestError};
use crd::{Valid, Violation};
use serde_json::Value;
use thiserror::Error;

use crate::cli::inference::{self, InferenceError, Inferred};
use crate::cli::set;

/// Why a manifest cannot be used.
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
    /// The manifest breaks rules: a line for each.
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
    /// The text in the file is too large, is not YAML, or does not hold one manifest.
    #[error("{}: {source}", shown(path))]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ManifestError,
    },
    /// No manifest can be inferred from a data file.
    #[error(transparent)]
    Inference(#[from] InferenceError),
    /// An assignment of `--set` does not fit the manifest: the assignment and the reason.
    #[error("--set {0}: {1}")]
    Set(String, String),
}

/// Read the text of a manifest from a file, or from the standard input for `-`.
///
/// # Errors
/// The file cannot be read, is too large, or is not UTF-8.
pub fn text(path: &Path) -> Result<String, FileError> {
    let refused = |source| FileError::Refused { path: path.to_owned(), source };
    let bytes = read(path).map_err(|source| FileError::Unreadable { path: path.to_owned(), source })?;
    if bytes.len() > manifest::MAX_BYTES {
        return Err(refused(ManifestError::TooLarge(bytes.len())));
    }
    String::from_utf8(bytes)
        .map_err(|_| refused(ManifestError::Yaml("the file is not UTF-8 text".to_owned())))
}

/// Read a file up to one byte over the limit, which is enough to see that it is too large.
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

/// A broken rule with its file and line: `pump.yaml:7: spec.interval: must be between 10ms and 24h, got 1ms`.
pub fn located(path: &Path, lines: Option<&Lines>, broken: &Violation) -> String {
    let line =
        lines.and_then(|lines| lines.line(&broken.path)).map_or(String::new(), |line| format!(":{line}"));
    format!("{}{line}: {broken}", shown(path))
}

/// The single manifest of a file, with the assignments of `--set` applied.
#[derive(Debug)]
pub struct Document {
    path: PathBuf,
    /// The manifest.
    pub value: Value,
    lines: Option<Lines>,
    /// A sentence about each inferred property, where the file is a data file; else empty.
    pub notes: Vec<String>,
}

impl Document {
    /// Read a manifest, or infer it from a data file, and apply the assignments:
    /// `spec.sources[0].csv.path=other.csv`. One string may hold several assignments, separated by commas, as
    /// in Helm's `--set`.
    ///
    /// # Errors
    /// The file is unreadable, or an assignment does not fit.
    pub fn read(path: &Path, assignments: &[String]) -> Result<Self, FileError> {
        let mut document =
            if inference::is_data(path) { Self::inferred(path)? } else { Self::written(path)? };
        for assignment in assignments.iter().flat_map(|each| set::assignments(each)) {
            set::set(&mut document.value, &assignment)
                .map_err(|why| FileError::Set(assignment.clone(), why))?;
        }
        Ok(document)
    }

    /// A manifest that the program generated. Messages name it by this path.
    pub fn made(path: &Path, value: Value) -> Self {
        Self { path: path.to_owned(), value, lines: None, notes: Vec::new() }
    }

    fn inferred(path: &Path) -> Result<Self, FileError> {
        let Inferred { manifest, notes } = inference::infer(path)?;
        Ok(Self { path: path.to_owned(), value: manifest, lines: None, notes })
    }

    fn written(path: &Path) -> Result<Self, FileError> {
        Self::parsed(path, &text(path)?)
    }

    /// Parse a text that holds one manifest. Messages name it by this path.
    ///
    /// # Errors
    /// The text holds no manifest, or several.
    pub fn parsed(path: &Path, text: &str) -> Result<Self, FileError> {
        let refused = |source| FileError::Refused { path: path.to_owned(), source };
        let mut documents = manifest::documents(text).map_err(refused)?;
        let (Some(value), true) = (documents.pop(), documents.is_empty()) else {
            return Err(refused(ManifestError::Several(documents.len() + 1)));
        };
        Ok(Self { path: path.to_owned(), value, lines: lines::of(text).pop(), notes: Vec::new() })
    }

    /// The detector that the manifest describes.
    ///
    /// # Errors
    /// The manifest breaks rules.
    pub fn detector(self) -> Result<Valid, FileError> {
        let Self { path, value, lines, .. } = self;
        manifest::detector(value).map_err(|broken| {
            FileError::Invalid(broken.0.iter().map(|broken| located(&path, lines.as_ref(), broken)).collect())
        })
    }
}

/// Read the single detector of a file, with the assignments of `--set` applied.
///
/// # Errors
/// The file is unreadable, breaks rules, or an assignment does not fit.
pub fn detector(path: &Path, assignments: &[String]) -> Result<Valid, FileError> {
    Document::read(path, assignments)?.detector()
}
