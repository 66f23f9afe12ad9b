//! Readings in, one instant after another; a verdict on each out, or why there is none.

use std::sync::Arc;
use std::time::Duration;

use crd::Valid;
use crd::contract::ModelReport;
use crd::valid::{Missing, ThresholdRule};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::features::pipeline::Features;
use crate::features::reference::Reference;
use crate::ingest::reading::Readings;
use crate::model::judge::{Explain, InvalidValue};
use crate::model::judgement::Judgement;
use crate::model::model::Model;
use crate::model::threshold;
use crate::scoring::alarm::{Alarm, AlarmMemory};
use crate::scoring::alarm_rate::AlarmRate;
use crate::scoring::calibration::Calibration;
use crate::scoring::verdict::Verdict;

/// A model that judges a stream of readings, with the memory that the next vector needs.
#[derive(Clone, Debug)]
pub struct Scorer {
    model: Arc<Model>,
    missing: Missing,
    explain: Explain,
    features: Features,
    alarm: Alarm,
    threshold_rule: ThresholdRule,
    calibration: Option<Calibration>,
    alarm_rate: Option<AlarmRate>,
    /// The newest reading of each sensor, and when it was taken.
    previous: Vec<Option<(Timestamp, f64)>>,
    seen: Option<Timestamp>,
}

/// The memory of a scorer: what it keeps of the readings so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScorerState {
    /// The time of the newest readings.
    pub time: Timestamp,
    /// The complete readings that vectors are made of, and when they were taken, oldest first.
    pub recent: Vec<(Timestamp, Vec<f64>)>,
    /// The newest reading of each sensor, and when it was taken.
    pub previous: Vec<Option<(Timestamp, f64)>>,
    /// The memory of the alarm rule.
    pub alarm: AlarmMemory,
    /// The level that vectors are measured against, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The calibration, if the threshold follows the scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// The alarm rate, if the threshold promises one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm_rate: Option<AlarmRate>,
}

/// The outcome of an instant's readings.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The readings were judged.
    Verdict(Verdict),
    /// A reading was missing, and the spec says to skip such instants.
    Missing,
    /// The model looks back further than the readings so far.
    TooEarly,
    /// This value cannot be judged by any model.
    InvalidValue(f64),
}

impl Scorer {
    /// Create a scorer of a model with the detector's spec, without any readings.
    pub fn new(model: Arc<Model>, detector: &Valid, explain: Explain) -> Self {
        Self {
            features: model.features(),
            alarm: Alarm::new(detector),
            threshold_rule: detector.threshold_rule(),
            calibration: calibration(&model, detector.threshold_rule()),
            alarm_rate: alarm_rate(&model, detector.threshold_rule()),
            previous: vec![None; model.sensors().len()],
            seen: None,
            missing: detector.missing(),
            explain,
            model,
        }
    }

    /// The model that judges.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// The time of the newest readings so far.
    pub fn seen(&self) -> Option<Timestamp> {
        self.seen
    }

    /// Replace the model; the memory stays.
    pub fn swap(&mut self, model: Arc<Model>) {
        self.features = self.features.replayed_into(model.features());
        let next = calibration(&model, self.threshold_rule);
        self.calibration = match (&self.calibration, next) {
            (Some(previous), Some(next)) => Some(previous.carried_over(next)),
            (_, next) => next,
        };
        self.alarm_rate = match (&self.alarm_rate, alarm_rate(&model, self.threshold_rule)) {
            (Some(previous), Some(next)) => Some(previous.carried_over(next)),
            (_, next) => next,
        };
        self.model = model;
    }

    /// Return the state that a later process restores; `None` if there were no readings.
    pub fn state(&self) -> Option<ScorerState> {
        Some(ScorerState {
            time: self.seen?,
            recent: self.features.recent().map(|(time, values)| (time, values.to_vec())).collect(),
            previous: self.previous.clone(),
            alarm: self.alarm.memory().clone(),
            reference: self.features.reference().cloned(),
            calibration: self.calibration.clone(),
            alarm_rate: self.alarm_rate.clone(),
        })
    }

