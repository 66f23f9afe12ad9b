//! Readings in, one instant after another; a verdict on each out, or why there is none.

use std::sync::Arc;

use crd::{Missing, Valid};
use jiff::Timestamp;

use crate::alerting::alarm::Alarm;
use crate::features::pipeline::Features;
use crate::ingest::reading::Readings;
use crate::lifecycle::store::snapshot::Snapshot;
use crate::model::model::{Explain, Model};
use crate::scoring::verdict::{Judgement, Verdict};

/// A model at work on a stream of readings: it remembers what the next vector needs.
#[derive(Clone, Debug)]
pub struct Scorer {
    model: Arc<Model>,
    missing: Missing,
    explain: Explain,
    features: Features,
    alarm: Alarm,
    previous: Vec<Option<f64>>,
    seen: Option<Timestamp>,
}

/// What became of an instant's readings.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Judged.
    Verdict(Verdict),
    /// A reading was missing, and the spec says to skip such instants.
    Missing,
    /// The model looks back further than the readings so far.
    TooEarly,
    /// A reading that no model can judge: this one.
    Unjudgeable(f64),
}

impl Scorer {
    /// A model that has seen nothing yet, at work as the detector's spec says.
    pub fn new(model: Arc<Model>, detector: &Valid, explain: Explain) -> Self {
        Self {
            features: model.features(),
            alarm: Alarm::new(detector),
            previous: vec![None; model.sensors().len()],
            seen: None,
            missing: detector.spec().missing,
            explain,
            model,
        }
    }

    /// The model at work.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// When the newest readings were taken that it has seen.
    pub fn seen(&self) -> Option<Timestamp> {
        self.seen
    }

    /// Another model takes over; what is remembered stays.
    pub fn swap(&mut self, model: Arc<Model>) {
        self.features = self.features.by(model.features());
        self.model = model;
    }

    /// What a process that comes after this one needs to go on; none where nothing was seen.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let recent = self.features.recent().map(|(time, values)| (time, values.to_vec())).collect();
        Some(Snapshot::new(self.model.sensors().to_vec(), self.seen?, recent, self.previous.clone()))
    }

    /// Go on where another process was, which has seen the same sensors.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        for (time, values) in &snapshot.recent {
            self.features.push(*time, values);
        }
        self.previous.clone_from(&snapshot.previous);
        self.seen = Some(snapshot.time);
    }

    /// Remember the readings of these instants, oldest first, without a judgement.
    pub fn remember_all(&mut self, readings: &[Readings]) {
        for readings in readings {
            self.remember(readings);
        }
    }

    fn remember(&mut self, readings: &Readings) {
        self.seen = Some(readings.time);
        let Some(values) = self.complete(&readings.values) else { return };
        self.previous = values.iter().copied().map(Some).collect();
        if values.iter().all(|value| forest::cell(*value).is_some()) {
            self.features.push(readings.time, &values);
        }
    }

    /// Judge the readings of the next instant, and remember them.
    pub fn judge(&mut self, readings: &Readings) -> Outcome {
        self.seen = Some(readings.time);
        let Some(values) = self.complete(&readings.values) else { return self.incomplete(readings) };
        self.previous = values.iter().copied().map(Some).collect();
        // Before features: a value that no model can judge would poison every window that it is in.
        if let Some(value) = values.iter().find(|value| forest::cell(**value).is_none()) {
            return Outcome::Unjudgeable(*value);
        }
        let Some(vector) = self.features.push(readings.time, &values) else { return Outcome::TooEarly };
        match self.model.judge(&vector, self.explain) {
            Ok(judgement) => self.verdict(readings, judgement),
            Err(refused) => Outcome::Unjudgeable(refused.0),
        }
    }

    /// The vector of these values as if they were the next readings; none where the past is too short.
    pub fn vector_of_next(&self, values: &[f64]) -> Option<Vec<f64>> {
        self.features.peek(values)
    }

    /// All values, the missing ones from the previous readings where the spec says so.
    fn complete(&self, values: &[Option<f64>]) -> Option<Vec<f64>> {
        let stand_in =
            |previous: Option<f64>| if self.missing == Missing::Previous { previous } else { None };
        values
            .iter()
            .zip(&self.previous)
            .map(|(value, previous)| value.or_else(|| stand_in(*previous)))
            .collect()
    }

    fn verdict(&mut self, readings: &Readings, judgement: Judgement) -> Outcome {
        let alarm_state = self.alarm.judge(readings.time, &judgement);
        Outcome::Verdict(Verdict::new(readings, judgement, alarm_state))
    }

    fn incomplete(&mut self, readings: &Readings) -> Outcome {
        match self.missing {
            Missing::Anomaly => self.verdict(readings, self.model.judge_missing(&readings.values)),
            Missing::Skip | Missing::Previous => Outcome::Missing,
        }
    }
}

#[cfg(test)]
mod tests;
