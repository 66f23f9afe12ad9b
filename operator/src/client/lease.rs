//! Leader election: of several replicas, the one that holds the Lease acts.
//!
//! The rules are those of client-go. A Lease is free when it names no holder, or when it has not changed for
//! its whole duration, measured on the candidate's own clock: clocks that disagree do no harm. The holder
//! renews the Lease, stops acting well before others may take it, and releases it when it stops.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use crate::client::health::Health;

/// The Lease and its duration. All other times are derived from the duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The namespace of the Lease.
    pub namespace: String,
    /// The name of the Lease: operators that share it exclude each other.
    pub name: String,
    /// Others may take a Lease that has not changed for this long. At least 5 s.
    pub duration: Duration,
}

impl Term {
    /// How long the holder may act after it began its last successful renewal: less than the duration, so
    /// that two replicas never act at once.
    fn deadline(&self) -> Duration {
        self.duration * 2 / 3
    }

    /// The interval between renewals, which take one call each.
    fn renewal(&self) -> Duration {
        self.duration / 3
    }

    /// The interval at which other candidates read the Lease, and the deadline of a call.
    fn look(&self) -> Duration {
        self.duration / 6
    }

    /// The wait before a failed renewal is retried.
    fn retry(&self) -> Duration {
        self.duration / 15
    }
}

/// Whether this process may act; checked before each write.
#[derive(Clone, Debug)]
pub struct Leadership(Arc<Mutex<Held>>);

#[derive(Clone, Copy, Debug)]
enum Held {
    Endless,
    Until(Instant),
    None,
}

impl Leadership {
    /// There is no election: this process may always act.
    pub fn without_election() -> Self {
        Self(Arc::new(Mutex::new(Held::Endless)))
    }

    fn none() -> Self {
        Self(Arc::new(Mutex::new(Held::None)))
    }

    /// Whether this process may act now.
    pub fn is_held(&self) -> bool {
        match self.held() {
            Held::Endless => true,
            Held::Until(end) => Instant::now() < end,
            Held::None => false,
        }
    }

    fn held(&self) -> Held {
        *self.0.lock()
    }

    fn set(&self, held: Held) {
        *self.0.lock() = held;
    }
}

/// A candidate for the Lease.
pub struct Candidate {
    leases: Api<Lease>,
    term: Term,
    identity: String,
    leadership: Leadership,
    health: Health,
    seen: Option<Seen>,
}

/// The newest Lease that was read, and when its spec was last seen to change.
#[derive(Clone, Debug)]
struct Seen {
    lease: Lease,
    at: Instant,
}

impl Candidate {
    /// Return a candidate for the Lease. The client should not retry, because an answer after the deadline is
    /// useless.
    pub fn new(client: Client, term: Term, identity: String, health: Health) -> Self {
        Self {
            leases: Api::namespaced(client, &term.namespace),
            term,
            identity,
            leadership: Leadership::none(),
            health,
            seen: None,
        }
    }

    /// Whether this process leads.
    pub fn leadership(&self) -> Leadership {
        self.leadership.clone()
    }

    /// Wait for the Lease.
    pub async fn acquire(&mut self) {
        info!(identity = self.identity, lease = self.term.name, "waiting for the Lease");
        while !self.attempt().await {
            sleep(self.term.look()).await;
        }
        info!(identity = self.identity, lease = self.term.name, "holding the Lease");
    }

    /// Renew the Lease, until it is lost.
    pub async fn hold(&mut self) {
        let mut wait = self.term.renewal();
        while self.leadership.is_held() {
            sleep(wait).await;
            wait = if self.attempt().await { self.term.renewal() } else { self.term.retry() };
        }
        warn!(identity = self.identity, lease = self.term.name, "lost the Lease");
    }

    /// Release the Lease, so that the next holder need not wait until it expires.
    pub async fn release(&mut self) {
        let held = self.leadership.is_held();
        self.leadership.set(Held::None);
        let Some(seen) = self.seen.clone().filter(|_| held) else { return };
        let mut lease = seen.lease;
        lease.spec = Some(LeaseSpec {
            holder_identity: None,
            lease_duration_seconds: Some(1),
            ..lease.spec.unwrap_or_default()
        });
        match timeout(self.term.look(), self.replace(&lease)).await {
            Ok(Ok(_)) => info!("released the Lease"),
            Ok(Err(error)) => warn!(%error, "could not release the Lease"),
            Err(_) => warn!("could not release the Lease in time"),
        }
    }

