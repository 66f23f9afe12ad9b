//! A manifest in; its detector's verdicts on a replay of its own readings, and the active faults, out.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crd::Valid;

use super::args::EvaluateArgs;
use super::error::EvaluateError;
use super::judged::{FileJudged, ReportContent, Rethresholded};
use crate::cli::commands::model_file;
use crate::cli::figures::instants::{Evaluated, Instant, Judged, Promised};
use crate::cli::manifest::{Document, shown};
use crate::cli::stdout::note;
use crate::ingest::progress::NoProgress;
use crate::ingest::reading::Readings;
use crate::ingest::sources::Sources;
use crate::ingest::sources::access::Access;
use crate::lifecycle::monitor::{self, MonitorError, ReplayObserver, Started};
use crate::model::judge::Explain;
use crate::model::judgement::{Judgement, severity};
use crate::model::model::Model;
use crate::model::names::list;
use crate::model::threshold;
use crate::outgoing::Outgoing;
use crate::report::model_card;
use crate::report::recording::Recording;
use crate::scoring::alarm::Alarm;
use crate::scoring::scorer::{Outcome, Scorer};
use crate::scoring::verdict::AlarmState;
use crate::wall_clock;

const DAY: Duration = Duration::from_hours(24);

/// Train a model, or take the given one, and judge the readings of the manifest's sources.
///
/// # Errors
/// The manifest is invalid, its sources are live or fail, or no row has a label.
pub(super) fn judged(
    args: &EvaluateArgs,
    manifest: &Path,
    model: Option<&Path>,
) -> Result<FileJudged, EvaluateError> {
    let document = Document::read(manifest, &args.set)?;
    document.notes.iter().for_each(note);
    let detector = document.detector()?;
    let model = model.map(model_file::model).transpose()?;
    let recording = args.report.as_ref().map(|_| Recording::of_detector(&detector, args.explain()));
    let name = shown(manifest);
    let Replayed { evaluated, recording, model } = replay(&name, &detector, model, args.duration, recording)?;
    let report = recording.map(|recording| ReportContent {
        recording,
        model: model_card::lines(&model, Some(detector.threshold_rule())),
        warnings: model.warnings(detector.threshold_rule()),
    });
    let rethreshold = Box::new(move |evaluated, score| by_threshold(&detector, evaluated, score));
    Ok(FileJudged { name, evaluated, rethreshold, report })
}

/// The result of a replay.
pub(in crate::cli::commands) struct Replayed {
    /// The judged instants.
    pub(in crate::cli::commands) evaluated: Evaluated,
    recording: Option<Recording>,
    /// The model that served at the end of the replay.
    model: Arc<Model>,
}

/// Replay the readings of a detector. `name`: the detector's name in messages. `model`: the model that
/// judges; without one, a model is trained first. `duration`: how much of the readings' own time is judged;
/// without one, a recording to its end, and 24 hours of simulated sensors. `recording`: records the verdicts
/// for a report.
///
/// # Errors
/// As [`judged`].
pub(in crate::cli::commands) fn replay(
    name: &str,
    detector: &Valid,
    model: Option<Model>,
    duration: Option<crd::Duration>,
    recording: Option<Recording>,
) -> Result<Replayed, EvaluateError> {
    let explain = recording.as_ref().map_or(Explain::Never, Recording::explain);
    let mut started = started(detector, model, explain)?;
    let span = duration.map(Duration::from).or_else(|| is_simulated(detector).then_some(DAY));
    let mut judging = Judging { recording, ..Judging::default() };
    let threshold = started.threshold();
    let sources = started.sources.clone();
    monitor::replay(detector, &sources, &mut started.started, span, &mut judging)?;
    if !judging.knows_the_truth {
        return Err(EvaluateError::NoTruth(name.to_owned()));
    }
    let promised = promised(detector, sources.interval().as_secs_f64());
    let Judging { instants, recording, .. } = judging;
    let evaluated = Evaluated { instants, is_series: true, has_times: true, promised, threshold };
    Ok(Replayed { evaluated, recording, model: started.started.scorer.model().clone() })
}

