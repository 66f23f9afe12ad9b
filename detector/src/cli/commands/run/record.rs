//! Outcomes in; the evaluation, the lines on the terminal and the `--output` file out.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crd::Valid;
use crd::contract::EventReport;

use super::args::RunArgs;
use super::error::RunError;
use super::live::Live;
use super::report_file::ReportFile;
use crate::alerting::event::{Change, Events};
use crate::cli::evaluation::Evaluation;
use crate::cli::lines::{Line, Lines};
use crate::cli::live_line;
use crate::cli::output::Output;
use crate::cli::stdout::StdoutError;
use crate::files::same_file;
use crate::ingest::reading::Readings;
use crate::lifecycle::monitor::{ReplayObserver, Started};
use crate::model::model::Model;
use crate::scoring::scorer::Outcome;
use crate::scoring::verdict::Verdict;

/// The record of a run: the evaluation, the printed lines, the output file and the report.
pub(super) struct Record {
    lines: Lines,
    live: Live,
    /// The error of a line that could not be printed. It ends the run at the next verdict.
    unprinted: Option<StdoutError>,
    evaluation: Evaluation,
    /// The verdict with the highest severity in the ongoing event.
    peak: Option<Verdict>,
    output: Option<(PathBuf, Output)>,
    report: Option<ReportFile>,
    watching_since: Instant,
}

impl Record {
    pub(super) fn new(args: &RunArgs, detector: &Valid, lines: Lines) -> Result<Self, RunError> {
        let create = |path: &PathBuf| match Output::create(path, detector) {
            Ok(output) => Ok((path.clone(), output)),
            Err(source) => Err(RunError::Output { path: path.clone(), source }),
        };
        for output in args.output.iter().chain(&args.report) {
            same_file::check(output, inputs(args, detector).iter().map(PathBuf::as_path))?;
        }
        let output = args.output.as_ref().map(create).transpose()?;
        Ok(Self {
            lines,
            live: Live::new(detector.name()),
            unprinted: None,
            evaluation: Evaluation::default(),
            peak: None,
            output,
            report: args.report.as_ref().map(|path| ReportFile::new(path, detector)),
            watching_since: Instant::now(),
        })
    }

    /// Print a line.
    pub(super) fn print(&mut self, line: &Line<'_>) {
        if let Err(error) = live_line::above(|| self.lines.print(line)) {
            self.unprinted.get_or_insert(error);
        }
    }

    fn check_printed(&mut self) -> Result<(), RunError> {
        self.unprinted.take().map_or(Ok(()), |error| Err(error.into()))
    }

    pub(super) fn started(&mut self, started: &Started) {
        match started.took {
            Some(took) => self.print(&Line::Trained(started.scorer.model(), took)),
            None => self.print(&Line::Serves(started.scorer.model())),
        }
        if !started.note.is_empty() {
            tracing::warn!("{}", started.note);
        }
        self.serves(started.scorer.model());
        self.watching_since = Instant::now();
    }

    /// Record that this model serves from now on.
    pub(super) fn serves(&mut self, model: &Arc<Model>) {
        if let Some(report) = &mut self.report {
            report.model = Some(model.clone());
        }
    }

    /// Record the outcome of an instant, and the change in the events that it caused.
    pub(super) fn outcome(
        &mut self,
        readings: &Readings,
        outcome: &Outcome,
        change: Option<&Change>,
    ) -> Result<(), RunError> {
        self.evaluation.count(readings.time, readings.truth.as_deref(), outcome);
        if let Some(report) = &mut self.report {
            report.push(readings, outcome);
        }
        self.live.outcome(readings, outcome, change);
        let Outcome::Verdict(verdict) = outcome else { return Ok(()) };
        let higher = |peak: &Verdict| verdict.judgement.severity > peak.judgement.severity;
        if verdict.judgement.anomalous && self.peak.as_ref().is_none_or(higher) {
            self.peak = Some(verdict.clone());
        }
        if let Some(change) = change {
            self.evaluation.event(change);
        }
        match change {
            Some(Change::Alarmed(event)) => self.print(&Line::Alarm(event, verdict)),
            Some(Change::Ended(event)) => self.event(event),
            None => {}
        }
        self.check_printed()?;
        match &mut self.output {
            Some((path, output)) => {
                output.write(verdict).map_err(|source| RunError::Output { path: path.clone(), source })
            }
            None => Ok(()),
        }
    }

    /// Print the line of an event.
    fn event(&mut self, event: &EventReport) {
        let peak = self.peak.take();
        self.print(&Line::Event(event, peak.as_ref()));
    }

    /// End the run: print the line of the ongoing event, if any, complete the files, and print the summary.
    pub(super) fn finish(mut self, ongoing: Option<&EventReport>) -> Result<(), RunError> {
        if let Some(ongoing) = ongoing {
            self.event(ongoing);
        }
        let took = self.watching_since.elapsed();
        if let Some((path, output)) = self.output.take() {
            output.finish().map_err(|source| RunError::Output { path, source })?;
        }
        if let Some(report) = self.report.take() {
            report.write()?;
        }
        self.check_printed()?;
        Ok(self.lines.print(&Line::Summary(&self.evaluation, took))?)
    }
}

/// The files that a run reads, which no output may overwrite.
fn inputs(args: &RunArgs, detector: &Valid) -> Vec<PathBuf> {
    let recordings = detector.spec().sources.iter().filter_map(|source| source.csv.as_ref());
    let recordings = recordings.map(|csv| PathBuf::from(&csv.path));
    let models = args.stored_model.iter().cloned();
    let kept =
        args.state.iter().flat_map(|folder| ["model", "snapshot", "readings"].map(|file| folder.join(file)));
    [args.manifest.clone()].into_iter().chain(recordings).chain(models).chain(kept).collect()
}

/// Records a replay, and follows its events. In a run with servers, the shared state follows the events.
pub(super) struct Replay<'a> {
    pub(super) record: &'a mut Record,
    pub(super) events: Events,
    /// Set when the run is to end.
    pub(super) stopped: Arc<AtomicBool>,
}

impl ReplayObserver for Replay<'_> {
    type Error = RunError;

    fn judged(&mut self, readings: &Readings, outcome: &Outcome) -> Result<(), RunError> {
        let change = match outcome {
            Outcome::Verdict(verdict) => self.events.follow(verdict),
            _ => None,
        };
        self.record.outcome(readings, outcome, change.as_ref())
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn renewed(&mut self, model: &Model, took: Duration) {
        self.record.print(&Line::Trained(model, took));
    }
}
