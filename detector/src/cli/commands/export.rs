//! `detector export`: a model in, a file for other systems out.

use std::path::PathBuf;

use clap::Args;
use interchange::onnx;
use thiserror::Error;

use super::model_file::{self, ModelFileError};
use crate::model::model::Model;

/// Write a model for other systems.
///
/// The ONNX model has one input, `input`: rows of 32-bit floats, and two outputs: `score` and `anomaly`. Its columns are the
/// vectors that the forest sees, of which `temperature.log_std_dev.lag1` is one where the model looks at more than values. It has no place
/// for the ranges of the training data: rows beyond them score as the edge does, here they score higher.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// As ONNX, for ONNX Runtime and whatever reads it (needs ai.onnx.ml 5)
    #[arg(long, required = true)]
    onnx: bool,

    /// The model, as `train` writes it
    #[arg(long, value_name = "FILE")]
    model: PathBuf,

    /// Where to write it; - for the standard output
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

/// Why there is nothing to export.
#[derive(Debug, Error)]
pub enum ExportError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// What is done before the forest has no place in the file.
    #[error(
        "a model with steps before its forest has no ONNX form: export the pipeline that it was imported from"
    )]
    Steps,
    /// The other system has no such forests.
    #[error(transparent)]
    Onnx(#[from] onnx::WriteError),
}

/// Write the model.
///
/// # Errors
/// A file cannot be read or written, or the other system has no such forests.
pub fn run(args: &ExportArgs) -> Result<(), ExportError> {
    model_file::check_output(&args.output, &[&args.model])?;
    let model: Model = model_file::model(&args.model)?;
    if model.preprocessing().is_some() {
        return Err(ExportError::Steps);
    }
    let bytes = onnx::write(model.ensemble(), model.threshold(), model.column_names())?;
    Ok(model_file::write(&args.output, &bytes)?)
}
