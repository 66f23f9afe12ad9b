//! What happens, told line by line on standard output: sentences for people, or JSON for machines.

use std::fmt;
use std::io::Write;
use std::time::Duration;

use crd::contract::{EventOutcome, EventReport};
use crd::valid::Cut;
use serde_json::{Value, json};

use crate::cli::evaluation::Evaluation;
use crate::model::model::Model;
use crate::scoring::verdict::Verdict;

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Sentences for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The sensors' names and units, which lines speak of.
pub struct Log {
    format: Format,
    detector: String,
    cut: Cut,
    sensors: Vec<(String, String)>,
}

/// Something worth telling.
pub enum Event<'a> {
    /// A model was trained, and serves.
    Trained(&'a Model, Duration),
    /// A model that was there serves.
    Serves(&'a Model),
    /// The two addresses.
    Listening {
        /// Where predictions are answered.
        predict: &'a str,
        /// Where metrics and probes are answered.
        metrics: &'a str,
    },
    /// An anomalous verdict.
    Anomaly(&'a Verdict),
    /// Anomalous verdicts in a row are over.
    Ended(&'a EventReport),
    /// Something that a person should know and that stops nothing.
    Note(&'a str),
    /// The end.
    Summary(&'a Evaluation, Duration),
}

impl Log {
    /// A log of this detector.
    pub fn new(format: Format, detector: &crd::Valid) -> Self {
        let sensor = |sensor: crd::valid::SensorRef<'_>| {
            (sensor.name.to_owned(), sensor.unit.unwrap_or_default().to_owned())
        };
        Self {
            format,
            detector: detector.name(),
            cut: detector.cut(),
            sensors: detector.sensors().map(sensor).collect(),
        }
    }

    /// Write a line; more for the summary. A closed pipe is nobody listening, not a reason to stop watching.
    pub fn tell(&self, event: &Event<'_>) {
        let line = match self.format {
            Format::Text => self.text(event),
            Format::Json => self.json(event).to_string(),
        };
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }

    fn text(&self, event: &Event<'_>) -> String {
        match event {
            Event::Trained(model, took) => format!(
                "{}: trained on {} samples of {} in {:.0} ms: {} trees, threshold {:.4}\nmodel {}{}",
                self.detector,
                model.samples(),
                self.sensors.iter().map(|sensor| sensor.0.as_str()).collect::<Vec<_>>().join(", "),
                took.as_secs_f64() * 1e3,
                model.trees(),
                model.threshold(),
                model.digest(),
                self.warnings(model),
            ),
            Event::Serves(model) => format!(
                "{}: serves a model of {}, without training: {} trees, threshold {:.4}\nmodel {}{}",
                self.detector,
                model.data_end_time(),
                model.trees(),
                model.threshold(),
                model.digest(),
                self.warnings(model),
            ),
            Event::Listening { predict, metrics } => {
                format!("predictions at http://{predict}/predict, metrics at http://{metrics}/metrics")
            }
            Event::Anomaly(verdict) => self.anomaly(verdict).to_string(),
            Event::Ended(event) => ended(event).to_string(),
            Event::Note(note) => format!("{}: {note}", self.detector),
            Event::Summary(evaluation, took) => format!("{evaluation}\n{}", evaluation.figures(*took)),
        }
    }

    /// A line each.
    fn warnings(&self, model: &Model) -> String {
        let line = |warning: String| format!("\n{}: warning: {warning}", self.detector);
        model.warnings(self.cut).into_iter().map(line).collect()
    }

    /// `2026-11-22T12:00:03Z anomaly, severity 1.32: temperature 81.2 celsius, load 3; by temperature (93 %)`
    fn anomaly<'a>(&'a self, verdict: &'a Verdict) -> impl fmt::Display + 'a {
        fmt::from_fn(move |f| {
            write!(f, "{} anomaly, severity {:.2}: ", verdict.time, verdict.judgement.severity)?;
            for (i, ((name, unit), value)) in self.sensors.iter().zip(&verdict.values).enumerate() {
                let comma = if i == 0 { "" } else { ", " };
                match value {
                    Some(value) => write!(f, "{comma}{name} {}", format!("{value:.4} {unit}").trim_end())?,
                    None => write!(f, "{comma}{name} missing")?,
                }
            }
            match verdict.judgement.top_contributor() {
                Some(sensor) => {
                    let share = verdict.judgement.contributions[sensor] * 100.0;
                    write!(f, "; by {} ({share:.0} %)", self.sensors[sensor].0)
                }
                None => Ok(()),
            }
        })
    }

    fn json(&self, event: &Event<'_>) -> Value {
        let (name, mut fields) = match event {
            Event::Trained(model, took) => (
                "trained",
                json!({ "model": model.report(self.cut), "trees": model.trees(), "seconds": took.as_secs_f64() }),
            ),
            Event::Serves(model) => {
                ("serves", json!({ "model": model.report(self.cut), "trees": model.trees() }))
            }
            Event::Listening { predict, metrics } => {
                ("listening", json!({ "predict": predict, "metrics": metrics }))
            }
            Event::Anomaly(verdict) => ("anomaly", self.verdict(verdict)),
            Event::Ended(event) => ("ended", json!(event)),
            Event::Note(note) => ("note", json!({ "message": note })),
            Event::Summary(evaluation, took) => (
                "summary",
                json!({
                    "readings": evaluation.readings(),
                    "events": evaluation.events(),
                    "alarms": evaluation.alarms(),
                    "seconds": took.as_secs_f64(),
                    "eventRecall": evaluation.event_recall(),
                    "precision": evaluation.precision(),
                }),
            ),
        };
        fields["event"] = json!(name);
        fields["detector"] = json!(self.detector);
        fields
    }

    fn verdict(&self, verdict: &Verdict) -> Value {
        let names: Vec<&str> = self.sensors.iter().map(|sensor| sensor.0.as_str()).collect();
        crate::serving::api::verdict_json(&names, verdict)
    }
}

/// `2026-11-22T12:00:15Z event over after 12 s: 12 verdicts, peak severity 1.43 at 2026-11-22T12:00:05Z; by temperature (93 %);
/// no alarm: muted (weekly maintenance)`
fn ended(event: &EventReport) -> impl fmt::Display + '_ {
    fmt::from_fn(move |f| {
        let EventReport { end, duration_seconds, verdicts, peak, .. } = event;
        let end = end.unwrap_or(peak.time);
        let s = if *verdicts == 1 { "" } else { "s" };
        write!(f, "{end} event over after {duration_seconds} s: {verdicts} verdict{s}, ")?;
        write!(f, "peak severity {:.2} at {}", peak.severity, peak.time)?;
        if let Some(sensor) = event.sensors.first() {
            write!(f, "; by {} ({:.0} %)", sensor.name, sensor.share * 100.0)?;
        }
        match (event.outcome, &event.reason) {
            (EventOutcome::Alarmed, _) => Ok(()),
            (EventOutcome::TooShort, _) => write!(f, "; no alarm: shorter than minimumDuration"),
            (EventOutcome::NoPeak, _) => write!(f, "; no alarm: one shortly before was as anomalous or more"),
            (EventOutcome::CoolingDown, _) => write!(f, "; no alarm: within coolDown of the one before"),
            (EventOutcome::Muted, reason) => {
                write!(f, "; no alarm: muted ({})", reason.as_deref().unwrap_or_default())
            }
        }
    })
}
