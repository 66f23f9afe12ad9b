//! `detector inspect`: a model in, what it is out, as JSON.

use std::path::PathBuf;

use clap::Args;
use forest::artifact::{self, FORMAT};
use forest::{Artifact, Mode};
use serde::Serialize;

use super::model_file::{self, ModelFileError};

/// Print what a model is, as JSON.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The model, as `train` writes it
    #[arg(value_name = "MODEL")]
    model: PathBuf,
}

/// What is printed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Description<'a> {
    digest: String,
    bytes: usize,
    /// The newest format that this program reads: the file's is this one or an earlier.
    format: u32,
    columns: &'a [String],
    pipeline: &'a serde_json::Value,
    mode: Mode,
    trees: usize,
    sample_size: u32,
    threshold: f64,
    samples: u64,
    trained_at: &'a str,
    origin: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_alerts_per_day: Option<f64>,
}

/// Print it.
///
/// # Errors
/// The file cannot be read, or holds no model.
pub fn run(args: &InspectArgs) -> Result<(), ModelFileError> {
    let (artifact, bytes) = model_file::read(&args.model)?;
    println!("{}", description(&artifact, &bytes));
    Ok(())
}

fn description(artifact: &Artifact, bytes: &[u8]) -> String {
    let Artifact { forest, metadata, .. } = artifact;
    let description = Description {
        digest: artifact::digest(bytes),
        bytes: bytes.len(),
        format: FORMAT,
        columns: &metadata.columns,
        pipeline: &metadata.pipeline,
        mode: forest.mode(),
        trees: forest.trees().len(),
        sample_size: forest.sample_size(),
        threshold: metadata.threshold,
        samples: metadata.training.samples,
        trained_at: &metadata.training.trained_at,
        origin: &metadata.training.origin,
        expected_alerts_per_day: metadata.training.expected_alerts_per_day,
    };
    serde_json::to_string_pretty(&description).expect("numbers and strings are JSON")
}
