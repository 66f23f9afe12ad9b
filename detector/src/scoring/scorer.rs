//! Readings in, one instant after another; a verdict on each out, or why there is none.

use std::sync::Arc;
use std::time::Duration;

use crd::Valid;
use crd::valid::Missing;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::features::pipeline::Features;
use crate::ingest::reading::Readings;
use crate::model::judgement::Judgement;
use crate::model::model::{Explain, Model};
use crate::scoring::alarm::{Alarm, AlarmMemory};
use crate::scoring::verdict::Verdict;

/// A model at work on a stream of readings: it remembers what the next vector needs.
#[derive(Clone, Debug)]
pub struct Scorer {
    model: Arc<Model>,
    missing: Missing,
    explain: Explain,
    features: Features,
    alarm: Alarm,
    /// The newest reading of each sensor, and when it was taken.
    previous: Vec<Option<(Timestamp, f64)>>,
    seen: Option<Timestamp>,
}

/// What a scorer remembers of the readings so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScorerState {
    /// When the newest readings were taken.
    pub time: Timestamp,
    /// The complete readings that vectors are made of, and when they were taken, oldest first.
    pub recent: Vec<(Timestamp, Vec<f64>)>,
    /// The newest reading of each sensor, and when it was taken.
    pub previous: Vec<Option<(Timestamp, f64)>>,
    /// Which anomalous instants have raised an alarm.
    pub alarm: AlarmMemory,
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
            missing: detector.missing(),
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
    pub fn state(&self) -> Option<ScorerState> {
        Some(ScorerState {
            time: self.seen?,
            recent: self.features.recent().map(|(time, values)| (time, values.to_vec())).collect(),
            previous: self.previous.clone(),
            alarm: self.alarm.memory().clone(),
        })
    }

    /// Go on where another process was, which has seen the same sensors.
    pub fn restore(&mut self, state: &ScorerState) {
        for (time, values) in &state.recent {
            self.features.push(*time, values);
        }
        self.previous.clone_from(&state.previous);
        self.alarm.restore(&state.alarm);
        self.seen = Some(state.time);
    }

    /// Remember the readings of these instants, oldest first, without a judgement.
    pub fn remember_all(&mut self, readings: &[Readings]) {
        for readings in readings {
            self.remember(readings);
        }
    }

    fn remember(&mut self, readings: &Readings) {
        self.seen = Some(readings.time);
        let complete = self.complete(readings);
        self.keep_newest(readings);
        let Some(values) = complete else { return };
        if values.iter().all(|value| forest::cell(*value).is_some()) {
            self.features.push(readings.time, &values);
        }
    }

    /// Judge the readings of the next instant, and remember them.
    pub fn judge(&mut self, readings: &Readings) -> Outcome {
        self.seen = Some(readings.time);
        let complete = self.complete(readings);
        self.keep_newest(readings);
        let Some(values) = complete else { return self.incomplete(readings) };
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

    /// All values, the missing ones from previous readings that are not too old, where the spec says so.
    fn complete(&self, readings: &Readings) -> Option<Vec<f64>> {
        let values = readings.values.iter().zip(&self.previous);
        values
            .map(|(value, previous)| value.or_else(|| self.in_place_of_missing(*previous, readings.time)))
            .collect()
    }

    fn in_place_of_missing(&self, previous: Option<(Timestamp, f64)>, now: Timestamp) -> Option<f64> {
        let Missing::Previous { max_staleness } = self.missing else { return None };
        let (taken, value) = previous?;
        let age = Duration::try_from(now.duration_since(taken)).unwrap_or_default();
        (age <= Duration::from(max_staleness)).then_some(value)
    }

    fn keep_newest(&mut self, readings: &Readings) {
        for (previous, value) in self.previous.iter_mut().zip(&readings.values) {
            *previous = value.map(|value| (readings.time, value)).or(*previous);
        }
    }

    fn verdict(&mut self, readings: &Readings, judgement: Judgement) -> Outcome {
        let alarm_state = self.alarm.judge(readings.time, &judgement);
        Outcome::Verdict(Verdict::new(readings, judgement, alarm_state))
    }

    fn incomplete(&mut self, readings: &Readings) -> Outcome {
        match self.missing {
            Missing::Anomaly => self.verdict(readings, self.model.judge_missing(&readings.values)),
            Missing::Skip | Missing::Previous { .. } => Outcome::Missing,
        }
    }
}

#[cfg(test)]
mod tests;
