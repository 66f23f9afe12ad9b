//! The steps of a run in, such as a training or an alarm; lines on the standard output out: sentences for
//! people, or JSON for programs.

use std::fmt;
use std::io;
use std::time::Duration;

use crd::contract::{EventOutcome, EventReport, Peak};
use crd::valid::ThresholdRule;
use serde_json::{Value, json};

use crate::cli::evaluation::Evaluation;
use crate::cli::stdout::{self, StdoutError};
use crate::cli::terminal::{self, Colour, Paint};
use crate::excerpt::excerpt;
use crate::model::model::Model;
use crate::scoring::verdict::Verdict;
use crate::serving::logging::Format;
use crate::serving::verdict_json::verdict_json;

/// The printer of a run's lines.
pub struct Lines {
    format: Format,
    detector: String,
    threshold_rule: ThresholdRule,
    sensors: Vec<(String, String)>,
    /// The width of the terminal in columns, where the standard output is a terminal.
    terminal: Option<usize>,
    paint: Paint,
}

/// A step of a run that is printed as a line.
pub enum Line<'a> {
    /// A model was trained, within this time, and serves.
    Trained(&'a Model, Duration),
    /// A model serves that was not trained by this process.
    Serves(&'a Model),
    /// The servers listen on two addresses.
    Listening {
        /// The address of the predict server.
        predict: &'a str,
        /// The address of the metrics server, which also answers probes.
        metrics: &'a str,
    },
    /// An event has raised its alarm with this verdict.
    Alarm(&'a EventReport, &'a Verdict),
    /// An event that has ended, or is ongoing at the end of the run, and its verdict with the highest
    /// severity, if this process has seen that verdict.
    Event(&'a EventReport, Option<&'a Verdict>),
    /// The summary at the end of the run, which took this long.
    Summary(&'a Evaluation, Duration),
}

impl Lines {
    /// A printer for the lines of this detector.
    pub fn new(format: Format, detector: &crd::Valid) -> Self {
        let sensor = |sensor: crd::valid::SensorRef<'_>| {
            (sensor.name.to_owned(), sensor.unit.unwrap_or_default().to_owned())
        };
        Self {
            format,
            detector: detector.name(),
            threshold_rule: detector.threshold_rule(),
            sensors: detector.sensors().map(sensor).collect(),
            terminal: terminal::columns(&io::stdout()),
            paint: Paint::of(&io::stdout()),
        }
    }

    /// Print a step as one line; the summary takes several. A closed pipe is not an error, so that the
    /// detector keeps watching.
    ///
    /// # Errors
    /// The standard output cannot be written.
    pub fn print(&self, event: &Line<'_>) -> Result<(), StdoutError> {
        let line = match self.format {
            // The live line shows the alarm until the line of the event is printed.
            Format::Text if self.terminal.is_some() && matches!(event, Line::Alarm(..)) => return Ok(()),
            Format::Text => self.text(event),
            Format::Json => self.json(event).to_string(),
        };
        stdout::print(line)
    }

    fn text(&self, event: &Line<'_>) -> String {
        match event {
            Line::Trained(model, took) => format!(
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
            Line::Serves(model) => format!(
                "{}: serves a model of {}, without training: {} trees, threshold {:.4}\nmodel {}{}",
                self.detector,
                model.provenance(),
                model.trees(),
                model.threshold(),
                model.digest(),
                self.warnings(model),
            ),
            Line::Listening { predict, metrics } => {
                format!("predictions at http://{predict}/predict, metrics at http://{metrics}/metrics")
            }
            Line::Alarm(event, verdict) => self.alarm(event, verdict).to_string(),
            Line::Event(event, peak) => match self.terminal {
                Some(columns) => self.short_event(event, *peak, columns),
                None => self.event(event, *peak).to_string(),
            },
            Line::Summary(evaluation, took) => format!("{evaluation}\n{}", evaluation.figures(*took)),
        }
    }

    /// The warnings about a model, each on a line of its own.
    fn warnings(&self, model: &Model) -> String {
        let line = |warning: String| format!("\n{}: warning: {warning}", self.detector);
        model.warnings(self.threshold_rule).into_iter().map(line).collect()
    }

    /// The line of an event where the standard output is not a terminal:
    /// `2026-11-22T12:00:03Z event, 12 s, 12 verdicts, peak severity 1.43 at 2026-11-22T12:00:05Z:`
    /// `temperature 81.2 celsius, high: expected 58.1 to 64.9 celsius (93 %); alarm`
    fn event<'a>(&'a self, event: &'a EventReport, peak: Option<&'a Verdict>) -> impl fmt::Display + 'a {
        fmt::from_fn(move |f| {
            let EventReport { start, end, duration_seconds, verdicts, .. } = event;
            let (s, ongoing) =
                (if *verdicts == 1 { "" } else { "s" }, if end.is_none() { ", ongoing" } else { "" });
            write!(f, "{start} event, {duration_seconds} s{ongoing}, {verdicts} verdict{s}, ")?;
            write!(f, "peak severity {:.2} at {}: ", event.peak.severity, event.peak.time)?;
            self.cause(f, event, peak)?;
            write!(f, "; {}", alarm_outcome(event))
        })
    }

    /// The line of an event on a terminal, cut to the terminal's width:
    /// `2026-11-22 12:00:03 1.43 alarm       12 s  temperature 81.2 celsius, high: expected 58.1 to 64.9 celsius`
    fn short_event(&self, event: &EventReport, peak: Option<&Verdict>, columns: usize) -> String {
        let EventReport { start, duration_seconds, peak: Peak { severity, .. }, outcome, .. } = event;
        let (colour, word) = match outcome {
            EventOutcome::Alarmed => (Colour::Red, "alarm"),
            EventOutcome::TooShort => (Colour::Grey, "short"),
            EventOutcome::NoPeak => (Colour::Grey, "no peak"),
            EventOutcome::CoolingDown => (Colour::Grey, "cooling"),
            EventOutcome::Muted => (Colour::Grey, "muted"),
        };
        let cause = fmt::from_fn(|f| self.cause(f, event, peak));
        let line = format!(
            "{} {severity:.2} {word:<7} {duration_seconds:>6} s  {cause}",
            start.strftime("%F %H:%M:%S")
        );
        self.paint.paint(colour, &excerpt(&line, columns.saturating_sub(1)))
    }

    /// The line of an alarm: `2026-11-22T12:00:05Z alarm, event since 2026-11-22T12:00:03Z, severity 1.43:`
    /// `temperature 81.2 celsius, high: expected 58.1 to 64.9 celsius (93 %)`
    fn alarm<'a>(&'a self, event: &'a EventReport, verdict: &'a Verdict) -> impl fmt::Display + 'a {
        fmt::from_fn(move |f| {
            let severity = verdict.judgement.severity;
            write!(f, "{} alarm, event since {}, severity {severity:.2}: ", verdict.time, event.start)?;
            self.cause(f, event, Some(verdict))
        })
    }

    /// Write the sensor that contributed most over the event, its reason at the peak, and its share.
    fn cause(&self, f: &mut fmt::Formatter<'_>, event: &EventReport, peak: Option<&Verdict>) -> fmt::Result {
        let Some(top) = event.sensors.first() else { return write!(f, "a reading is missing") };
        let index = self.sensors.iter().position(|(name, _)| *name == top.name);
        let reason = index.zip(peak).and_then(|(sensor, peak)| peak.judgement.reasons.get(sensor));
        let unit = index.map_or("", |sensor| self.sensors[sensor].1.as_str());
        write!(f, "{}", top.name)?;
        let is_missing = index.zip(peak).is_some_and(|(sensor, peak)| peak.values[sensor].is_none());
        match reason {
            Some(reason) => write!(f, " {}", reason.sentence(unit))?,
            None if is_missing => write!(f, " missing")?,
            None => {}
        }
        write!(f, " ({:.0} %)", top.share * 100.0)
    }

    fn json(&self, event: &Line<'_>) -> Value {
        let (name, mut fields) = match event {
            Line::Trained(model, took) => (
                "trained",
                json!({ "model": model.report(self.threshold_rule), "trees": model.trees(), "seconds": took.as_secs_f64() }),
            ),
            Line::Serves(model) => {
                ("serves", json!({ "model": model.report(self.threshold_rule), "trees": model.trees() }))
            }
            Line::Listening { predict, metrics } => {
                ("listening", json!({ "predict": predict, "metrics": metrics }))
            }
            Line::Alarm(event, verdict) => {
                let mut fields = json!(event);
                fields["verdict"] = json!(self.verdict(verdict));
                ("alarm", fields)
            }
            Line::Event(event, peak) => {
                let mut fields = json!(event);
                fields["peakVerdict"] = json!(peak.map(|peak| self.verdict(peak)));
                ("event", fields)
            }
            Line::Summary(evaluation, took) => (
                "summary",
                json!({
                    "readings": evaluation.readings(),
                    "events": evaluation.events(),
                    "alarms": evaluation.alarms(),
                    "seconds": took.as_secs_f64(),
                    "eventRecall": evaluation.event_recall(),
                    "precision": evaluation.precision(),
                    "alarmPrecision": evaluation.alarm_precision(),
                }),
            ),
        };
        fields["event"] = json!(name);
        fields["detector"] = json!(self.detector);
        fields
    }

    fn verdict(&self, verdict: &Verdict) -> Value {
        let names: Vec<&str> = self.sensors.iter().map(|sensor| sensor.0.as_str()).collect();
        verdict_json(&names, verdict)
    }
}

