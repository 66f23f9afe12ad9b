//! `model.retrain` in; the times of retraining out. For an interval they depend on the detector's name:
//! replicas agree on them without communication, and two detectors seldom train at once.

use crd::Valid;
use crd::schedule::Schedule;
use crd::valid::Retrain;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

/// The times at which a detector retrains. It is asked at every reading, but the calendar is searched only
/// once between two of these times.
#[derive(Clone, Debug)]
pub struct RetrainSchedule {
    moments: Moments,
    around: Option<Around>,
}

#[derive(Clone, Debug)]
enum Moments {
    Never,
    /// The multiples of a period since the Unix epoch, each delayed by the same part of the period; both in
    /// nanoseconds.
    Every {
        period: i128,
        offset: i128,
    },
    /// The times of a cron expression.
    At(Schedule),
}

/// Two neighbouring times of retraining: the last one that has passed, and the next one.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Around {
    last: Option<Timestamp>,
    next: Option<Timestamp>,
}

impl RetrainSchedule {
    /// The schedule of the spec. A loaded model is never retrained.
    pub fn new(detector: &Valid) -> Self {
        Self { moments: Moments::new(detector), around: None }
    }

    /// The last time of retraining after `since` and not after `now`, if there is one.
    pub fn latest(&mut self, since: Timestamp, now: Timestamp) -> Option<Timestamp> {
        self.around(now).last.filter(|moment| *moment > since)
    }

    /// The first time of retraining after `now`, if there is one.
    pub fn next(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.around(now).next
    }

    fn around(&mut self, now: Timestamp) -> Around {
        let known = self.around.filter(|around| around.has(now));
        *self.around.insert(known.unwrap_or_else(|| self.moments.around(now)))
    }
}

impl Moments {
    fn new(detector: &Valid) -> Self {
        match detector.retrain() {
            None => Self::Never,
            Some(Retrain::Interval(interval)) => {
                let period = std::time::Duration::from(*interval).as_nanos().cast_signed().max(1);
                Self::Every { period, offset: offset(&full_name(detector), period) }
            }
            Some(Retrain::Schedule { schedule, time_zone }) => Self::At(
                Schedule::new(schedule, time_zone.as_deref())
                    .expect("a rule of the spec: a schedule and a zone that exist"),
            ),
        }
    }

    fn around(&self, now: Timestamp) -> Around {
        match self {
            Self::Never => Around { last: None, next: None },
            Self::Every { period, offset } => {
                let k = (now.as_nanosecond() - offset).div_euclid(*period);
                let moment = |k| Timestamp::from_nanosecond(k * period + offset).ok();
                Around { last: moment(k), next: moment(k + 1) }
            }
            Self::At(schedule) => Around { last: latest_of(schedule, now), next: schedule.next(now) },
        }
    }
}

impl Around {
    fn has(self, now: Timestamp) -> bool {
        self.last.is_none_or(|last| last <= now) && self.next.is_none_or(|next| now < next)
    }
}

/// The last time of a schedule that is not after `now`. A schedule can only be searched forwards: so begin an
/// hour ago, then a day, a month, four years (a 29th of February).
fn latest_of(schedule: &Schedule, now: Timestamp) -> Option<Timestamp> {
    const HOURS: [i64; 4] = [1, 24, 31 * 24, 4 * 366 * 24];
    HOURS.into_iter().find_map(|hours| {
        let from = now.checked_sub(SignedDuration::from_hours(hours)).ok()?;
        let times = std::iter::successors(schedule.next(from), |time| schedule.next(*time));
        times.take_while(|time| *time <= now).last()
    })
}

/// A part of the period that depends on the name.
fn offset(name: &str, period: i128) -> i128 {
    let hash = Sha256::digest(name);
    let hash: [u8; 8] = std::array::from_fn(|i| hash[i]);
    (i128::from(u64::from_be_bytes(hash)) * period) >> 64
}

fn full_name(detector: &Valid) -> String {
    let namespace = detector.detector().metadata.namespace.as_deref().unwrap_or_default();
    format!("{namespace}/{}", detector.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn retrain_schedule(namespace: &str, model: &str) -> RetrainSchedule {
        let text = format!(
            "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {{name: fan, namespace: {namespace}}}\nspec:\n  \
             sources: [{{name: s, simulated: {{sensors: [{{name: speed}}]}}}}]\n  model: {model}\n"
        );
        RetrainSchedule::new(&crd::manifest::one_detector(&text).unwrap())
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn detectors_of_other_names_train_at_other_moments_of_the_same_period() {
        let now = at("2026-11-22T12:00:00Z");
        let [a, b] = ["a", "b"]
            .map(|namespace| retrain_schedule(namespace, "{retrain: {interval: 24h}}").next(now).unwrap());
        assert_ne!(a, b);
        for moment in [a, b] {
            assert!(moment > now && moment.duration_since(now) <= SignedDuration::from_hours(24));
        }
        assert_eq!(retrain_schedule("a", "{retrain: {interval: 24h}}").next(now), Some(a));
    }

    #[test]
    fn a_schedule_names_its_last_moment_on_its_zones_clock() {
        let mut nightly =
            retrain_schedule("a", "{retrain: {schedule: '0 3 * * *', timeZone: Europe/Berlin}}");
        let now = at("2026-11-22T12:00:00Z");
        assert_eq!(nightly.latest(at("2026-11-01T00:00:00Z"), now), Some(at("2026-11-22T02:00:00Z")));
        assert_eq!(nightly.latest(at("2026-11-22T02:00:00Z"), now), None);
        let mut leap = retrain_schedule("a", "{retrain: {schedule: '0 0 29 2 *'}}");
        assert_eq!(leap.latest(Timestamp::UNIX_EPOCH, now), Some(at("2024-02-29T00:00:00Z")));
    }

    #[test]
    fn nothing_asked_for_is_never() {
        assert_eq!(retrain_schedule("a", "{}").next(at("2026-11-22T12:00:00Z")), None);
    }

    proptest! {
        #[test]
        fn between_two_neighbouring_moments_lies_one_period(now in -10_000_000_000i64..10_000_000_000, seconds in 1u32..100_000) {
            let (now, mut every) = (Timestamp::from_second(now).unwrap(), retrain_schedule("a", &format!("{{retrain: {{interval: {seconds}s}}}}")));
            let (last, next) = (every.latest(Timestamp::MIN, now).unwrap(), every.next(now).unwrap());
            prop_assert!(last <= now && now < next);
            prop_assert_eq!(next.duration_since(last), SignedDuration::from_secs(i64::from(seconds)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn one_that_has_been_asked_before_says_what_a_new_one_says(
            instants in proptest::collection::vec(1_700_000_000i64..1_710_000_000, 1..8),
            schedule in prop::sample::select(vec!["0 3 * * *", "*/15 * * * *", "0 0 29 2 *"]),
        ) {
            let new = retrain_schedule("a", &format!("{{retrain: {{schedule: '{schedule}', timeZone: Europe/Berlin}}}}"));
            let mut asked = new.clone();
            for instant in instants {
                let now = Timestamp::from_second(instant).unwrap();
                prop_assert_eq!(asked.around(now), new.clone().around(now));
            }
        }
    }
}
