//! Outcomes in; the tally, the lines on the terminal and the `--output` file out.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crd::Valid;

use super::{RunArgs, RunError};
use crate::alerting::event::{Change, Events};
use crate::cli::output::Output;
use crate::cli::tally::Tally;
use crate::ingest::reading::Readings;
use crate::lifecycle::monitor::{Audience, Begun};
use crate::model::model::Model;
use crate::scoring::watch::Outcome;
use crate::serving::log::{Event, Log};

/// What is kept of a run: the tally, the file, the lines on the terminal.
pub(super) struct Record {
    pub(super) log: Log,
    tally: Tally,
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
            tally: Tally::default(),
            events: Events::new(detector),
            output,
            watching_since: Instant::now(),
        })
    }

    pub(super) fn begun(&mut self, begun: &Begun) {
        match begun.took {
            Some(took) => self.log.tell(&Event::Trained(begun.watch.model(), took)),
            None => self.log.tell(&Event::Serves(begun.watch.model())),
        }
        if !begun.note.is_empty() {
            self.log.tell(&Event::Note(&begun.note));
        }
        self.watching_since = Instant::now();
    }

    pub(super) fn note(&self, note: &str) {
        self.log.tell(&Event::Note(note));
    }

    pub(super) fn outcome(&mut self, readings: &Readings, outcome: &Outcome) -> Result<(), RunError> {
        self.tally.count(readings.time, readings.truth.as_deref(), outcome);
        let Outcome::Verdict(verdict) = outcome else { return Ok(()) };
        if verdict.judgement.anomalous {
            self.log.tell(&Event::Anomaly(verdict));
        }
        if let Some(change) = self.events.follow(verdict) {
            self.tally.event(&change);
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
        self.log.tell(&Event::Summary(&self.tally, took));
        Ok(())
    }
}

impl Audience for Record {
    type Error = RunError;

    fn judged(&mut self, readings: &Readings, outcome: &Outcome) -> Result<(), RunError> {
        self.outcome(readings, outcome)
    }

    fn renewed(&mut self, model: &Model, took: Duration) {
        self.log.tell(&Event::Trained(model, took));
    }
}
