//! `detector export`: a model in, a file for other systems out.

use std::path::PathBuf;

use clap::Args;
use interchange::{onnx, skops};
use thiserror::Error;

use super::model_file::{self, ModelFileError};
use crate::model::model::Model;

/// Convert a model to ONNX or to a scikit-learn file.
///
/// The ONNX model has one input, `input`: rows of 32-bit floats, and two outputs: `score` and `anomaly`. Its
/// columns are those of the forest's vectors: where the model has other features than values, or lags, one of
/// them is for example `temperature.log_std_dev.lag1`. Neither format can store the ranges of the training
/// data: in ONNX and scikit-learn, rows beyond the ranges score as rows at their edge; here, they score
/// higher.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Write ONNX, for ONNX Runtime and other programs that read ai.onnx.ml 5
    #[arg(long, required_unless_present = "sklearn", conflicts_with = "sklearn")]
    onnx: bool,

    /// Write a fitted IsolationForest as a skops file, which scikit-learn 1.3 and later opens
    #[arg(long)]
    sklearn: bool,

    /// The model, as `train` writes it
    #[arg(long, value_name = "FILE")]
    model: PathBuf,

    /// Where to write the file; - for the standard output
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

/// Why a model cannot be exported.
#[derive(Debug, Error)]
pub enum ExportError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// The model has steps before its forest, which the file format cannot hold.
    #[error(
        "a model with steps before its forest cannot be exported: export the pipeline that it was imported from"
    )]
    Steps,
    /// ONNX cannot represent the forest.
    #[error(transparent)]
    Onnx(#[from] onnx::WriteError),
    /// scikit-learn cannot represent the forest.
    #[error(transparent)]
    Skops(#[from] skops::WriteError),
}

/// Write the model.
///
/// # Errors
/// A file cannot be read or written, or the other system cannot represent the model.
pub fn run(args: &ExportArgs) -> Result<(), ExportError> {
    model_file::check_output(&args.output, &[&args.model])?;
    let model: Model = model_file::model(&args.model)?;
    if model.preprocessing().is_some() {
        return Err(ExportError::Steps);
    }
    let (ensemble, threshold, columns) = (model.ensemble(), model.threshold(), model.column_names());
    let bytes = if args.sklearn {
        skops::write(ensemble, threshold, columns)?
    } else {
        onnx::write(ensemble, threshold, columns)?
    };
    Ok(model_file::write(&args.output, &bytes)?)
}
