//! Failures and successes of watches and calls in, whether the operator's view of the cluster is up to date
//! out: for /readyz and the metrics.
//!
//! A watch that fails is retried within seconds, and a watch without events reports nothing. So a watch is
//! behind while its newest failure is younger than the longest time from one try to the next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The longest time from one failure of a watch to the next: its backoff plus a connection that times out.
const STALE: Duration = Duration::from_secs(15);

/// Whether the operator's view of the cluster is up to date. Clones share their state.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    unreachable: Option<String>,
    watches: BTreeMap<String, Failure>,
}

/// The phase of the operator's process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// The API server has not answered yet.
    #[default]
    Starting,
    /// The operator reconciles, or waits for the Lease.
    Running,
    /// The operator is shutting down.
    Stopping,
}

#[derive(Debug)]
struct Failure {
    at: Instant,
    message: String,
    is_needed: bool,
}

impl Health {
    /// Set the phase of the process.
    pub fn enter(&self, phase: Phase) {
        self.0.lock().phase = phase;
    }

    /// Record that the API server answered a periodic call: of the Lease, or of the check at the start.
    pub fn call_succeeded(&self) {
        self.0.lock().unreachable = None;
    }

    /// Record that a periodic call failed. Return true for the first failure after a success.
    pub fn call_failed(&self, message: String) -> bool {
        self.0.lock().unreachable.replace(message).is_none()
    }

    /// Record that the watch of a kind failed. Return true if it was healthy before. The operator can be
    /// ready without a watch that is not needed.
    pub fn watch_failed(&self, kind: &str, message: String, is_needed: bool) -> bool {
        let failure = Failure { at: Instant::now(), message, is_needed };
        let before = self.0.lock().watches.insert(kind.to_owned(), failure);
        before.is_none_or(|before| before.at.elapsed() >= STALE)
    }

    /// Record that the watch of a kind received an event. Return true if it had failed before.
    pub fn watch_recovered(&self, kind: &str) -> bool {
        self.0.lock().watches.remove(kind).is_some()
    }

    /// The kinds whose watch is behind.
    pub fn behind(&self) -> Vec<String> {
        let state = self.0.lock();
        let behind = state.watches.iter().filter(|(_, failure)| failure.at.elapsed() < STALE);
        behind.map(|(kind, _)| kind.clone()).collect()
    }

    /// Why the operator is not ready, or `None` where it is ready.
    pub fn not_ready(&self) -> Option<String> {
        let state = self.0.lock();
        let behind = state
            .watches
            .iter()
            .find(|(_, failure)| failure.is_needed && failure.at.elapsed() < STALE)
            .map(|(kind, failure)| format!("the watch of {kind} is behind: {}", failure.message));
        let unreachable =
            state.unreachable.as_ref().map(|message| format!("the API server does not answer: {message}"));
        match state.phase {
            Phase::Starting => Some(unreachable.unwrap_or_else(|| "starting".to_owned())),
            Phase::Running => unreachable.or(behind),
            Phase::Stopping => Some("stopping".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running() -> Health {
        let health = Health::default();
        health.enter(Phase::Running);
        health
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_is_behind_until_it_has_not_failed_for_a_while_or_sees_something() {
        let health = running();
        assert!(health.watch_failed("Pod", "connection refused".to_owned(), true));
        assert_eq!(health.not_ready().unwrap(), "the watch of Pod is behind: connection refused");
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(!health.watch_failed("Pod", "connection refused".to_owned(), true), "no news");
        tokio::time::advance(STALE).await;
        assert_eq!((health.not_ready(), health.behind()), (None, vec![]));
        health.watch_failed("Pod", "connection refused".to_owned(), true);
        assert!(health.watch_recovered("Pod"));
        assert_eq!(health.not_ready(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_is_not_needed_shows_and_keeps_nobody_from_being_ready() {
        let health = running();
        health.watch_failed("ServiceMonitor", "forbidden".to_owned(), false);
        assert_eq!((health.not_ready(), health.behind()), (None, vec!["ServiceMonitor".to_owned()]));
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_server_that_is_away_is_not_ready_until_it_answers() {
        let health = Health::default();
        assert_eq!(health.not_ready().unwrap(), "starting");
        assert!(health.call_failed("timed out".to_owned()) && !health.call_failed("timed out".to_owned()));
        assert_eq!(health.not_ready().unwrap(), "the API server does not answer: timed out");
        health.enter(Phase::Running);
        health.call_succeeded();
        assert_eq!(health.not_ready(), None);
    }
}