/// The sources, and a scorer at their start.
struct Prepared {
    sources: Arc<Sources>,
    started: Started,
}

impl Prepared {
    /// The threshold; `None` where it follows the scores.
    fn threshold(&self) -> Option<f64> {
        let scorer: &Scorer = &self.started.scorer;
        scorer.calibration().is_none().then(|| scorer.threshold())
    }
}

fn started(detector: &Valid, model: Option<Model>, explain: Explain) -> Result<Prepared, EvaluateError> {
    let access = Access { outgoing: Outgoing::new(&[], None)?, ..Access::default() };
    let sources = Arc::new(Sources::unreported(detector, &access).map_err(MonitorError::from)?);
    if let Some(live) = sources.first_live() {
        return Err(MonitorError::Live(live.to_owned()).into());
    }
    let now = detector.train().and_then(|train| train.data_end_time).unwrap_or_else(wall_clock::now);
    let started = match model {
        None => monitor::train(detector, &sources, now, explain, &NoProgress)?,
        Some(model) => {
            let sensors: Vec<String> = detector.sensors().map(|sensor| sensor.name.to_owned()).collect();
            if model.sensors() != sensors {
                let (manifest, model) = (list(&sensors), list(model.sensors()));
                return Err(EvaluateError::Columns { manifest, model });
            }
            monitor::resume(detector, &sources, Arc::new(model), None, now, explain)?
        }
    };
    Ok(Prepared { sources, started })
}

/// Whether a source is simulated, so that the readings have no end.
fn is_simulated(detector: &Valid) -> bool {
    detector.spec().sources.iter().any(|source| source.simulated.is_some())
}

fn promised(detector: &Valid, seconds_apart: f64) -> Option<Promised> {
    let promise = threshold::promise(detector.threshold_rule(), seconds_apart)?;
    Some(if promise.counts_readings() {
        Promised::Share(promise.share())
    } else {
        Promised::EventsPerDay(promise.share() * DAY.as_secs_f64() / seconds_apart)
    })
}

/// The instants that were judged so far.
#[derive(Default)]
struct Judging {
    instants: Vec<Instant>,
    knows_the_truth: bool,
    recording: Option<Recording>,
}

impl ReplayObserver for Judging {
    type Error = EvaluateError;

    fn judged(&mut self, readings: &Readings, outcome: &Outcome) -> Result<(), EvaluateError> {
        self.knows_the_truth |= readings.truth.is_some();
        if let Some(recording) = &mut self.recording {
            recording.outcome(readings, outcome);
        }
        let verdict = match outcome {
            Outcome::Verdict(verdict) => Some(Judged {
                score: verdict.judgement.score,
                anomalous: verdict.judgement.anomalous,
                alarmed: is_alarmed(verdict.alarm_state),
            }),
            _ => None,
        };
        let truth = readings.truth.clone().unwrap_or_default();
        self.instants.push(Instant { time: readings.time, verdict, truth });
        Ok(())
    }

    fn renewed(&mut self, _: &Model, _: Duration) {}
}

fn is_alarmed(state: AlarmState) -> bool {
    matches!(state, AlarmState::Alarm | AlarmState::Ongoing)
}

/// Judge the same scores by a fixed threshold, with the alarm rule of the detector.
fn by_threshold(detector: &Valid, mut evaluated: Evaluated, threshold: f64) -> Rethresholded {
    let mut alarm = Alarm::new(detector);
    let judged = |instant: &mut Instant| {
        let verdict = instant.verdict.as_mut()?;
        verdict.anomalous = verdict.score > threshold;
        let judgement = Judgement {
            score: verdict.score,
            severity: severity(verdict.score, threshold),
            anomalous: verdict.anomalous,
            contributions: Vec::new(),
            reasons: Vec::new(),
            model: "".into(),
        };
        let state = alarm.judge(instant.time, &judgement);
        verdict.alarmed = is_alarmed(state);
        Some(state)
    };
    let alarm_states = evaluated.instants.iter_mut().map(judged).collect();
    let evaluated = Evaluated { threshold: Some(threshold), promised: None, ..evaluated };
    Rethresholded { evaluated, alarm_states }
}
