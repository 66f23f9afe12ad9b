//! Judgements in, one instant after another; whether each raises an alarm out, or why it does not.

use std::collections::VecDeque;
use std::time::Duration;

use crd::Valid;
use jiff::Timestamp;

use crate::alerting::mute_windows::MuteWindows;
use crate::scoring::verdict::Judgement;

/// What an instant does to the alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmState {
    /// Nothing: it is not anomalous.
    Normal,
    /// Nothing yet: it is anomalous, but not for `minimumDuration` so far.
    TooShort,
    /// Nothing yet: it is no stranger than one of the last `peak` verdicts.
    NoPeak,
    /// Nothing yet: the last alarm is not `coolDown` ago.
    CoolingDown,
    /// Nothing yet: this one of the spec's quiet windows, counted from 0, is open.
    Quiet {
        /// Its index.
        window: usize,
    },
    /// The alarm: this is the instant that people are called for.
    Alarm,
    /// Nothing more: an alarm has been raised, and it is anomalous ever since.
    Ongoing,
}

/// The rule that makes alarms of anomalous instants, and what it remembers.
///
/// Anomalous instants without a normal one between them are a run. A run raises one alarm, at its first instant
/// that is `minimumDuration` after its beginning, not before a [`PeakFilter`] of it, `coolDown` after the last anomalous instant of the run that raised
/// the alarm before, and in no quiet window: a short run raises none, and one that outlasts the cool-down or the
/// window is not lost. Instants without a verdict neither end a run nor prolong it.
#[derive(Clone, Debug)]
pub struct Alarm {
    minimum_duration: Duration,
    peak: PeakFilter,
    cool_down: Duration,
    quiet: MuteWindows,
    run: Option<Run>,
    alarmed_until: Option<Timestamp>,
}

/// Anomalous instants in a row.
#[derive(Clone, Copy, Debug)]
struct Run {
    began: Timestamp,
    peaked: bool,
    alarmed: bool,
}

/// Whether a severity is over each of the last so many before it: a height is told of once, and again only where it is
/// topped. With none to look back on, every severity is.
///
/// On the series of the Numenta Anomaly Benchmark (Lavin and Ahmad, 2015) this does more than any other rule that was
/// tried: see `benches/RESULTS.md`.
#[derive(Clone, Debug)]
pub struct PeakFilter {
    over: usize,
    seen: usize,
    /// (number, severity) of those of the last `over` that no later one has reached: severities fall, numbers rise.
    heights: VecDeque<(usize, f64)>,
}

impl PeakFilter {
    /// Over so many. Nothing seen yet.
    pub fn new(over: usize) -> Self {
        Self { over, seen: 0, heights: VecDeque::new() }
    }

    /// Whether this severity, which comes next, is a peak. Amortised constant time.
    pub fn reached(&mut self, severity: f64) -> bool {
        while self.heights.front().is_some_and(|(number, _)| number + self.over < self.seen) {
            self.heights.pop_front();
        }
        while self.heights.back().is_some_and(|(_, height)| *height < severity) {
            self.heights.pop_back();
        }
        let reached = self.heights.is_empty();
        if self.over > 0 {
            self.heights.push_back((self.seen, severity));
        }
        self.seen += 1;
        reached
    }
}

impl Alarm {
    /// The rule of a detector's spec. Nothing seen yet.
    pub fn new(detector: &Valid) -> Self {
        let spec = &detector.spec().alarm;
        Self {
            minimum_duration: spec.minimum_duration.into(),
            peak: PeakFilter::new(spec.peak as usize),
            cool_down: spec.cool_down.into(),
            quiet: MuteWindows::new(&detector.spec().quiet),
            run: None,
            alarmed_until: None,
        }
    }

    /// What the judgement of the next instant does. Instants come in the order of time.
    pub fn judge(&mut self, time: Timestamp, judgement: &Judgement) -> AlarmState {
        let peak = self.peak.reached(judgement.severity);
        if !judgement.anomalous {
            self.run = None;
            return AlarmState::Normal;
        }
        let run = self.run.get_or_insert(Run { began: time, peaked: false, alarmed: false });
        run.peaked |= peak;
        let alarm_state = if run.alarmed {
            AlarmState::Ongoing
        } else if since(run.began, time) < self.minimum_duration {
            AlarmState::TooShort
        } else if !run.peaked {
            AlarmState::NoPeak
        } else if self.alarmed_until.is_some_and(|end| since(end, time) < self.cool_down) {
            AlarmState::CoolingDown
        } else {
            self.quiet.open_at(time).map_or(AlarmState::Alarm, |window| AlarmState::Quiet { window })
        };
        if matches!(alarm_state, AlarmState::Alarm | AlarmState::Ongoing) {
            run.alarmed = true;
            self.alarmed_until = Some(time);
        }
        alarm_state
    }
}

/// From one instant to a later one; 0 where the clock was set back.
fn since(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
