//! The detector's phase, silence and sources in; whether requests may come, and the report to the operator, out.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crd::contract::{Phase, REPORTED_EVENTS, Report};

use super::State;

/// How long a start may take before it is over without being ready.
const START: Duration = Duration::from_secs(30);

impl State {
    /// The detector is about to stop: no new requests, please.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether it is about to stop.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether requests may come, or one sentence on why not.
    ///
    /// # Errors
    /// The sentence.
    pub fn ready(&self) -> Result<(), String> {
        if self.is_draining() {
            return Err("the detector is stopping".to_owned());
        }
        match &*self.phase.lock() {
            Phase::WarmingUp { need: 0, .. } => {
                let why =
                    self.rejected.lock().as_ref().map_or(String::new(), |why| format!(": {}", why.message));
                Err(format!("the model is not loaded yet{why}"))
            }
            Phase::Serving => self.audible(),
            // What is learned from has to be let in.
            Phase::WarmingUp { seconds_left: Some(_), .. } => Ok(()),
            Phase::WarmingUp { have, need, .. } => {
                Err(format!("warming up: {have} of {need} samples to train on"))
            }
            Phase::TrainingFailed { message } => Err(format!("training failed: {message}")),
        }
    }

    /// Whether verdicts are made as they are expected, or one sentence on why not.
    fn audible(&self) -> Result<(), String> {
        let Some(silent) = self.silence.too_long() else { return Ok(()) };
        let away = self.sources.iter().map(|source| source.report()).find(|source| !source.connected);
        let why = match away {
            Some(source) => format!("source {}: {}", source.name, source.message),
            None => "no complete readings can be judged".to_owned(),
        };
        Err(format!("no verdict for {} s: {why}", silent.as_secs()))
    }

    /// Whether the start is over: it is ready, or not ready for longer than a start takes, as where a source is away. Then
    /// readiness is what shows it, which is asked less often.
    ///
    /// # Errors
    /// One sentence on why not.
    pub fn started(&self) -> Result<(), String> {
        if self.began.elapsed() < START { self.ready() } else { Ok(()) }
    }

    /// One sentence on why there is no model.
    pub fn why_no_model(&self) -> String {
        let phase = self.phase.lock().clone();
        match phase {
            Phase::WarmingUp { have, need, seconds_left: Some(left) } => {
                format!("warming up: {have} of {need} readings, {} min left", left.div_ceil(60))
            }
            _ => self.ready().err().unwrap_or_default(),
        }
    }

    /// The report to the operator.
    pub fn report(&self) -> Report {
        let scorer = self.scorer();
        Report {
            detector: self.detector.name(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            phase: self.phase.lock().clone(),
            model: scorer.as_ref().map(|scorer| scorer.model_report()),
            alarm_rate: scorer.as_ref().and_then(|scorer| {
                scorer.alarm_rate().map(|alarm_rate| alarm_rate.report(scorer.model().sensors()))
            }),
            sources: self.sources.iter().map(|source| source.report()).collect(),
            newest_events: self.events(REPORTED_EVENTS).iter().map(|event| (**event).clone()).collect(),
            newest_sensor_events: self.sensor_events(REPORTED_EVENTS),
            trainings: self.trainings.load(Ordering::Relaxed),
            rejected: self.rejected.lock().clone(),
        }
        .bounded()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_without_a_model_is_over_after_half_a_minute() {
        let manifest = std::fs::read_to_string("../manifests/quickstart.yaml").unwrap();
        let mut state = State::new(crd::manifest::one_detector(&manifest).unwrap());
        assert!(state.started().is_err());
        state.began -= START;
        assert!(state.started().is_ok() && state.ready().is_err());
    }
}
