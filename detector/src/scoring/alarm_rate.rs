//! Verdicts in, one after another; the alarm rate compared with the rate that the threshold promises, the
//! sensors that cause it, and whether the model fits its readings at all, out.
//!
//! Both rates are sums over the newest readings with exponentially falling weights, over an hour or, if that
//! is longer, over the time for which the threshold promises one alarm. A model that does not fit is
//! recognized by its first `FIRST` verdicts, by a binomial test. The alarm rate is a pure function of the
//! verdicts and is stored in the snapshot.

use crd::status::AlarmRate as Report;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::tail::Promise;
use crate::scoring::verdict::Verdict;

/// The rate counts as exceeded if it is more than this many times the promised rate for an hour.
pub const MAX_RATIO: f64 = 5.0;
/// The time for which the rate must be over [`MAX_RATIO`] to count as exceeded.
const PATIENCE: SignedDuration = SignedDuration::from_hours(1);
const HOUR: f64 = 3600.0;
const DAY: f64 = 86_400.0;
/// The number of first verdicts that show whether a model fits.
pub const FIRST: u32 = 100;
/// The least number of anomalous ones among them if the model does not fit: fewer are more likely an event.
const FIRST_ANOMALOUS: u32 = 20;
/// The model does not fit if the probability of as many anomalous ones, given the promise, is less than this.
const SIGNIFICANCE: f64 = 1e-3;
/// The most sensors that a report names.
const NAMED: usize = 3;

/// The promised and the realised alarms of the newest readings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AlarmRate {
    promise: Promise,
    /// The time from one reading to the next, in seconds.
    seconds_apart: f64,
    /// The weighted sums of promised and of realised alarms, over the newest readings.
    promised: f64,
    realised: f64,
    /// The weighted sum of the contributions of each sensor to anomalous readings.
    contributions: Vec<f64>,
    /// Whether the newest verdict was anomalous.
    in_event: bool,
    /// Since when the ratio has been over [`MAX_RATIO`].
    over_since: Option<Timestamp>,
    newest: Option<Timestamp>,
    first: First,
}

/// The first verdicts by a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct First {
    verdicts: u32,
    anomalous: u32,
}

impl AlarmRate {
    /// Create an alarm rate without verdicts, for this many sensors with readings `seconds_apart` seconds
    /// apart.
    pub fn new(promise: Promise, seconds_apart: f64, sensors: usize) -> Self {
        Self {
            promise,
            seconds_apart,
            promised: 0.0,
            realised: 0.0,
            contributions: vec![0.0; sensors],
            in_event: false,
            over_since: None,
            newest: None,
            first: First::default(),
        }
    }

    /// Whether it has the same promise, interval of readings and number of sensors as `other`, and valid
    /// sums.
    pub fn is_like(&self, other: &Self) -> bool {
        let sums = self.contributions.iter().chain([&self.promised, &self.realised]);
        self.promise == other.promise
            && self.seconds_apart.to_bits() == other.seconds_apart.to_bits()
            && self.contributions.len() == other.contributions.len()
            && sums.into_iter().all(|sum| sum.is_finite() && *sum >= 0.0)
    }

    /// The alarm rate after another model takes over, whose own is `next`: the sums stay if both are alike,
    /// and the count of first verdicts restarts.
    #[must_use]
    pub fn carried_over(&self, next: Self) -> Self {
        if self.is_like(&next) { Self { first: First::default(), ..self.clone() } } else { next }
    }

    /// Count the next verdict.
    pub fn follow(&mut self, verdict: &Verdict) {
        let anomalous = verdict.judgement.anomalous;
        let keep = libm::exp(-1.0 / self.readings());
        let counts = anomalous && (self.promise.counts_readings() || !self.in_event);
        self.promised = self.promised * keep + self.promise.share();
        self.realised = self.realised * keep + f64::from(u8::from(counts));
        let shares = verdict.judgement.contributions.iter().copied().chain(std::iter::repeat(0.0));
        for (sum, share) in self.contributions.iter_mut().zip(shares) {
            *sum = *sum * keep + if anomalous { share } else { 0.0 };
        }
        self.in_event = anomalous;
        self.newest = Some(verdict.time);
        self.over_since = (self.ratio() > MAX_RATIO).then(|| self.over_since.unwrap_or(verdict.time));
        if self.first.verdicts <= FIRST {
            self.first.verdicts += 1;
            self.first.anomalous += u32::from(anomalous && self.first.verdicts <= FIRST);
        }
    }

