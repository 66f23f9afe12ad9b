//! `detector tune`: a manifest with labels in; the settings of a small grid that find its faults best, and how sure that is, out.

use std::fmt::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use thiserror::Error;

use super::evaluate::error::EvaluateError;
use super::evaluate::replayed;
use super::model_file::{self, ModelFileError};
use crate::cli::figures::blocks::{Blocks, NAMES};
use crate::cli::figures::bootstrap::{DRAWS, Gain};
use crate::cli::figures::instants::Evaluated;
use crate::cli::manifest::{Document, FileError, shown};
use crate::cli::set;
use crate::cli::stdout::{self, StdoutError, note};

/// The grid that is tried beside the unchanged manifest: every set of features with every sample size.
const FEATURES: [&[&str]; 3] = [&["Value"], &["Value", "LogStdDev"], &["Value", "Difference", "LogStdDev"]];
const SAMPLE_SIZES: [u32; 2] = [256, 1024];

/// Try a small grid of settings on labelled readings, and print the best and its gain.
///
/// The grid: `model.train.features` [Value], [Value, LogStdDev] and [Value, Difference, LogStdDev], each with
/// `sampleSize` 256 and 1024, and the unchanged manifest. Each model is trained with the other settings of
/// the manifest and judges the same later readings. These are split by time: the best settings are chosen on
/// the earlier half, and their gain over the manifest is measured on the later half. The interval of the gain
/// is a bootstrap of blocks that both models judge. The manifest needs simulated faults, or a csv source with
/// a label.
#[derive(Debug, Args)]
pub struct TuneArgs {
    /// The manifest, or data with a column of labels, as `detector run` takes them
    #[arg(value_name = "FILE")]
    manifest: PathBuf,

    /// Override a field of the manifest: spec.interval=1m
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,

    /// The time span of readings to judge [default: a recording to its end, 24h of simulated sensors]
    #[arg(long, value_name = "DURATION")]
    duration: Option<crd::Duration>,

    /// The figure to maximise
    #[arg(long, value_enum, default_value_t)]
    objective: Objective,

