//! `detector train`: a table, a manifest or another system's forest in, a model out.

/// The arguments.
pub mod args;
/// Why there is no model.
pub mod error;
/// The progress bar.
mod bar;
/// The result of a training.
mod trained;
/// Training on the rows of a table.
mod rows;
/// Training on the history of a manifest's sources.
mod manifest;
/// Import of another system's model file.
mod imported;

use std::path::{Path, PathBuf};

use self::args::TrainArgs;
use self::error::TrainError;
use self::trained::Trained;
use super::model_file;
use crate::cli::stdout::note;
use crate::model::model::Model;

/// Train or import a model, write it, and print a summary of it on the standard error.
///
/// # Errors
/// The input is refused, or a file cannot be written.
pub fn run(args: &TrainArgs) -> Result<(), TrainError> {
    let inputs = args.input.iter().chain(&args.from_sklearn).chain(&args.manifest);
    let inputs: Vec<&Path> = inputs.map(PathBuf::as_path).collect();
    model_file::check_output(&args.output, &inputs)?;
    let Trained { model, warnings, labelled } = match (&args.from_sklearn, &args.manifest) {
        (Some(file), _) => imported::imported(args, file)?,
        (_, Some(manifest)) => manifest::trained(args, manifest)?,
        (None, None) => rows::trained(args)?,
    };
    model_file::write(&args.output, model.bytes())?;
    for warning in warnings {
        note(format_args!("warning: {warning}"));
    }
    note(summary(&model));
    if let Some(labelled) = labelled {
        note(labelled.figures(model)?);
    }
    Ok(())
}

/// One line about the model, for people.
fn summary(model: &Model) -> String {
    format!(
        "{}: {} trees over {} ({} samples), threshold {:.4}, {}",
        model.origin(),
        model.trees(),
        model.sensors().join(", "),
        model.samples(),
        model.threshold(),
        model.digest()
    )
}
