//! A table in; a model of its rows, and their labels where it has any, out.

use std::sync::Arc;

use crd::model::Feature;
use crd::training::ForestMode;
use crd::valid::ThresholdRule;
use forest::{EnsembleParams, Params};
use jiff::Timestamp;

use super::args::TrainArgs;
use super::bar::Bar;
use super::error::TrainError;
use super::trained::{Trained, checked};
use crate::cli::commands::column_warnings;
use crate::cli::commands::labelled_rows::LabelledRows;
use crate::features::pipeline::Recipe;
use crate::ingest::progress::Progress;
use crate::ingest::table::{Selection, Table};
use crate::model::model::Model;
use crate::model::training::{self, Fit};
use crate::model::vectors::{Missing, VectorBuilder, Vectors};

/// Train a forest on the rows of the input, by the same module `training` that trains that of a detector.
///
/// # Errors
/// The table or the options are refused.
pub(super) fn trained(args: &TrainArgs) -> Result<Trained, TrainError> {
    let params = params(args)?;
    let by = threshold_by(args)?;
    let Rows { sensors, vectors, labelled } = rows(args)?;
    let trained = Fit::whole(vectors, sensors, params, by);
    let bar = Bar::new();
    let mut artifact = trained.artifact(&|done| bar.grown(done, params.total_trees() as usize))?;
    artifact.metadata.training.trained_at = args.data_end_time.to_string();
    let model = Model::new(artifact)?;
    Ok(Trained { warnings: model.warnings(by), model: Arc::new(model), labelled })
}

/// The vectors of the rows, and the names of the columns that they are made of.
struct Rows {
    sensors: Vec<String>,
    vectors: Vectors,
    labelled: Option<LabelledRows>,
}

fn rows(args: &TrainArgs) -> Result<Rows, TrainError> {
    let input = args.input.as_deref().expect("clap requires an input unless there is something to import");
    let recipe = Recipe { features: args.features.clone(), window: args.window, lags: args.lags };
    let missing =
        if recipe.features == [Feature::Value] && recipe.lags == 0 { Missing::Keep } else { Missing::Skip };
    if let Some(label) =
        args.label.iter().find(|label| args.columns.iter().flatten().any(|name| name == *label))
    {
        return Err(TrainError::LearnedLabel(label.clone()));
    }
    let excluded = excluded(args);
    let mut table = Table::open(input, &selection(args, &excluded))?.with_missing().with_times();
    if let Some(label) = &args.label {
        table = table.with_label(label)?;
    }
    let cells = table.rest()?;
    let sensors = table.columns().to_vec();
    let suspicious = if args.columns.is_some() { Vec::new() } else { column_warnings::of(&sensors, &cells) };
    let count = cells.len() / sensors.len();
    if count < 2 {
        return Err(TrainError::TooFew { input: input.to_owned(), rows: count });
    }
    let times = times(args, &mut table)?;
    let mut vectors = VectorBuilder::new(recipe, sensors.len(), missing);
    for (row, values) in cells.chunks_exact(sensors.len()).enumerate() {
        vectors.push(times.as_ref().map(|times| times[row]), values);
    }
    let mut vectors = vectors.finish()?;
    vectors.warnings.extend(suspicious);
    let label = args.label.clone();
    let labelled = label.map(|column| LabelledRows { column, labels: table.labels(), times, cells });
    Ok(Rows { sensors, vectors, labelled })
}

/// The times of the rows; `None` without them. Invalid times are an error only if an option needs times.
fn times(args: &TrainArgs, table: &mut Table) -> Result<Option<Vec<Timestamp>>, TrainError> {
    let by = args.alerts_per_day.map(|_| "--alerts-per-day");
    let needed = by.or_else(|| args.features.contains(&Feature::DailyResidual).then_some("DailyResidual"));
    match (table.times(), needed) {
        (Ok(None), Some(by)) => Err(TrainError::NoTimes(by)),
        (Err(error), Some(_)) => Err(error.into()),
        (times, _) => Ok(times.ok().flatten()),
    }
}

fn params(args: &TrainArgs) -> Result<EnsembleParams, TrainError> {
    if args.mode == ForestMode::Auto && (args.sample_size.is_some() || args.extension.is_some()) {
        return Err(TrainError::Chosen);
    }
    let (sample_size, extension) = (args.sample_size.unwrap_or(256), args.extension.unwrap_or(0));
    let params = Params::new(args.trees, sample_size, extension, args.seed)?;
    Ok(training::in_mode(params, args.mode))
}

fn threshold_by(args: &TrainArgs) -> Result<ThresholdRule, TrainError> {
    match (args.score, args.alerts_per_day) {
        (Some(score), _) => Ok(ThresholdRule::Score(checked(score)?)),
        (None, Some(alerts)) if alerts > 0.0 && alerts.is_finite() => {
            Ok(ThresholdRule::alerts_per_day(alerts))
        }
        (None, Some(alerts)) => Err(TrainError::AlertsPerDay(alerts)),
        (None, None) => Ok(ThresholdRule::Contamination(args.contamination.unwrap_or(0.01))),
    }
}

/// The columns that the model does not learn from: those of `--exclude` and `--label`.
fn excluded(args: &TrainArgs) -> Vec<String> {
    args.exclude.iter().flatten().chain(&args.label).cloned().collect()
}

fn selection<'a>(args: &'a TrainArgs, excluded: &'a [String]) -> Selection<'a> {
    match (&args.columns, &args.exclude) {
        (Some(names), _) => Selection::Named(names),
        (_, Some(_)) => Selection::AllBut(excluded),
        (None, None) => Selection::MeasurementsBut(excluded),
    }
}
