//! Outcomes in; the live line of a run out: the newest verdict, and the counts of readings, events and
//! alarms.

use std::io;
use std::time::{Duration, Instant};

use crate::alerting::event::Change;
use crate::cli::live_line;
use crate::cli::terminal::{Colour, Paint, severity_bar};
use crate::ingest::reading::Readings;
use crate::scoring::scorer::Outcome;
use crate::scoring::verdict::AlarmState;

/// The shortest time between two updates of the live line, since people do not read faster.
const PAUSE: Duration = Duration::from_millis(100);

/// The content of the live line.
pub(super) struct Live {
    name: String,
    paint: Paint,
    readings: u64,
    events: u64,
    alarms: u64,
    shown: Option<Instant>,
}

impl Live {
    pub(super) fn new(name: String) -> Self {
        let paint = Paint::of(&io::stderr());
        Self { name, paint, readings: 0, events: 0, alarms: 0, shown: None }
    }

    /// Count the outcome of an instant and the change in the events, and update the live line.
    pub(super) fn outcome(&mut self, readings: &Readings, outcome: &Outcome, change: Option<&Change>) {
        self.readings += 1;
        match change {
            Some(Change::Alarmed(_)) => self.alarms += 1,
            Some(Change::Ended(_)) => self.events += 1,
            None => {}
        }
        if live_line::is_shown() && self.shown.is_none_or(|shown| shown.elapsed() >= PAUSE) {
            self.shown = Some(Instant::now());
            live_line::show(self.text(readings, outcome));
        }
    }

    /// The text of the line: `pump 12:00:05 · 3412 readings · ████████│░░ 0.83 normal · 4 events, 1 alarm`
    fn text(&self, readings: &Readings, outcome: &Outcome) -> String {
        let time = readings.time.strftime("%H:%M:%S");
        let Self { name, readings, events, alarms, .. } = self;
        let (events_s, alarms_s) = (plural(*events), plural(*alarms));
        let newest = self.newest(outcome);
        format!(
            "{name} {time} · {readings} readings · {newest} · {events} event{events_s}, {alarms} alarm{alarms_s}"
        )
    }

    fn newest(&self, outcome: &Outcome) -> String {
        let Outcome::Verdict(verdict) = outcome else {
            return match outcome {
                Outcome::TooEarly => "no verdict yet: its features need earlier readings".to_owned(),
                _ => "no verdict: a reading is missing".to_owned(),
            };
        };
        let (colour, word) = match verdict.alarm_state {
            AlarmState::Normal => (Colour::Green, "normal"),
            AlarmState::TooShort => (Colour::Yellow, "anomalous, alarm if it lasts"),
            AlarmState::NoPeak => (Colour::Yellow, "anomalous, alarm if it gets worse"),
            AlarmState::CoolingDown => (Colour::Yellow, "anomalous, alarm after coolDown"),
            AlarmState::Muted { .. } => (Colour::Yellow, "anomalous, muted"),
            AlarmState::Alarm | AlarmState::Ongoing => (Colour::Red, "ALARM"),
        };
        let severity = verdict.judgement.severity;
        let newest = format!("{} {severity:.2} {word}", severity_bar(severity));
        self.paint.paint(colour, &newest)
    }
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::judgement::Judgement;
    use crate::scoring::verdict::Verdict;

    #[test]
    fn the_line_says_how_it_is_and_what_comes_next() {
        let live = Live {
            events: 4,
            alarms: 1,
            readings: 3412,
            paint: Paint::PLAIN,
            ..Live::new("pump".to_owned())
        };
        let time = Timestamp::from_second(5).unwrap();
        let readings = Readings { time, values: vec![Some(1.0)], truth: None };
        let text = |severity: f64, state| {
            let judgement = Judgement {
                score: severity / 2.0,
                severity,
                anomalous: severity > 1.0,
                contributions: Vec::new(),
                reasons: Vec::new(),
                model: "sha256:1".into(),
            };
            live.text(&readings, &Outcome::Verdict(Verdict::new(&readings, judgement, state)))
        };
        insta::assert_snapshot!(text(0.83, AlarmState::Normal), @"pump 00:00:05 · 3412 readings · ████████░░│░░░░░░░░░░ 0.83 normal · 4 events, 1 alarm");
        insta::assert_snapshot!(text(1.41, AlarmState::TooShort), @"pump 00:00:05 · 3412 readings · ██████████│████░░░░░░ 1.41 anomalous, alarm if it lasts · 4 events, 1 alarm");
        insta::assert_snapshot!(live.text(&readings, &Outcome::Missing), @"pump 00:00:05 · 3412 readings · no verdict: a reading is missing · 4 events, 1 alarm");
    }
}