/// Whether an event raised its alarm, or why it did not.
fn alarm_outcome(event: &EventReport) -> String {
    match event.outcome {
        EventOutcome::Alarmed => "alarm".to_owned(),
        EventOutcome::TooShort => "no alarm: shorter than minimumDuration".to_owned(),
        EventOutcome::NoPeak => "no alarm: one shortly before was as anomalous or more".to_owned(),
        EventOutcome::CoolingDown => "no alarm: within coolDown of the one before".to_owned(),
        EventOutcome::Muted => format!("no alarm: muted ({})", event.reason.as_deref().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use crd::contract::SensorShare;

    use super::*;

    #[test]
    fn an_event_is_one_line_of_the_terminal() {
        let lines = Lines {
            format: Format::Text,
            detector: "pump".to_owned(),
            threshold_rule: ThresholdRule::DEFAULT,
            sensors: vec![("temperature".to_owned(), "celsius".to_owned())],
            terminal: Some(80),
            paint: Paint::PLAIN,
        };
        let start = "2026-11-22T12:00:03Z".parse().unwrap();
        let mut event = EventReport {
            start,
            end: Some(start),
            duration_seconds: 139.0,
            peak: Peak { time: start, severity: 1.43 },
            verdicts: 139,
            outcome: EventOutcome::Alarmed,
            reason: None,
            alarmed_at: Some(start),
            sensors: vec![SensorShare { name: "temperature".to_owned(), share: 0.93 }],
        };
        let line = |event: &EventReport| lines.short_event(event, None, 80);
        insta::assert_snapshot!(line(&event), @"2026-11-22 12:00:03 1.43 alarm      139 s  temperature (93 %)");
        event.outcome = EventOutcome::CoolingDown;
        event.sensors[0].name = "t".repeat(60);
        assert_eq!(line(&event).chars().count(), 80, "{}", line(&event));
    }
}
