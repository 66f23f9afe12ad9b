//! Judgements in, one instant after another; whether each raises an alarm out, or why it does not.

use std::collections::VecDeque;
use std::time::Duration;

use crd::Valid;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::judgement::Judgement;
use crate::scoring::habituation::{Bar, Habituation};
use crate::scoring::mute_windows::MuteWindows;
use crate::scoring::verdict::AlarmState;

/// The rule that turns anomalous instants into alarms, and its memory.
///
/// Anomalous instants without a normal one between them are a run. A run raises one alarm, at its first
/// instant that meets all conditions: it is `minimumDuration` after the newest normal instant, the
/// [`PeakFilter`] and [`Habituation`] allow it, it is `coolDown` after the last anomalous instant of the run
/// that raised the previous alarm, and it is in no mute window. So a short run raises no alarm, and a run
/// that outlasts the cool-down or the window is not lost. Instants without a verdict neither end a run nor
/// prolong it.
#[derive(Clone, Debug)]
pub struct Alarm {
    minimum_duration: Duration,
    cool_down: Duration,
    habituation: Option<Habituation>,
    mute_windows: MuteWindows,
    memory: AlarmMemory,
}

/// The rule's memory of the instants so far. It is saved across restarts, so that no alarm is raised twice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmMemory {
    peak: PeakFilter,
    run: Option<Run>,
    /// The newest instant with a normal verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    normal: Option<Timestamp>,
    alarmed_until: Option<Timestamp>,
    /// How far over 1 the severity of an alarm must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bar: Option<Bar>,
}

/// Anomalous instants in a row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Run {
    /// The newest normal instant before the run; its own first instant if there was none.
    began: Timestamp,
    peaked: bool,
    alarmed: bool,
    /// The highest severity in it.
    #[serde(default)]
    highest: f64,
}

/// Decides whether a severity is a peak: higher than every severity within the lookback before it. So a
/// severity raises one alarm, and only a higher one raises another. With a lookback of 0, each is a peak.
///
/// On the series of the Numenta Anomaly Benchmark (Lavin and Ahmad, 2015) this does more than any other rule that was
/// tried: see `benches/RESULTS.md`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeakFilter {
    lookback: Duration,
    /// The times and severities within `lookback` that no later severity exceeds: times rise, severities
    /// fall.
    heights: VecDeque<(Timestamp, f64)>,
}

/// The most heights that are kept, so that memory is bounded. In a longer fall, later ones only renew the
/// time of the last.
const MAX_HEIGHTS: usize = 10_000;

impl PeakFilter {
    /// Create a filter with this lookback, without any severity.
    pub fn new(lookback: Duration) -> Self {
        Self { lookback, heights: VecDeque::new() }
    }

    /// Add the next severity, and return whether it is a peak. Takes amortised constant time.
    pub fn reached(&mut self, time: Timestamp, severity: f64) -> bool {
        while self.heights.front().is_some_and(|(earlier, _)| since(*earlier, time) > self.lookback) {
            self.heights.pop_front();
        }
        while self.heights.back().is_some_and(|(_, height)| *height < severity) {
            self.heights.pop_back();
        }
        let reached = self.heights.is_empty();
        if self.heights.len() == MAX_HEIGHTS {
            self.heights[MAX_HEIGHTS - 1].0 = time;
        } else if !self.lookback.is_zero() {
            self.heights.push_back((time, severity));
        }
        reached
    }
}

impl Alarm {
    /// Create the rule of a detector's spec, without any instant.
    pub fn new(detector: &Valid) -> Self {
        let spec = &detector.spec().alarm;
        Self {
            minimum_duration: spec.minimum_duration.into(),
            cool_down: spec.cool_down.into(),
            habituation: spec.habituation.map(Habituation::from),
            mute_windows: MuteWindows::new(&detector.spec().mute_windows),
            memory: AlarmMemory {
                peak: PeakFilter::new(spec.lookback.into()),
                run: None,
                normal: None,
                alarmed_until: None,
                bar: None,
            },
        }
    }

    /// The memory that a later process restores.
    pub fn memory(&self) -> &AlarmMemory {
        &self.memory
    }

    /// Restore the memory that an earlier process saved. Heights are restored only if the spec has the same
    /// lookback.
    pub fn restore(&mut self, memory: &AlarmMemory) {
        let peak = std::mem::replace(&mut self.memory, memory.clone()).peak;
        if self.memory.peak.lookback != peak.lookback {
            self.memory.peak = peak;
        }
        self.memory.bar = self.memory.bar.filter(|_| self.habituation.is_some());
    }

    /// Judge the next instant, and return what it does to the alarm. Instants come in the order of time.
    pub fn judge(&mut self, time: Timestamp, judgement: &Judgement) -> AlarmState {
        let peak = self.memory.peak.reached(time, judgement.severity);
        if !judgement.anomalous {
            self.memory.run = None;
            self.memory.normal = Some(time);
            return AlarmState::Normal;
        }
        let began = self.memory.normal.unwrap_or(time);
        let run = self.memory.run.get_or_insert(Run { began, peaked: false, alarmed: false, highest: 0.0 });
        run.peaked |= peak;
        run.highest = run.highest.max(judgement.severity);
        let bar = self.habituation.map_or(0.0, |habituation| habituation.height(self.memory.bar, time));
        let alarm_state = if run.alarmed {
            AlarmState::Ongoing
        } else if since(run.began, time) < self.minimum_duration {
            AlarmState::TooShort
        } else if !run.peaked || run.highest <= 1.0 + bar {
            AlarmState::NoPeak
        } else if self.memory.alarmed_until.is_some_and(|end| since(end, time) < self.cool_down) {
            AlarmState::CoolingDown
        } else {
            self.mute_windows.open_at(time).map_or(AlarmState::Alarm, |window| AlarmState::Muted { window })
        };
        if alarm_state == AlarmState::Alarm {
            self.memory.bar = self.habituation.map(|habituation| habituation.raised(bar, time));
        }
        if matches!(alarm_state, AlarmState::Alarm | AlarmState::Ongoing) {
            run.alarmed = true;
            self.memory.alarmed_until = Some(time);
        }
        alarm_state
    }
}

/// The time from one instant to a later one; 0 if the clock was set back.
fn since(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
