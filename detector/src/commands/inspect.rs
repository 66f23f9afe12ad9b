//! `detector inspect`: a model in, what it is out, as JSON.

use std::path::PathBuf;

use clap::Args;
use forest::Mode;
use forest::artifact::FORMAT;
use serde::Serialize;

use super::model_file::{self, ModelFileError};
use crate::model::Model;

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
    digest: &'a str,
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
    recipe: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_alerts_per_day: Option<f64>,
}

/// Print it.
///
/// # Errors
/// The file cannot be read, or holds no model.
pub fn run(args: &InspectArgs) -> Result<(), ModelFileError> {
    println!("{}", description(&model_file::model(&args.model)?));
    Ok(())
}

fn description(model: &Model) -> String {
    let (forest, metadata) = (model.forest(), model.metadata());
    let description = Description {
        digest: model.digest(),
        bytes: model.bytes().len(),
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
        recipe: metadata.recipe.as_deref(),
        expected_alerts_per_day: metadata.training.expected_alerts_per_day,
    };
    serde_json::to_string_pretty(&description).expect("numbers and strings are JSON")
}