    /// The number of readings that the sums cover.
    fn readings(&self) -> f64 {
        (HOUR / self.seconds_apart).max(1.0 / self.promise.share())
    }

    /// The realised alarms as a multiple of the promised ones, which count as at least 1.
    pub fn ratio(&self) -> f64 {
        self.realised / self.promised.max(1.0)
    }

    /// The share of each sensor in the newest anomalous readings, in the model's order; they add up to 1.
    /// Empty if there are none or nothing is known of them.
    pub fn shares(&self) -> Vec<f64> {
        let total: f64 = self.contributions.iter().sum();
        if total < 1e-9 {
            return Vec::new();
        }
        self.contributions.iter().map(|sum| sum / total).collect()
    }

    /// The report, with these names of sensors. The ratio is a whole number, because each change is a write
    /// of the status.
    pub fn report(&self, sensors: &[String]) -> Report {
        let lasts = self.over_since.zip(self.newest);
        let exceeded = lasts.filter(|(since, newest)| newest.duration_since(*since) >= PATIENCE);
        let mut shares: Vec<(f64, &String)> = self.shares().into_iter().zip(sensors).collect();
        shares.sort_by(|a, b| b.0.total_cmp(&a.0));
        let named = shares.iter().take(NAMED).map(|(_, sensor)| (*sensor).clone());
        Report {
            promised_per_day: rounded(self.promise.share() * DAY / self.seconds_apart, 1000.0),
            realised_to_promised: self.ratio().round(),
            exceeded_since: exceeded.map(|(since, _)| since),
            top_contributors: if exceeded.is_some() { named.collect() } else { Vec::new() },
        }
    }

    /// Whether the newest verdict completes the first verdicts.
    pub fn first_verdicts_complete(&self) -> bool {
        self.first.verdicts == FIRST
    }

    /// A sentence if the first verdicts by the model show that it does not fit its readings.
    pub fn misfit(&self) -> Option<String> {
        let First { verdicts, anomalous } = self.first;
        let share = self.promise.share();
        let is_misfit = verdicts >= FIRST
            && anomalous >= FIRST_ANOMALOUS
            && at_least(anomalous, FIRST, share) < SIGNIFICANCE;
        is_misfit.then(|| {
            format!(
                "{anomalous} of the first {FIRST} readings that it judged were anomalous, where the threshold promises {} in {FIRST}: unless that was an event, the model does not fit; train it on more readings, and on newer ones",
                rounded(share * f64::from(FIRST), 1000.0)
            )
        })
    }
}

/// Round to the nearest multiple of 1 / `parts`.
fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