    /// Restore the state that an earlier process with the same sensors saved.
    pub fn restore(&mut self, state: &ScorerState) {
        for (time, values) in &state.recent {
            self.features.push(*time, values);
        }
        if let Some(reference) = state.reference.clone() {
            self.features.set_reference(reference);
        }
        if let (Some(kept), Some(own)) = (&state.calibration, &mut self.calibration)
            && kept.is_like(own)
        {
            own.clone_from(kept);
        }
        if let (Some(kept), Some(own)) = (&state.alarm_rate, &mut self.alarm_rate)
            && kept.is_like(own)
        {
            own.clone_from(kept);
        }
        self.previous.clone_from(&state.previous);
        self.alarm.restore(&state.alarm);
        self.seen = Some(state.time);
    }

    /// Add the readings of these instants to the memory, oldest first, without a judgement.
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
        if values.iter().any(|value| forest::cell(*value).is_none()) {
            return;
        }
        let Some(vector) = self.features.push(readings.time, &values) else { return };
        // No verdict is published, but the threshold moves as it does live.
        if let Some(calibration) = &mut self.calibration
            && let Ok(judgement) = self.model.judge(&vector, Explain::Never)
        {
            calibration.follow(judgement.score);
        }
    }

    /// Judge the readings of the next instant, and remember them.
    pub fn judge(&mut self, readings: &Readings) -> Outcome {
        self.seen = Some(readings.time);
        let complete = self.complete(readings);
        self.keep_newest(readings);
        let Some(values) = complete else { return self.incomplete(readings) };
        // Checked before the features: a value that no model can judge would spoil all windows with it.
        if let Some(value) = values.iter().find(|value| forest::cell(**value).is_none()) {
            return Outcome::InvalidValue(*value);
        }
        let Some(vector) = self.features.push(readings.time, &values) else { return Outcome::TooEarly };
        match self.model.judge_by(self.threshold(), &vector, self.explain) {
            Ok(mut judgement) => {
                judgement.as_read(self.features.newest_levels());
                if let Some(calibration) = &mut self.calibration {
                    calibration.follow(judgement.score);
                }
                self.verdict(readings, judgement)
            }
            Err(refused) => Outcome::InvalidValue(refused.0),
        }
    }

    /// The score of these values as if they were the next readings; `None` if there are too few readings
    /// before. The memory does not change.
    ///
    /// # Errors
    /// Values that no model can judge.
    pub fn score_next(&self, values: &[f64]) -> Option<Result<f64, InvalidValue>> {
        Some(self.model.score(&self.features.peek(values)?))
    }

    /// The judgement of these values as if they were the next readings, with contributions.
    ///
    /// # Errors
    /// Values that no model can judge.
    pub fn judge_next(&self, values: &[f64]) -> Option<Result<Judgement, InvalidValue>> {
        let vector = self.features.peek(values)?;
        let judgement = self.model.judge_by(self.threshold(), &vector, Explain::Always);
        Some(judgement.map(|mut judgement| {
            judgement.as_read(self.features.levels().iter().copied().zip(values.iter().copied()));
            judgement
        }))
    }

    /// Measure a whole vector of readings against the levels of the model, in place.
    ///
    /// # Errors
    /// Values that no model can judge.
    pub fn measure(&self, vector: &mut [f64]) -> Result<(), InvalidValue> {
        self.features.against_level(vector);
        let refused = vector.iter().find(|value| forest::cell(**value).is_none());
        refused.map_or(Ok(()), |value| Err(InvalidValue(*value)))
    }

    /// As [`Scorer::measure`], for whole vectors one after another.
    ///
    /// # Errors
    /// The index of the first vector that no model can judge, and its value.
    pub fn measure_all(&self, vectors: &mut [f64]) -> Result<(), (usize, InvalidValue)> {
        // Most vectors have only finite values: one loop over all of them, without a branch, checks that.
        if self.features.levels().is_empty()
            && vectors.iter().fold(true, |all, value| all & (*value as f32).is_finite())
        {
            return Ok(());
        }
        let mut rows = vectors.chunks_exact_mut(self.model.columns()).enumerate();
        rows.try_for_each(|(index, row)| self.measure(row).map_err(|refused| (index, refused)))
    }

    /// Create an empty memory for readings from outside the stream, measured against the current levels,
    /// which stay fixed.
    pub fn features_of_rows(&self) -> Features {
        let mut features = self.model.features().frozen();
        if let Some(reference) = self.features.reference() {
            features.set_reference(reference.clone());
        }
        features
    }

    /// The current threshold: a higher score is anomalous.
    pub fn threshold(&self) -> f64 {
        self.calibration.as_ref().map_or_else(|| self.model.threshold(), Calibration::threshold)
    }

    /// The calibration of the threshold; `None` if the threshold is fixed.
    pub fn calibration(&self) -> Option<&Calibration> {
        self.calibration.as_ref()
    }

    /// How the alarm rate compares with the rate that the threshold promises; `None` if it promises nothing.
    pub fn alarm_rate(&self) -> Option<&AlarmRate> {
        self.alarm_rate.as_ref()
    }

    /// A sentence if the first verdicts by the model show that it does not fit its readings. It is returned
    /// only while the newest verdict is the last of these.
    pub fn new_misfit_warning(&self) -> Option<String> {
        self.alarm_rate.as_ref().filter(|rate| rate.first_verdicts_complete())?.misfit()
    }

    /// The report about the model to the operator, with a warning if its first verdicts show a misfit.
    pub fn model_report(&self) -> ModelReport {
        let mut report = self.model.report(self.threshold_rule);
        report.warnings.extend(self.alarm_rate.as_ref().and_then(AlarmRate::misfit));
        report
    }

    /// All values; missing ones are taken from previous readings that are not too old, if the spec says so.
    /// `None` if any value is missing after that.
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
        let verdict = Verdict::new(readings, judgement, alarm_state);
        if let Some(alarm_rate) = &mut self.alarm_rate {
            alarm_rate.follow(&verdict);
        }
        Outcome::Verdict(verdict)
    }

    /// Judge the sensors that gave a reading: for the forest, the columns of the other sensors are missing.
    /// As with Skip, the readings of the instant are not added to the features.
    fn impute(&mut self, readings: &Readings) -> Outcome {
        let stand_in = |(value, previous): (&Option<f64>, &Option<(Timestamp, f64)>)| {
            value.or(previous.map(|(_, value)| value)).unwrap_or_default()
        };
        let values: Vec<f64> = readings.values.iter().zip(&self.previous).map(stand_in).collect();
        if readings.values.iter().all(Option::is_none) {
            return Outcome::Missing;
        }
        if let Some(value) = values.iter().find(|value| forest::cell(**value).is_none()) {
            return Outcome::InvalidValue(*value);
        }
        let mut features = self.features.clone();
        let Some(mut vector) = features.push(readings.time, &values) else { return Outcome::TooEarly };
        self.model.set_missing(&mut vector, |sensor| readings.values[sensor].is_none());
        match self.model.judge_by(self.threshold(), &vector, self.explain) {
            Ok(mut judgement) => {
                judgement.as_read(features.newest_levels());
                self.verdict(readings, judgement)
            }
            Err(refused) => Outcome::InvalidValue(refused.0),
        }
    }

    fn incomplete(&mut self, readings: &Readings) -> Outcome {
        match self.missing {
            Missing::Anomaly => self.verdict(readings, self.model.judge_missing(&readings.values)),
            Missing::Impute => self.impute(readings),
            Missing::Skip | Missing::Previous { .. } => Outcome::Missing,
        }
    }
}

/// Create the alarm rate of a model; `None` if the threshold promises nothing or the readings' interval is
/// unknown.
fn alarm_rate(model: &Model, rule: ThresholdRule) -> Option<AlarmRate> {
    let seconds_apart = model.training_scores()?.seconds_apart?;
    let promise = threshold::promise(rule, seconds_apart)?;
    Some(AlarmRate::new(promise, seconds_apart, model.sensors().len()))
}

/// Create the calibration of a model; `None` if the threshold promises nothing or does not follow the scores.
fn calibration(model: &Model, rule: ThresholdRule) -> Option<Calibration> {
    let (reference, scores) = (model.reference()?, model.training_scores()?);
    let promise = threshold::promise(rule, scores.seconds_apart?)?;
    Calibration::new(promise, scores, model.samples(), reference.readings())
}

#[cfg(test)]
mod tests;
