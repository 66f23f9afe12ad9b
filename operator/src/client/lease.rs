//! Leader election: of several replicas, the one that holds the Lease acts.
//!
//! The rules are those of client-go. A Lease is free when nobody's name is on it, or when it has not changed for its
//! whole duration, measured on the clock of the one who looks: clocks that disagree do no harm. The holder
//! renews it, stops acting well before others may take it, and gives it back when it stops.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

/// The name of the Lease.
pub const NAME: &str = "anomaly-operator";
/// Others may take a Lease that has not changed for this long.
const DURATION: Duration = Duration::from_secs(15);
/// The holder acts no longer than this after it last began to renew: less than the duration, so that two never act.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// How often the holder renews and others look.
const PERIOD: Duration = Duration::from_secs(2);

/// Whether this process may act, asked before each write.
#[derive(Clone, Debug)]
pub struct Leadership(Arc<Mutex<Term>>);

#[derive(Clone, Copy, Debug)]
enum Term {
    Endless,
    Until(Instant),
    None,
}

impl Leadership {
    /// There is no election: this process may always act.
    pub fn without_election() -> Self {
        Self(Arc::new(Mutex::new(Term::Endless)))
    }

    fn none() -> Self {
        Self(Arc::new(Mutex::new(Term::None)))
    }

    /// Whether this process may act now.
    pub fn is_held(&self) -> bool {
        match self.term() {
            Term::Endless => true,
            Term::Until(end) => Instant::now() < end,
            Term::None => false,
        }
    }

    fn term(&self) -> Term {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, term: Term) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = term;
    }
}

/// A candidate for the Lease.
pub struct Candidate {
    leases: Api<Lease>,
    identity: String,
    leadership: Leadership,
    seen: Option<Seen>,
}

/// The Lease as it was last seen to change.
#[derive(Clone, Debug)]
struct Seen {
    lease: Lease,
    at: Instant,
}

impl Candidate {
    /// For the Lease of that namespace. The client should not retry: a late answer is no answer.
    pub fn new(client: Client, namespace: &str, identity: String) -> Self {
        Self {
            leases: Api::namespaced(client, namespace),
            identity,
            leadership: Leadership::none(),
            seen: None,
        }
    }

    /// Whether this process leads.
    pub fn leadership(&self) -> Leadership {
        self.leadership.clone()
    }

    /// Wait for the Lease.
    pub async fn acquire(&mut self) {
        info!(identity = self.identity, "waiting for the Lease");
        while !self.attempt().await {
            sleep(PERIOD).await;
        }
        info!(identity = self.identity, "holding the Lease");
    }

    /// Renew the Lease, until it is lost.
    pub async fn hold(&mut self) {
        while self.leadership.is_held() {
            sleep(PERIOD).await;
            self.attempt().await;
        }
        warn!(identity = self.identity, "lost the Lease");
    }

    /// Give the Lease back, so that the next one need not wait for its end.
    pub async fn release(&mut self) {
        let held = self.leadership.is_held();
        self.leadership.set(Term::None);
        let Some(seen) = self.seen.clone().filter(|_| held) else { return };
        let mut lease = seen.lease;
        lease.spec = Some(LeaseSpec {
            holder_identity: None,
            lease_duration_seconds: Some(1),
            ..lease.spec.unwrap_or_default()
        });
        match timeout(PERIOD, self.leases.replace(NAME, &PostParams::default(), &lease)).await {
            Ok(Ok(_)) => info!("gave the Lease back"),
            Ok(Err(error)) => warn!(%error, "could not give the Lease back"),
            Err(_) => warn!("could not give the Lease back in time"),
        }
    }

    /// Take or renew the Lease, if it is free or ours.
    async fn attempt(&mut self) -> bool {
        let began = Instant::now();
        match timeout(RENEW_DEADLINE / 2, self.take()).await {
            Ok(Ok(true)) => {
                self.leadership.set(Term::Until(began + RENEW_DEADLINE));
                return true;
            }
            Ok(Ok(false)) => self.leadership.set(Term::None),
            Ok(Err(error)) => warn!(%error, "could not take or renew the Lease"),
            Err(_) => warn!("could not take or renew the Lease in time"),
        }
        false
    }

    async fn take(&mut self) -> kube::Result<bool> {
        let now = Timestamp::now();
        let taken = match self.leases.get_opt(NAME).await? {
            None => self.leases.create(&PostParams::default(), &signed(None, &self.identity, now)).await,
            Some(lease) => {
                let seen = self.observe(lease);
                if !is_free(&seen, &self.identity, Instant::now()) {
                    return Ok(false);
                }
                let lease = signed(Some(seen.lease), &self.identity, now);
                self.leases.replace(NAME, &PostParams::default(), &lease).await
            }
        };
        match taken {
            Ok(lease) => {
                self.observe(lease);
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false), // somebody was faster
            Err(error) => Err(error),
        }
    }

    /// A Lease that has not changed keeps the time at which it was seen to change.
    fn observe(&mut self, lease: Lease) -> Seen {
        let unchanged = self.seen.take().filter(|seen| seen.lease.spec == lease.spec);
        let at = unchanged.map_or_else(Instant::now, |seen| seen.at);
        self.seen.insert(Seen { lease, at }).clone()
    }
}

/// Whether the Lease is ours already, nobody's, or unchanged for all of its duration.
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

/// The Lease with our name on it, renewed now.
fn signed(lease: Option<Lease>, identity: &str, now: Timestamp) -> Lease {
    let lease = lease.unwrap_or_else(|| Lease {
        metadata: ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() },
        spec: None,
    });
    let before = lease.spec.unwrap_or_default();
    let ours = before.holder_identity.as_deref() == Some(identity);
    let spec = LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: Some(DURATION.as_secs() as i32),
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

    fn held_by(holder: &str) -> Seen {
        Seen { lease: signed(None, holder, Timestamp::UNIX_EPOCH), at: Instant::now() }
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
        leadership.set(Term::Until(Instant::now() + RENEW_DEADLINE));
        assert!(leadership.is_held());
        tokio::time::advance(RENEW_DEADLINE).await;
        assert!(!leadership.is_held());
        assert!(RENEW_DEADLINE < DURATION);
    }

    #[test]
    fn taking_over_counts_a_transition_and_renewing_does_not() {
        let first = signed(None, "a", Timestamp::UNIX_EPOCH);
        let renewed = signed(Some(first.clone()), "a", Timestamp::now());
        let taken = signed(Some(renewed.clone()), "b", Timestamp::now());
        let transitions = |lease: &Lease| lease.spec.as_ref().unwrap().lease_transitions;
        assert_eq!([&first, &renewed, &taken].map(transitions), [Some(1), Some(1), Some(2)]);
        assert_eq!(renewed.spec.unwrap().acquire_time, first.spec.unwrap().acquire_time);
    }
}
