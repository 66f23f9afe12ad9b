//! `every` or `schedule` in; the moments to train anew out. The same name, the same moments: replicas agree on them without
//! a word, and two detectors seldom train at once.

use crd::Valid;
use crd::schedule::Schedule;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

/// The moments at which a detector trains anew.
#[derive(Clone, Debug)]
pub enum Renewal {
    /// Never.
    Never,
    /// The multiples of a period since the Unix epoch, each put off by the same part of the period.
    Every {
        /// The period, nanoseconds.
        period: i128,
        /// How much they are put off, nanoseconds: less than the period.
        offset: i128,
    },
    /// The times of a cron expression.
    At(Schedule),
}

impl Renewal {
    /// What the spec asks for. A model that is loaded is never trained.
    pub fn new(detector: &Valid) -> Self {
        let Some(train) = detector.train() else { return Self::Never };
        if let Some(every) = train.every {
            let period = std::time::Duration::from(every).as_nanos().cast_signed().max(1);
            return Self::Every { period, offset: offset(&full_name(detector), period) };
        }
        let schedule = train.schedule.as_deref();
        let schedule = schedule.and_then(|text| Schedule::new(text, train.time_zone.as_deref()).ok());
        schedule.map_or(Self::Never, Self::At)
    }

    /// The last moment after `since`, and not after `now`; none where there is none.
    pub fn latest(&self, since: Timestamp, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Never => None,
            Self::Every { period, offset } => {
                let k = (now.as_nanosecond() - offset).div_euclid(*period);
                Timestamp::from_nanosecond(k * period + offset).ok()
            }
            Self::At(schedule) => latest_of(schedule, now),
        }
        .filter(|moment| *moment > since)
    }

    /// The first moment after `now`.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Never => None,
            Self::Every { period, offset } => {
                let k = (now.as_nanosecond() - offset).div_euclid(*period) + 1;
                Timestamp::from_nanosecond(k * period + offset).ok()
            }
            Self::At(schedule) => schedule.next(now),
        }
    }
}

/// Schedules are walked forwards only: so begin an hour ago, then a day, a month, four years (a 29th of February).
fn latest_of(schedule: &Schedule, now: Timestamp) -> Option<Timestamp> {
    const HOURS: [i64; 4] = [1, 24, 31 * 24, 4 * 366 * 24];
    HOURS.into_iter().find_map(|hours| {
        let from = now.checked_sub(SignedDuration::from_hours(hours)).ok()?;
        let times = std::iter::successors(schedule.next(from), |time| schedule.next(*time));
        times.take_while(|time| *time <= now).last()
    })
}

/// A part of the period that the name decides.
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

    fn renewal(namespace: &str, train: &str) -> Renewal {
        let text = format!(
            "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {{name: fan, namespace: {namespace}}}\nspec:\n  \
             sources: [{{name: s, simulated: {{sensors: [{{name: speed}}]}}}}]\n  model: {{train: {train}}}\n"
        );
        Renewal::new(&crd::manifest::one_detector(&text).unwrap())
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn detectors_of_other_names_train_at_other_moments_of_the_same_period() {
        let now = at("2026-11-22T12:00:00Z");
        let [a, b] = ["a", "b"].map(|namespace| renewal(namespace, "{every: 24h}").next(now).unwrap());
        assert_ne!(a, b);
        for moment in [a, b] {
            assert!(moment > now && moment.duration_since(now) <= SignedDuration::from_hours(24));
        }
        assert_eq!(renewal("a", "{every: 24h}").next(now), Some(a));
    }

    #[test]
    fn a_schedule_names_its_last_moment_on_its_zones_clock() {
        let nightly = renewal("a", "{schedule: '0 3 * * *', timeZone: Europe/Berlin}");
        let now = at("2026-11-22T12:00:00Z");
        assert_eq!(nightly.latest(at("2026-11-01T00:00:00Z"), now), Some(at("2026-11-22T02:00:00Z")));
        assert_eq!(nightly.latest(at("2026-11-22T02:00:00Z"), now), None);
        let leap = renewal("a", "{schedule: '0 0 29 2 *'}");
        assert_eq!(leap.latest(Timestamp::UNIX_EPOCH, now), Some(at("2024-02-29T00:00:00Z")));
    }

    #[test]
    fn nothing_asked_for_is_never() {
        assert_eq!(renewal("a", "{}").next(at("2026-11-22T12:00:00Z")), None);
    }

    proptest! {
        #[test]
        fn between_two_neighbouring_moments_lies_one_period(now in -10_000_000_000i64..10_000_000_000, seconds in 1u32..100_000) {
            let (now, every) = (Timestamp::from_second(now).unwrap(), renewal("a", &format!("{{every: {seconds}s}}")));
            let (last, next) = (every.latest(Timestamp::MIN, now).unwrap(), every.next(now).unwrap());
            prop_assert!(last <= now && now < next);
            prop_assert_eq!(next.duration_since(last), SignedDuration::from_secs(i64::from(seconds)));
        }
    }
}
