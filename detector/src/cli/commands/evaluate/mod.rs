//! `detector evaluate`: a model or a manifest, and labels, in; figures with their intervals out.

/// The arguments.
pub mod args;
/// Why there are no figures.
pub mod error;
/// The judged instants of a file.
mod judged;
/// The evaluation of a model on the rows of a table.
mod rows;
/// The evaluation of a manifest on a replay of its own readings.
pub(super) mod replayed;
/// The result as a table or JSON.
mod outcome;

use std::path::{Path, PathBuf};

use self::args::EvaluateArgs;
use self::error::EvaluateError;
use self::judged::FileJudged;
use self::outcome::{Chosen, Printed};
use super::model_file;
use crate::cli::figures::bootstrap::Estimates;
use crate::cli::figures::choice::Goal;
use crate::cli::format::Format;
use crate::cli::stdout;

/// Evaluate a model or a manifest, and print the result.
///
/// # Errors
/// A file cannot be read, there are no labels, or no threshold meets the goal.
pub fn run(args: &EvaluateArgs) -> Result<(), EvaluateError> {
    if let Some(report) = &args.report {
        let inputs = [&args.manifest, &args.model, &args.input, &args.labels];
        let inputs: Vec<&Path> = inputs.into_iter().flatten().map(PathBuf::as_path).collect();
        model_file::check_output(report, &inputs)?;
    }
    let judged = match (&args.manifest, &args.model, &args.input) {
        (Some(manifest), model, _) => replayed::judged(args, manifest, model.as_deref())?,
        (None, Some(model), Some(input)) => rows::judged(args, model, input)?,
        _ => unreachable!("clap requires a manifest, or for a model and an input"),
    };
    judged.evaluated.check().map_err(|why| EvaluateError::Unusable(judged.name.clone(), why))?;
    let (judged, chosen) = match args.choose {
        None => (judged, None),
        Some(goal) => {
            let (judged, chosen) = choose(judged, goal)?;
            (judged, Some(chosen))
        }
    };
    let FileJudged { name, evaluated, report, .. } = judged;
    let estimates = Estimates::new(&evaluated);
    let printed = Printed { name: &name, evaluated: &evaluated, chosen, estimates: &estimates };
    if let (Some(path), Some(shown)) = (&args.report, report) {
        let html = shown.html(&name, evaluated.threshold, printed.figures());
        model_file::write(path, html.as_bytes())?;
    }
    match args.output {
        Format::Table => stdout::print(printed)?,
        Format::Json => stdout::print(printed.json())?,
    }
    Ok(())
}

/// Choose the threshold that meets the goal on the earlier half, and judge the later half by it.
fn choose(judged: FileJudged, goal: Goal) -> Result<(FileJudged, Chosen), EvaluateError> {
    let FileJudged { name, evaluated, rethreshold, report } = judged;
    let unusable = |why| EvaluateError::Unusable(name.clone(), why);
    let of_half = |why: String| unusable(format!("--choose needs labels in both halves: {why}"));
    let (first, other) = evaluated.halves();
    first.check().map_err(of_half)?;
    other.check().map_err(of_half)?;
    let threshold = goal.threshold(&first).map_err(unusable)?;
    let other = rethreshold(other, threshold);
    let report = report.map(|shown| shown.rejudged(&other, threshold));
    let chosen = Chosen { goal: goal.to_string(), rows: first.instants.len() };
    Ok((FileJudged { name, evaluated: other.evaluated, rethreshold, report }, chosen))
}
