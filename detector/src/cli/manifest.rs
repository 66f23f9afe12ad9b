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

/// Why a manifest is invalid.
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
    /// It is a data file for which there is no manifest.
    #[error(transparent)]
    Inference(#[from] InferenceError),
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

/// The one manifest of a file, after the assignments.
#[derive(Debug)]
pub struct Document {
    path: PathBuf,
    /// The manifest.
    pub value: Value,
    lines: Option<Lines>,
    /// What it was inferred from, where the file is data.
    pub notes: Vec<String>,
}

impl Document {
    /// Read it, or infer it from a data file, and make the assignments: `spec.sources[0].csv.path=other.csv`, several with
    /// commas between, as Helm's `--set` takes them.
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

    /// A manifest that was made for a file.
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

    /// The one manifest of a text, which messages call by this path.
    ///
    /// # Errors
    /// It holds none, or several.
    pub fn parsed(path: &Path, text: &str) -> Result<Self, FileError> {
        let refused = |source| FileError::Refused { path: path.to_owned(), source };
        let mut documents = manifest::documents(text).map_err(refused)?;
        let (Some(value), true) = (documents.pop(), documents.is_empty()) else {
            return Err(refused(ManifestError::Several(documents.len() + 1)));
        };
        Ok(Self { path: path.to_owned(), value, lines: lines::of(text).pop(), notes: Vec::new() })
    }

    /// The detector that it describes.
    ///
    /// # Errors
    /// It breaks rules.
    pub fn detector(self) -> Result<Valid, FileError> {
        let Self { path, value, lines, .. } = self;
        manifest::detector(value).map_err(|broken| {
            FileError::Invalid(broken.0.iter().map(|broken| located(&path, lines.as_ref(), broken)).collect())
        })
    }
}

/// The one detector of the file, after the assignments.
///
/// # Errors
/// The file is unreadable, breaks rules, or an assignment does not fit.
pub fn detector(path: &Path, assignments: &[String]) -> Result<Valid, FileError> {
    Document::read(path, assignments)?.detector()
}
