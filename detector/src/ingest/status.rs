//! A source's state and counts: whether it is connected, and what became of each of its readings.
//!
//! `arrived = scored + missing + refused + dropped`, exactly, but for readings that are under way. An instant at which a
//! sensor gave nothing counts as one that arrived and is missing.

use std::time::{Duration, Instant};

use crd::contract::SourceReport;
use parking_lot::{Mutex, MutexGuard};
use prometheus::{Gauge, IntCounter};

/// The log has at most one line in this time on what a source gives: what is wrong is often wrong each second.
const BETWEEN_LINES: Duration = Duration::from_secs(10);
/// For so long a report says what was refused.
const REPORTED_FOR: Duration = Duration::from_mins(5);

/// The numbers that Prometheus sees.
#[derive(Clone, Debug)]
pub struct Counters {
    /// 1 while connected.
    pub up: Gauge,
    /// Readings that arrived.
    pub arrived: IntCounter,
    /// Those that a verdict was made on.
    pub scored: IntCounter,
    /// Those without a value.
    pub missing: IntCounter,
    /// Those that can be no reading.
    pub refused: IntCounter,
    /// Those that no verdict was made on: too late, followed by a newer one before they counted, or at an instant that
    /// could not be judged.
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
    /// Why not.
    message: String,
    /// How often it has connected.
    connections: u64,
    /// When something was refused last, and why.
    refused: Option<(Instant, String)>,
    /// When the log got its last line on what the source gives.
    line: Option<Instant>,
}

/// What became of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A verdict was made on it.
    Scored,
    /// It has no value.
    Missing,
    /// No model can judge it.
    Refused,
    /// No verdict was made.
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

    /// A source whose state is not reported.
    pub fn unseen(name: &str) -> Self {
        Self::new(name, Counters::unseen())
    }

    /// The source's name in the spec.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// There is a connection. Whether there was none before.
    pub fn connected(&self) -> bool {
        let mut state = self.state();
        let is_new = !state.connected;
        state.connections += u64::from(!state.connected);
        state.connected = true;
        state.message.clear();
        self.counters.up.set(1.0);
        is_new
    }

    /// There is none, and why. Whether that was not known before.
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

    /// So many readings have arrived.
    pub fn arrived(&self, count: usize) {
        self.counters.arrived.inc_by(count as u64);
    }

    /// So many of those that arrived can be none, and why.
    pub fn refuse(&self, count: usize, why: &str) {
        self.counters.refused.inc_by(count as u64);
        self.state().refused = Some((Instant::now(), why.to_owned()));
        self.warn(why);
    }

    /// What is wrong with what the source gives: a line in the log, if there was none a moment ago.
    pub fn warn(&self, why: &str) {
        let mut state = self.state();
        if state.line.is_none_or(|line| line.elapsed() >= BETWEEN_LINES) {
            state.line = Some(Instant::now());
            tracing::warn!("source {}: {why}", self.name);
        }
    }

    /// No verdict will be made on so many of those that arrived.
    pub fn discard(&self, count: usize) {
        self.counters.dropped.inc_by(count as u64);
    }

    /// What became of one reading that arrived.
    pub fn settle(&self, fate: Fate) {
        let counter = match fate {
            Fate::Scored => &self.counters.scored,
            Fate::Missing => &self.counters.missing,
            Fate::Refused => &self.counters.refused,
            Fate::Dropped => &self.counters.dropped,
        };
        counter.inc();
    }

    /// The report to the operator.
    pub fn report(&self) -> SourceReport {
        let state = self.state();
        let refused = state.refused.as_ref().filter(|(at, _)| state.connected && at.elapsed() < REPORTED_FOR);
        let message =
            refused.map_or_else(|| state.message.clone(), |(_, why)| format!("refused last: {why}"));
        SourceReport { name: self.name.clone(), connected: state.connected, message }
    }

    /// The last reading that was refused, and why; none where all were good.
    pub fn refused(&self) -> Option<String> {
        self.state().refused.as_ref().map(|(_, why)| why.clone())
    }

    /// (arrived, scored, missing, refused, dropped).
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
    pub fn unseen() -> Self {
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
        let status = SourceStatus::new("plant", Counters::unseen());
        assert_eq!(status.report().message, "not opened yet");
        assert!(status.disconnected("connection refused") && !status.disconnected("connection refused"));
        assert_eq!(
            (status.report().connected, status.report().message.as_str()),
            (false, "connection refused")
        );
        assert!(status.connected() && !status.connected());
        assert_eq!((status.report().connected, status.report().message.as_str()), (true, ""));
        status.refuse(1, "level: expected a number, got \"high\"");
        assert_eq!(status.report().message, "refused last: level: expected a number, got \"high\"");
        assert_eq!(status.connections(), 1);
    }
}
