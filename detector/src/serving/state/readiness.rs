//! The detector's phase, silence and sources in; whether it is ready, and the report to the operator, out.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crd::contract::{Phase, REPORTED_EVENTS, Report};

use super::State;

/// The time after which the start counts as over, even if the detector is not ready.
const START: Duration = Duration::from_secs(30);

impl State {
    /// Record that the detector is about to stop and wants no new requests.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the detector is about to stop.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Check whether the detector is ready for requests.
    ///
    /// # Errors
    /// One sentence on why it is not ready.
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
            Phase::Serving => self.check_verdicts_arrive(),
            // Pushed readings to train on must be able to arrive.
            Phase::WarmingUp { seconds_left: Some(_), .. } => Ok(()),
            Phase::WarmingUp { have, need, .. } => {
                Err(format!("warming up: {have} of {need} samples to train on"))
            }
            Phase::TrainingFailed { message } => Err(format!("training failed: {message}")),
        }
    }

    /// Check whether verdicts are made as expected; if not, return one sentence on why.
    fn check_verdicts_arrive(&self) -> Result<(), String> {
        let Some(silent) = self.silence.too_long() else { return Ok(()) };
        let away = self.sources.iter().map(|source| source.report()).find(|source| !source.connected);
        let why = match away {
            Some(source) => format!("source {}: {}", source.name, source.message),
            None => "no complete readings can be judged".to_owned(),
        };
        Err(format!("no verdict for {} s: {why}", silent.as_secs()))
    }

    /// Check whether the start is over: the detector is ready, or 30 s have passed, for example while a
    /// source is unreachable. From then on only readiness shows the problem, which is probed less often.
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
