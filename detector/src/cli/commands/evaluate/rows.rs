//! A model and a table with labels in, the verdict on each row out.

use std::path::Path;

use super::args::EvaluateArgs;
use super::error::EvaluateError;
use super::judged::{FileJudged, ReportContent, Rethresholded};
use crate::cli::commands::model_file;
use crate::cli::figures::instants::{Evaluated, Instant, Judged, Promised};
use crate::cli::manifest::shown;
use crate::ingest::sources::delimited::CsvError;
use crate::ingest::table::{Selection, Table};
use crate::model::model::Model;
use crate::report::model_card;
use crate::report::recording::Recording;
use crate::scoring::table_scorer::{TableScorer, TableScorerError, block};
use crate::scoring::verdict::AlarmState;

/// Score every row, and read its label.
///
/// # Errors
/// A file cannot be read, a label is invalid, or the number of labels is not the number of rows.
pub(super) fn judged(args: &EvaluateArgs, model: &Path, input: &Path) -> Result<FileJudged, EvaluateError> {
    let mut scorer = TableScorer::new(model_file::model(model)?)?;
    let mut table = table(args, &scorer, input).map_err(TableScorerError::from)?;
    let (mut by_row, mut cells, mut judgements) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(block) = block(&mut table)? {
        if args.report.is_none() {
            by_row.extend(scorer.scores(block)?);
            continue;
        }
        let judged = scorer.judgements(&block, args.explain())?;
        by_row.extend(judged.iter().map(|judgement| judgement.as_ref().map(|judgement| judgement.score)));
        judgements.extend(judged);
        cells.extend(block);
    }
    let times = table.times().map_err(TableScorerError::from)?;
    let labels = match &args.labels {
        None => table.labels(),
        Some(file) => labels(args, file, input, by_row.len())?,
    };
    let report = args.report.as_ref().map(|_| ReportContent {
        recording: Recording::of_table(
            scorer.model().sensors(),
            &cells,
            &judgements,
            times.as_deref(),
            &labels,
            args.explain(),
        ),
        model: model_card::lines(scorer.model(), None),
        warnings: scorer.model().metadata().training.warnings.clone(),
    });
    let promised = promised(scorer.model());
    let threshold = scorer.model().threshold();
    let evaluated =
        Evaluated { promised, ..Evaluated::of_rows(&by_row, &labels, times.as_deref(), threshold) };
    Ok(FileJudged { name: shown(input), evaluated, rethreshold: Box::new(by_threshold), report })
}

fn table(args: &EvaluateArgs, scorer: &TableScorer, input: &Path) -> Result<Table, CsvError> {
    let table = Table::open(input, &Selection::Named(scorer.model().sensors()))?;
    // A model that looks back would use a missing cell in every window around it: there, it is an error.
    let table = if scorer.model().recipe().memory() == 1 { table.with_missing() } else { table };
    let table = match &args.time {
        Some(column) => table.with_times_of(column)?,
        None => table.with_times(),
    };
    if args.labels.is_some() { Ok(table) } else { table.with_label(&args.label) }
}

/// Read the labels from a separate file.
fn labels(args: &EvaluateArgs, file: &Path, input: &Path, rows: usize) -> Result<Vec<bool>, EvaluateError> {
    let read = || {
        let mut table = Table::open(file, &Selection::Named(&[]))?.with_label(&args.label)?;
        table.block(usize::MAX).map(|_| table.labels())
    };
    let labels = read().map_err(TableScorerError::from)?;
    if labels.len() == rows {
        return Ok(labels);
    }
    Err(EvaluateError::Length { labels: shown(file), input: shown(input), rows, got: labels.len() })
}

/// The alert rate that the model's threshold promises for rows like those that it was trained on.
fn promised(model: &Model) -> Option<Promised> {
    let apart = model.training_scores()?.seconds_apart?;
    Some(Promised::Share(model.expected_alerts_per_day()? * apart / 86_400.0))
}

fn by_threshold(mut evaluated: Evaluated, threshold: f64) -> Rethresholded {
    let judged = |instant: &mut Instant| {
        let verdict = instant.verdict.as_mut()?;
        *verdict = Judged::of_row(verdict.score, threshold);
        Some(if verdict.anomalous { AlarmState::Alarm } else { AlarmState::Normal })
    };
    let alarm_states = evaluated.instants.iter_mut().map(judged).collect();
    let evaluated = Evaluated { threshold: Some(threshold), promised: None, ..evaluated };
    Rethresholded { evaluated, alarm_states }
}