    /// Take or renew the Lease, if it is free or ours. Return whether this process holds it.
    async fn attempt(&mut self) -> bool {
        let began = Instant::now();
        let failure = match timeout(self.term.look(), self.take()).await {
            Ok(Ok(is_ours)) => {
                self.health.call_succeeded();
                let held = if is_ours { Held::Until(began + self.term.deadline()) } else { Held::None };
                self.leadership.set(held);
                return is_ours;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {:?}", self.term.look()),
        };
        if self.health.call_failed(failure.clone()) {
            warn!(error = failure, "could not acquire or renew the Lease; retrying");
        }
        false
    }

    async fn take(&mut self) -> kube::Result<bool> {
        // The holder knows the Lease: it renews with one call.
        let known = self.seen.clone().filter(|_| self.leadership.is_held()).map(|seen| seen.lease);
        if let Some(known) = known
            && self.write(Some(known)).await?
        {
            return Ok(true);
        }
        match self.leases.get_opt(&self.term.name).await? {
            None => self.write(None).await,
            Some(lease) => {
                let seen = self.observe(lease);
                if is_free(&seen, &self.identity, Instant::now()) {
                    self.write(Some(seen.lease)).await
                } else {
                    Ok(false)
                }
            }
        }
    }

    /// Write the Lease with this process as its holder. Return false if another candidate was faster, or the
    /// Lease is gone.
    async fn write(&mut self, lease: Option<Lease>) -> kube::Result<bool> {
        let is_new = lease.is_none();
        let ours = signed(lease, &self.term, &self.identity, Timestamp::now());
        let written = if is_new {
            self.leases.create(&PostParams::default(), &ours).await
        } else {
            self.replace(&ours).await
        };
        match written {
            Ok(lease) => {
                self.observe(lease);
                Ok(true)
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn replace(&self, lease: &Lease) -> kube::Result<Lease> {
        self.leases.replace(&self.term.name, &PostParams::default(), lease).await
    }

    /// Store the Lease that was read. If its spec has not changed, the time of the last change is kept.
    fn observe(&mut self, lease: Lease) -> Seen {
        let unchanged = self.seen.take().filter(|seen| seen.lease.spec == lease.spec);
        let at = unchanged.map_or_else(Instant::now, |seen| seen.at);
        self.seen.insert(Seen { lease, at }).clone()
    }
}

/// Whether the Lease is already ours, has no holder, or has not changed for its whole duration.
fn is_free(seen: &Seen, identity: &str, now: Instant) -> bool {
    let Some(spec) = &seen.lease.spec else { return true };
    match spec.holder_identity.as_deref() {
        None | Some("") => true,
        Some(holder) if holder == identity => true,
        Some(_) => {
            let seconds = spec.lease_duration_seconds.unwrap_or_default().max(1);
            now.duration_since(seen.at) >= Duration::from_secs(seconds as u64)
        }
    }
}

/// Return the Lease with this process as its holder, renewed now.
fn signed(lease: Option<Lease>, term: &Term, identity: &str, now: Timestamp) -> Lease {
    let lease = lease.unwrap_or_else(|| Lease {
        metadata: ObjectMeta { name: Some(term.name.clone()), ..ObjectMeta::default() },
        spec: None,
    });
    let before = lease.spec.unwrap_or_default();
    let ours = before.holder_identity.as_deref() == Some(identity);
    let spec = LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: Some(term.duration.as_secs() as i32),
        renew_time: Some(MicroTime(now)),
        acquire_time: if ours { before.acquire_time } else { Some(MicroTime(now)) },
        lease_transitions: Some(before.lease_transitions.unwrap_or_default() + i32::from(!ours)),
        ..LeaseSpec::default()
    };
    Lease { metadata: lease.metadata, spec: Some(spec) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURATION: Duration = Duration::from_secs(15);

    fn term() -> Term {
        Term { namespace: "plant".to_owned(), name: "operator".to_owned(), duration: DURATION }
    }

    fn held_by(holder: &str) -> Seen {
        Seen { lease: signed(None, &term(), holder, Timestamp::UNIX_EPOCH), at: Instant::now() }
    }

    #[tokio::test(start_paused = true)]
    async fn anothers_lease_is_free_only_after_all_of_its_duration_unchanged() {
        let seen = held_by("other");
        assert!(!is_free(&seen, "me", seen.at));
        assert!(!is_free(&seen, "me", seen.at + DURATION - Duration::from_millis(1)));
        assert!(is_free(&seen, "me", seen.at + DURATION));
    }

    #[tokio::test(start_paused = true)]
    async fn our_own_lease_and_one_given_back_are_free_at_once() {
        let mut seen = held_by("me");
        assert!(is_free(&seen, "me", seen.at));
        seen.lease.spec.as_mut().unwrap().holder_identity = None;
        assert!(is_free(&seen, "other", seen.at));
    }

    #[tokio::test(start_paused = true)]
    async fn the_holder_stops_acting_before_others_may_begin() {
        let leadership = Leadership::none();
        assert!(!leadership.is_held());
        leadership.set(Held::Until(Instant::now() + term().deadline()));
        assert!(leadership.is_held());
        tokio::time::advance(term().deadline()).await;
        assert!(!leadership.is_held());
        assert!(term().deadline() < DURATION);
    }

    #[test]
    fn taking_over_counts_a_transition_and_renewing_does_not() {
        let first = signed(None, &term(), "a", Timestamp::UNIX_EPOCH);
        let renewed = signed(Some(first.clone()), &term(), "a", Timestamp::now());
        let taken = signed(Some(renewed.clone()), &term(), "b", Timestamp::now());
        let transitions = |lease: &Lease| lease.spec.as_ref().unwrap().lease_transitions;
        assert_eq!([&first, &renewed, &taken].map(transitions), [Some(1), Some(1), Some(2)]);
        assert_eq!(renewed.spec.unwrap().acquire_time, first.spec.unwrap().acquire_time);
    }

    #[test]
    fn a_renewal_that_fails_once_is_tried_again_before_the_deadline() {
        let term = term();
        assert!(term.renewal() + term.look() + term.retry() < term.deadline());
    }
}
