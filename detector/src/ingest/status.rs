//! The state and counts of a source: whether it is connected, and the outcomes of its readings.
//!
//! `arrived = scored + missing + refused + dropped`, exactly, except for readings that are still pending. An
//! instant at which a sensor has no reading counts as one reading that arrived and is missing.

use std::time::{Duration, Instant};

use crd::contract::SourceReport;
use parking_lot::{Mutex, MutexGuard};
use prometheus::{Gauge, IntCounter};

/// The least time between two log lines about a source's readings: the same error often occurs every second.
const BETWEEN_LINES: Duration = Duration::from_secs(10);
/// How long a report mentions the last refused reading.
const REPORTED_FOR: Duration = Duration::from_mins(5);

/// The metrics of a source that Prometheus scrapes.
#[derive(Clone, Debug)]
pub struct Counters {
    /// 1 while connected.
    pub up: Gauge,
    /// Readings that arrived.
    pub arrived: IntCounter,
    /// Readings that a verdict was made on.
    pub scored: IntCounter,
    /// Readings without a value.
    pub missing: IntCounter,
    /// Readings that are not valid, or that no model can judge.
    pub refused: IntCounter,
    /// Readings that no verdict was made on: too late, replaced by a newer one before they were used, or at
    /// an instant that could not be judged.
    pub dropped: IntCounter,
}

/// A source's state and counts, shared by the source and its reports.
#[derive(Debug)]
pub struct SourceStatus {
    name: String,
    counters: Counters,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    connected: bool,
    /// Why it is not connected; empty while it is connected.
    message: String,
    /// How often it has connected.
    connections: u64,
    /// When something was refused last, and why.
    refused: Option<(Instant, String)>,
    /// The time of the last log line about the source's readings.
    line: Option<Instant>,
}

/// The outcome of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadingOutcome {
    /// A verdict was made on it.
    Scored,
    /// It has no value.
    Missing,
    /// No model can judge it: it is not finite as a 32-bit float.
    Refused,
    /// It has a value, but no verdict was made on it.
    Dropped,
}

impl SourceStatus {
    /// A source before its first connection.
    pub fn new(name: &str, counters: Counters) -> Self {
        counters.up.set(0.0);
        let message = "not opened yet".to_owned();
        let state = State { connected: false, message, connections: 0, refused: None, line: None };
        Self { name: name.to_owned(), counters, state: Mutex::new(state) }
    }

    /// The status of a source whose metrics are not exported.
    pub fn unexported(name: &str) -> Self {
        Self::new(name, Counters::unexported())
    }

    /// The source's name in the spec.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Record that the source is connected. Return whether it was not connected before.
    pub fn connected(&self) -> bool {
        let mut state = self.state();
        let is_new = !state.connected;
        state.connections += u64::from(!state.connected);
        state.connected = true;
        state.message.clear();
        self.counters.up.set(1.0);
        is_new
    }

    /// Record that the source is not connected, and why. Return whether the state or the reason has changed.
    pub fn disconnected(&self, why: &str) -> bool {
        let mut state = self.state();
        let is_new = state.connected || state.message != why;
        state.connected = false;
        why.clone_into(&mut state.message);
        self.counters.up.set(0.0);
        is_new
    }

    /// How often it has connected.
    pub fn connections(&self) -> u64 {
        self.state().connections
    }

    /// Count readings that arrived.
    pub fn arrived(&self, count: usize) {
        self.counters.arrived.inc_by(count as u64);
    }

    /// Count arrived readings as refused, and record and log why.
    pub fn refuse(&self, count: usize, why: &str) {
        self.counters.refused.inc_by(count as u64);
        self.state().refused = Some((Instant::now(), why.to_owned()));
        self.warn(why);
    }

    /// Log what is wrong with the source's readings, at most one line in 10 s.
    pub fn warn(&self, why: &str) {
        let mut state = self.state();
        if state.line.is_none_or(|line| line.elapsed() >= BETWEEN_LINES) {
            state.line = Some(Instant::now());
            tracing::warn!("source {}: {why}", self.name);
        }
    }

    /// Count arrived readings as dropped: no verdict is made on them.
    pub fn discard(&self, count: usize) {
        self.counters.dropped.inc_by(count as u64);
    }

    /// Record the outcome of one reading that arrived.
    pub fn record_outcome(&self, outcome: ReadingOutcome) {
        let counter = match outcome {
            ReadingOutcome::Scored => &self.counters.scored,
            ReadingOutcome::Missing => &self.counters.missing,
            ReadingOutcome::Refused => &self.counters.refused,
            ReadingOutcome::Dropped => &self.counters.dropped,
        };
        counter.inc();
    }

    /// The report to the operator.
    pub fn report(&self) -> SourceReport {
        let state = self.state();
        let refused = state.refused.as_ref().filter(|(at, _)| state.connected && at.elapsed() < REPORTED_FOR);
        let message =
            refused.map_or_else(|| state.message.clone(), |(_, why)| format!("last refusal: {why}"));
        SourceReport { name: self.name.clone(), connected: state.connected, message }
    }

    /// Why the last refused reading was refused; none where none was refused.
    pub fn refused(&self) -> Option<String> {
        self.state().refused.as_ref().map(|(_, why)| why.clone())
    }

    /// The counts: arrived; then scored, missing, refused and dropped.
    pub fn counts(&self) -> (u64, [u64; 4]) {
        let Counters { arrived, scored, missing, refused, dropped, .. } = &self.counters;
        (arrived.get(), [scored, missing, refused, dropped].map(IntCounter::get))
    }
}

impl Counters {
    /// Numbers that are not exported.
    ///
    /// # Panics
    /// Never: the names are constant.
    pub fn unexported() -> Self {
        let counter = || IntCounter::new("readings", "readings").expect("a constant name");
        Self {
            up: Gauge::new("up", "up").expect("a constant name"),
            arrived: counter(),
            scored: counter(),
            missing: counter(),
            refused: counter(),
            dropped: counter(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_why_there_is_no_connection_until_there_is_one() {
        let status = SourceStatus::new("plant", Counters::unexported());
        assert_eq!(status.report().message, "not opened yet");
        assert!(status.disconnected("connection refused") && !status.disconnected("connection refused"));
        assert_eq!(
            (status.report().connected, status.report().message.as_str()),
            (false, "connection refused")
        );
        assert!(status.connected() && !status.connected());
        assert_eq!((status.report().connected, status.report().message.as_str()), (true, ""));
        status.refuse(1, "level: expected a number, got \"high\"");
        assert_eq!(status.report().message, "last refusal: level: expected a number, got \"high\"");
        assert_eq!(status.connections(), 1);
    }
}
