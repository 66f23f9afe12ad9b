//! A data file in; a manifest that replays it, and a sentence about each inferred property, out.

/// The kind of each column.
mod columns;

use std::fs::File;
use std::path::Path;

use serde_json::{Value, json};
use thiserror::Error;

use self::columns::{Columns, Sample};
use crate::ingest::sources::delimited::{self, CsvError, Rows};

/// The most rows that are read to infer a manifest.
const LOOKED_AT: usize = 16_384;
/// The most rows to learn from.
const MAX_SAMPLES: usize = 4096;
/// All rows of a file with fewer than this are used for training, then scored.
const FEW_ROWS: usize = 512;
/// The features of an inferred manifest. A file does not show what its faults are like, so that sudden
/// changes and stillness are watched beside the value itself.
const FEATURES: [&str; 3] = ["Value", "Difference", "LogStdDev"];
/// The extensions of data files.
const EXTENSIONS: [&str; 4] = [".csv", ".csv.gz", ".tsv", ".tsv.gz"];

/// A manifest that was inferred.
#[derive(Debug)]
pub struct Inferred {
    /// The manifest as a JSON document.
    pub manifest: Value,
    /// A sentence about each inferred property, for people.
    pub notes: Vec<String>,
}

/// Why no manifest can be inferred.
#[derive(Debug, Error)]
pub enum InferenceError {
    /// The file is not a table.
    #[error(transparent)]
    Csv(#[from] CsvError),
    /// The table lacks something that a recording needs, such as timestamps: the file and the reason.
    #[error("{0}: {1}")]
    Unusable(String, String),
}

/// Whether a file is a data file, by its extension. Any other file is a manifest.
pub fn is_data(path: &Path) -> bool {
    let name = path.to_string_lossy().to_ascii_lowercase();
    // A Parquet file is data, too: the CSV reader refuses it with an error that says what can read it.
    EXTENSIONS.iter().any(|extension| name.ends_with(extension)) || name.ends_with(".parquet")
}

/// Infer a manifest from a data file.
///
/// # Errors
/// The file cannot be read, has no rows, or no column of timestamps or of numbers.
pub fn infer(path: &Path) -> Result<Inferred, InferenceError> {
    let file = path.display().to_string();
    let sample = sample(&file, delimited::open(path)?)?;
    let columns = Columns::find(&sample).map_err(|why| InferenceError::Unusable(file.clone(), why))?;
    let samples = samples(sample.rows.len());
    let mut notes = vec![format!("{file}: cells are separated by {}", separator(sample.delimiter))];
    notes.extend(columns.notes());
    let more = if sample.rows.len() == LOOKED_AT { " or more" } else { "" };
    notes.push(match sample.rows.len() {
        rows if samples == rows => format!("all of its {rows} rows are used for training, then scored"),
        rows => format!(
            "of its {rows} rows{more} the first {samples} are used for training, the others are scored"
        ),
    });
    Ok(Inferred { manifest: manifest(path, &columns, samples), notes })
}

fn sample(name: &str, file: File) -> Result<Sample, CsvError> {
    let mut rows = Rows::new(name, file)?;
    let (header, delimiter) = (rows.header().to_vec(), rows.delimiter());
    let mut sample = Sample { header, delimiter, rows: Vec::new() };
    while sample.rows.len() < LOOKED_AT && rows.advance()? {
        sample.rows.push((0..sample.header.len()).map(|column| rows.text(column).into_owned()).collect());
    }
    Ok(sample)
}

/// The number of rows to learn from: a quarter of them, at least 256 and at most [`MAX_SAMPLES`]; all of them
/// where there are fewer than [`FEW_ROWS`].
fn samples(rows: usize) -> usize {
    if rows < FEW_ROWS { rows.max(2) } else { (rows / 4).clamp(FEW_ROWS / 2, MAX_SAMPLES) }
}

fn separator(delimiter: u8) -> &'static str {
    match delimiter {
        b';' => "semicolons",
        b'\t' => "tabs",
        b'|' => "|",
        _ => "commas",
    }
}

fn manifest(path: &Path, columns: &Columns, samples: usize) -> Value {
    json!({
        "apiVersion": "anomaly.dev/v1alpha1",
        "kind": "AnomalyDetector",
        "metadata": { "name": object_name(path) },
        "spec": {
            "interval": columns.interval(),
            "sources": [{ "name": "recorded", "csv": columns.source(&path.display().to_string()) }],
            "model": { "train": { "samples": samples, "features": FEATURES } },
        },
    })
}

/// A name for the Kubernetes object, made of the file's name. It begins with a letter.
fn object_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let stem = EXTENSIONS.iter().rev().find_map(|extension| name.strip_suffix(extension)).unwrap_or(&name);
    let name: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
    match name.trim_matches('-') {
        "" => "recorded".to_owned(),
        name if name.starts_with(|c: char| c.is_ascii_digit()) => format!("data-{name}"),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests;