/// The probability that of `n` independent readings, each anomalous with probability `share`, `k` or more are: the binomial
/// distribution's upper tail.
fn at_least(k: u32, n: u32, share: f64) -> f64 {
    let (mut probability, mut below) = (libm::pow(1.0 - share, f64::from(n)), 0.0);
    for i in 0..k {
        below += probability;
        probability *= f64::from(n - i) / f64::from(i + 1) * share / (1.0 - share);
    }
    1.0 - below
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::judgement::Judgement;
    use crate::scoring::verdict::AlarmState;

    /// A verdict on two sensors, of which the second contributes three quarters.
    fn verdict(second: i64, anomalous: bool) -> Verdict {
        let judgement = Judgement {
            score: 0.5,
            severity: 1.0,
            anomalous,
            contributions: vec![0.25, 0.75],
            reasons: Vec::new(),
            model: Arc::from("sha256:1"),
        };
        Verdict {
            time: Timestamp::from_second(second).unwrap(),
            values: vec![Some(1.0), Some(2.0)],
            judgement,
            alarm_state: AlarmState::Normal,
            truth: None,
        }
    }

    fn after(promise: Promise, seconds: std::ops::Range<i64>, anomalous: impl Fn(i64) -> bool) -> AlarmRate {
        let mut rate = AlarmRate::new(promise, 1.0, 2);
        seconds.for_each(|second| rate.follow(&verdict(second, anomalous(second))));
        rate
    }

    fn report(rate: &AlarmRate) -> Report {
        rate.report(&["heat".to_owned(), "flow".to_owned()])
    }

    #[test]
    fn a_promise_that_holds_has_a_ratio_of_one() {
        let rate = after(Promise::Readings(0.01), 0..20_000, |second| second % 100 == 0);
        assert!((rate.ratio() - 1.0).abs() < 0.05, "{}", rate.ratio());
        assert_eq!(report(&rate).exceeded_since, None);
    }

    #[test]
    fn ten_times_as_many_for_more_than_an_hour_are_reported_with_their_sensors() {
        let ten_times = |seconds| after(Promise::Readings(0.01), 0..seconds, |second| second % 10 == 0);
        assert_eq!(report(&ten_times(3000)).exceeded_since, None, "not for an hour");
        let Report { realised_to_promised, exceeded_since, top_contributors, promised_per_day } =
            report(&ten_times(8000));
        assert_eq!(realised_to_promised.to_bits(), 10f64.to_bits());
        assert!(exceeded_since.unwrap().as_second() < 200, "{exceeded_since:?}");
        assert_eq!(top_contributors, ["flow", "heat"]);
        assert!((promised_per_day - 864.0).abs() < 1e-9);
    }

    #[test]
    fn it_is_over_when_the_rate_has_come_down() {
        let rate = after(Promise::Readings(0.01), 0..40_000, |second| second < 8000 && second % 10 == 0);
        assert_eq!((report(&rate).exceeded_since, rate.ratio() < 1.0), (None, true));
    }

    #[test]
    fn of_a_few_alerts_a_day_one_is_no_excess_and_an_event_counts_once() {
        let five_a_day = Promise::Alerts(5.0 / DAY);
        let rate = after(five_a_day, 0..7300, |second| second % 1000 < 60 && second > 5000);
        assert!((1.0..3.0).contains(&rate.ratio()), "{}", rate.ratio());
        let flood = after(five_a_day, 0..9000, |second| second % 300 < 5);
        assert!(report(&flood).exceeded_since.is_some(), "{}", flood.ratio());
    }

    #[test]
    fn a_model_that_does_not_fit_says_so_by_its_hundredth_verdict() {
        let promise = Promise::Readings(0.01);
        let half = |second: i64| second % 2 == 0;
        assert_eq!(after(promise, 0..99, half).misfit(), None);
        let rate = after(promise, 0..100, half);
        assert!(rate.first_verdicts_complete());
        let said = rate.misfit().unwrap();
        assert!(said.starts_with("50 of the first 100 readings that it judged were anomalous, where the threshold promises 1 in 100"), "{said}");
        let later = after(promise, 0..5000, |second| second < 100 && half(second));
        assert_eq!((later.misfit(), later.first_verdicts_complete()), (Some(said), false));
        assert_eq!(
            after(promise, 0..5000, |second| second > 100).misfit(),
            None,
            "what comes later is an event"
        );
    }

    #[test]
    fn a_short_event_among_the_first_is_no_misfit_and_neither_is_what_was_promised() {
        assert_eq!(after(Promise::Alerts(1e-5), 0..200, |second| (10..29).contains(&second)).misfit(), None);
        assert_eq!(after(Promise::Readings(0.1), 0..200, |second| second % 8 == 0).misfit(), None);
    }

    #[test]
    fn another_model_has_first_verdicts_of_its_own() {
        let before = after(Promise::Readings(0.01), 0..500, |_| true);
        let rate = before.carried_over(AlarmRate::new(Promise::Readings(0.01), 1.0, 2));
        assert_eq!((rate.misfit(), rate.ratio().to_bits()), (None, before.ratio().to_bits()));
    }

    #[test]
    fn the_binomial_tail_is_that_of_the_tables() {
        // R: pbinom(c(0, 4, 9), 100, c(0.01, 0.05, 0.01), lower.tail = FALSE)
        for (k, share, expected) in [(1, 0.01, 0.633_967_7), (5, 0.05, 0.564_018_7), (10, 0.01, 7.631_588e-8)]
        {
            let tail = at_least(k, 100, share);
            assert!((tail / expected - 1.0).abs() < 1e-4, "{k} {share}: {tail}");
        }
    }
}
