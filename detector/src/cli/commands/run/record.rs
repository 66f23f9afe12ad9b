//! Outcomes in; the evaluation, the lines on the terminal and the `--output` file out.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crd::Valid;

use super::{RunArgs, RunError};
use crate::alerting::event::{Change, Events};
use crate::cli::evaluation::Evaluation;
use crate::cli::output::Output;
use crate::ingest::reading::Readings;
use crate::lifecycle::monitor::{ReplayObserver, Started};
use crate::model::model::Model;
use crate::scoring::scorer::Outcome;
use crate::serving::log::{Event, Log};

/// What is kept of a run: the evaluation, the file, the lines on the terminal.
pub(super) struct Record {
    pub(super) log: Log,
    evaluation: Evaluation,
    events: Events,
    output: Option<(PathBuf, Output)>,
    watching_since: Instant,
}

impl Record {
    pub(super) fn new(args: &RunArgs, detector: &Valid, log: Log) -> Result<Self, RunError> {
        let create = |path: &PathBuf| match Output::create(path, detector) {
            Ok(output) => Ok((path.clone(), output)),
            Err(source) => Err(RunError::Output { path: path.clone(), source }),
        };
        let output = args.output.as_ref().map(create).transpose()?;
        Ok(Self {
            log,
            evaluation: Evaluation::default(),
            events: Events::new(detector),
            output,
            watching_since: Instant::now(),
        })
    }

    pub(super) fn started(&mut self, started: &Started) {
        match started.took {
            Some(took) => self.log.tell(&Event::Trained(started.scorer.model(), took)),
            None => self.log.tell(&Event::Serves(started.scorer.model())),
        }
        if !started.note.is_empty() {
            self.log.tell(&Event::Note(&started.note));
        }
        self.watching_since = Instant::now();
    }

    pub(super) fn note(&self, note: &str) {
        self.log.tell(&Event::Note(note));
    }

    pub(super) fn outcome(&mut self, readings: &Readings, outcome: &Outcome) -> Result<(), RunError> {
        self.evaluation.count(readings.time, readings.truth.as_deref(), outcome);
        let Outcome::Verdict(verdict) = outcome else { return Ok(()) };
        if verdict.judgement.anomalous {
            self.log.tell(&Event::Anomaly(verdict));
        }
        if let Some(change) = self.events.follow(verdict) {
            self.evaluation.event(&change);
            if let Change::Ended(event) = &change {
                self.log.tell(&Event::Ended(event));
            }
        }
        match &mut self.output {
            Some((path, output)) => {
                output.write(verdict).map_err(|source| RunError::Output { path: path.clone(), source })
            }
            None => Ok(()),
        }
    }

    pub(super) fn finish(self) -> Result<(), RunError> {
        let took = self.watching_since.elapsed();
        if let Some((path, output)) = self.output {
            output.finish().map_err(|source| RunError::Output { path, source })?;
        }
        self.log.tell(&Event::Summary(&self.evaluation, took));
        Ok(())
    }
}

impl ReplayObserver for Record {
    type Error = RunError;

    fn judged(&mut self, readings: &Readings, outcome: &Outcome) -> Result<(), RunError> {
        self.outcome(readings, outcome)
    }

    fn renewed(&mut self, model: &Model, took: Duration) {
        self.log.tell(&Event::Trained(model, took));
    }
}