    /// Write the manifest with the best settings to this file; - for the standard output, instead of the
    /// result
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The figure to maximise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Objective {
    /// The average precision, at all thresholds.
    #[default]
    AveragePrecision,
    /// The area under the ROC curve.
    Auc,
    /// F1 at the threshold.
    F1,
}

/// Why no settings can be chosen.
#[derive(Debug, Error)]
pub enum TuneError {
    /// The manifest is invalid.
    #[error(transparent)]
    Manifest(#[from] FileError),
    /// A replay failed, or no row has a label.
    #[error(transparent)]
    Replay(#[from] Box<EvaluateError>),
    /// The result cannot be written.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// The result cannot be printed.
    #[error(transparent)]
    Stdout(#[from] StdoutError),
    /// One half of the time lacks labels: the file and the reason.
    #[error("{0}: both halves of the time need labels: {1}")]
    Labels(String, String),
    /// The manifest loads its model instead of training one.
    #[error("{0}: expected a manifest that trains a model, got model.load")]
    NoTraining(String),
}

/// Settings, and the instants that were judged by them, in two halves.
struct Candidate {
    changes: Vec<(&'static str, String)>,
    manifest: Value,
    earlier: Evaluated,
    later: Evaluated,
}

/// Try all settings of the grid, and print the best ones.
///
/// # Errors
/// The manifest is invalid, or no row has a label.
pub fn run(args: &TuneArgs) -> Result<(), TuneError> {
    let name = shown(&args.manifest);
    let document = Document::read(&args.manifest, &args.set)?;
    document.notes.iter().for_each(note);
    let base = document.value.clone();
    if document.detector()?.train().is_none() {
        return Err(TuneError::NoTraining(name));
    }
    let mut all = Vec::new();
    for changes in grid(&base) {
        note(format_args!("trying {}", called(&changes)));
        all.push(tried(args, &name, &base, changes)?);
    }
    same_instants(&mut all);
    let candidates: Vec<Candidate> = all.into_iter().map(TriedSettings::split).collect();
    for half in [&candidates[0].earlier, &candidates[0].later] {
        half.check().map_err(|why| TuneError::Labels(name.clone(), why))?;
    }
    let best = best(&candidates, args.objective);
    if let Some(path) = &args.output {
        model_file::write(path, crd::manifest::yaml(&candidates[best].manifest).as_bytes())?;
        if path.as_os_str() == "-" {
            return Ok(());
        }
    }
    Ok(stdout::print(result(&base, &candidates, best, args.objective))?)
}

/// Settings, and the instants that were judged by them.
struct TriedSettings {
    changes: Vec<(&'static str, String)>,
    manifest: Value,
    evaluated: Evaluated,
}

impl TriedSettings {
    fn split(self) -> Candidate {
        let (earlier, later) = self.evaluated.halves();
        Candidate { changes: self.changes, manifest: self.manifest, earlier, later }
    }
}

/// The candidates, as changes to the manifest: first no change, then each combination that is a change.
fn grid(base: &Value) -> Vec<Vec<(&'static str, String)>> {
    let train = &base["spec"]["model"]["train"];
    let own = |field: &str, default: Value| train.get(field).cloned().unwrap_or(default);
    let (features, size) = (own("features", json!(["Value"])), own("sampleSize", json!(256)));
    let mut grid = vec![Vec::new()];
    for tried in FEATURES {
        for sample_size in SAMPLE_SIZES {
            let mut changes = Vec::new();
            if features != json!(tried) {
                changes.push(("spec.model.train.features", format!("{{{}}}", tried.join(","))));
            }
            if size != json!(sample_size) {
                changes.push(("spec.model.train.sampleSize", sample_size.to_string()));
            }
            if !changes.is_empty() {
                grid.push(changes);
            }
        }
    }
    grid
}

fn tried(
    args: &TuneArgs,
    name: &str,
    base: &Value,
    changes: Vec<(&'static str, String)>,
) -> Result<TriedSettings, TuneError> {
    let mut manifest = base.clone();
    for (path, value) in &changes {
        let assignment = format!("{path}={value}");
        set::set(&mut manifest, &assignment).map_err(|why| FileError::Set(assignment.clone(), why))?;
    }
    let detector = Document::made(&args.manifest, manifest.clone()).detector()?;
    let evaluated = replayed::replay(name, &detector, None, args.duration, None).map_err(Box::new)?.evaluated;
    Ok(TriedSettings { changes, manifest, evaluated })
}

/// Keep only the instants that all candidates have judged: the further features look back, the later the
/// verdicts of a recording begin.
fn same_instants(all: &mut [TriedSettings]) {
    let first =
        all.iter().filter_map(|tried| tried.evaluated.instants.first()).map(|instant| instant.time).max();
    for tried in all {
        tried.evaluated.instants.retain(|instant| Some(instant.time) >= first);
    }
}

/// The index of the candidate that is best on the earlier half. Among equals it is the first; the unchanged
/// manifest comes before all others.
fn best(candidates: &[Candidate], objective: Objective) -> usize {
    let figures: Vec<f64> =
        candidates.iter().map(|each| objective.of(&each.earlier).unwrap_or(0.0)).collect();
    (0..figures.len()).rev().max_by(|a, b| figures[*a].total_cmp(&figures[*b])).unwrap_or(0)
}

impl Objective {
    fn index(self) -> usize {
        let name = match self {
            Self::AveragePrecision => "averagePrecision",
            Self::Auc => "auc",
            Self::F1 => "f1",
        };
        NAMES.iter().position(|each| each.0 == name).expect("a figure")
    }

    fn of(self, evaluated: &Evaluated) -> Option<f64> {
        Blocks::new(evaluated, evaluated.instants.len()).figures(&[1.0])[self.index()]
    }
}

fn called(changes: &[(&'static str, String)]) -> String {
    if changes.is_empty() {
        return "the manifest as it is".to_owned();
    }
    let change = |(path, value): &(&str, String)| {
        format!("{} {}", path.rsplit('.').next().unwrap_or(path), shown_value(value))
    };
    changes.iter().map(change).collect::<Vec<_>>().join(", ")
}

/// A value in the notation of YAML: lists have brackets, where `--set` has braces.
fn shown_value(value: &str) -> String {
    value.replace('{', "[").replace('}', "]").replace(',', ", ")
}

fn result(base: &Value, candidates: &[Candidate], best: usize, objective: Objective) -> String {
    let figure =
        |evaluated| objective.of(evaluated).map_or("n/a".to_owned(), |figure| format!("{figure:.3}"));
    let mut text = format!("{:<56} {:>8} {:>8}\n", NAMES[objective.index()].1, "earlier", "later");
    for (at, each) in candidates.iter().enumerate() {
        let mark = if at == best { "*" } else { " " };
        let (earlier, later) = (figure(&each.earlier), figure(&each.later));
        let _ = writeln!(text, "{mark} {:<54} {earlier:>8} {later:>8}", called(&each.changes));
    }
    let chosen = &candidates[best];
    if chosen.changes.is_empty() {
        return text + "\nthe manifest as it is is the best of the grid";
    }
    text.push('\n');
    for (path, value) in &chosen.changes {
        let field = path.rsplit('.').next().unwrap_or(path);
        let own = base["spec"]["model"]["train"].get(field);
        let own = own.map(|own| format!(": {}", own.to_string().replace('"', "").replace(',', ", ")));
        let _ = writeln!(text, "- {path}{}", own.as_deref().unwrap_or(" is not set"));
        let _ = writeln!(text, "+ {path}: {}", shown_value(value));
    }
    text + "\n" + &gain(&candidates[0], chosen, objective)
}

fn gain(own: &Candidate, chosen: &Candidate, objective: Objective) -> String {
    let Some(Gain { estimate, better }) = Gain::new(objective.index(), &own.later, &chosen.later) else {
        return "gain on the later half: unknown, since it has no such figure".to_owned();
    };
    let interval = estimate
        .interval
        .map_or(String::new(), |[low, high]| format!(" (95 % interval {low:+.3} to {high:+.3})"));
    let verdict = match estimate.interval {
        Some([low, _]) if low > 0.0 => "it is sure",
        Some([_, high]) if high < 0.0 => "it is worse: leave the manifest as it is",
        _ => "it may be chance",
    };
    format!(
        "gain on the later half: {:+.3}{interval}, better in {:.1} % of {DRAWS} draws: {verdict}",
        estimate.value,
        better * 100.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::figures::spans::tests::series;

    fn candidate(changes: Vec<(&'static str, String)>, verdicts: &str) -> Candidate {
        let judged = series(&verdicts.repeat(120), &"..FF........".repeat(120));
        let (earlier, later) = judged.halves();
        Candidate { changes, manifest: Value::Null, earlier, later }
    }

    #[test]
    fn the_best_of_the_earlier_half_is_measured_on_the_later() {
        let base = json!({ "spec": { "model": { "train": { "features": ["Value"] } } } });
        let changes = grid(&base)[2].clone();
        let candidates = [candidate(Vec::new(), "..x.....x..."), candidate(changes, "..xx........")];
        assert_eq!(best(&candidates, Objective::F1), 1);
        insta::assert_snapshot!("gain", result(&base, &candidates, 1, Objective::F1));
        insta::assert_snapshot!("no_gain", result(&base, &candidates[..1], 0, Objective::F1));
    }

    #[test]
    fn the_grid_has_the_manifest_first_and_what_is_another() {
        let base = json!({ "spec": { "model": { "train": { "features": ["Value", "LogStdDev"], "sampleSize": 1024 } } } });
        let called: Vec<String> = grid(&base).iter().map(|changes| called(changes)).collect();
        assert_eq!(called[0], "the manifest as it is");
        assert_eq!(called.len(), 6, "{called:?}");
        assert!(called.contains(&"features [Value], sampleSize 256".to_owned()), "{called:?}");
    }
}
