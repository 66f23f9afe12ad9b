use proptest::prelude::*;

use super::*;
use crate::ingest::status::{Counters, ReadingOutcome};

fn at(second: f64) -> Timestamp {
    Timestamp::from_nanosecond((second * 1e9) as i128).unwrap()
}

fn reading(sensor: usize, second: f64, value: f64) -> Reading {
    Reading { sensor, time: at(second), value: Some(value) }
}

fn batch(readings: &[Reading]) -> Batch {
    Batch { readings: readings.to_vec(), ..Batch::default() }
}

/// An alignment with an interval of one second, and the status of its only source.
struct Bench {
    alignment: Alignment,
    status: Arc<SourceStatus>,
}

impl Bench {
    fn new(sensors: usize, lateness: u64, now: f64) -> Self {
        let status = Arc::new(SourceStatus::new("pushed", Counters::unexported()));
        let (staleness, lateness) = (Duration::from_secs(3), Duration::from_secs(lateness));
        let timing = SourceTiming { status: status.clone(), sensors, staleness, lateness };
        let alignment = Alignment::new(vec![timing], SignedDuration::from_secs(1), None, at(now));
        Self { alignment, status }
    }

    /// Count the readings and add them, as a feed does.
    fn add(&mut self, readings: &[Reading], now: f64) {
        self.status.arrived(readings.len());
        self.alignment.add(0, batch(readings), at(now));
    }

    /// The instants that are due, in seconds, and their values.
    fn due(&mut self, now: f64) -> Vec<(i64, Vec<Option<f64>>)> {
        let mut due = Vec::new();
        while let Some(aligned) = self.alignment.next(at(now)) {
            for (sensor, value) in aligned.readings.values.iter().enumerate() {
                match (aligned.carried.contains(&sensor), value) {
                    (true, Some(_)) => {}
                    (_, None) => self.status.record_outcome(ReadingOutcome::Missing),
                    (false, Some(_)) => self.status.record_outcome(ReadingOutcome::Scored),
                }
            }
            due.push((aligned.readings.time.as_second(), aligned.readings.values));
        }
        due
    }

    /// (arrived, scored, missing, refused, dropped)
    fn counts(&self) -> (u64, [u64; 4]) {
        self.status.counts()
    }
}

#[test]
fn sensors_of_different_rates_meet_on_the_interval_by_their_last_values() {
    let mut bench = Bench::new(2, 0, 100.2);
    bench.add(&[reading(0, 100.2, 1.0), reading(1, 100.2, 7.0)], 100.2);
    assert_eq!(bench.due(100.9), []);
    bench.add(&[reading(0, 100.9, 2.0)], 100.9);
    assert_eq!(bench.due(101.0), [(101, vec![Some(2.0), Some(7.0)])]);
    bench.add(&[reading(0, 101.5, 3.0)], 101.5);
    assert_eq!(bench.due(102.0), [(102, vec![Some(3.0), Some(7.0)])]);
    assert_eq!(bench.counts(), (4, [3, 0, 0, 1]));
}

#[test]
fn a_reading_that_is_older_than_the_staleness_is_missing() {
    let mut bench = Bench::new(1, 0, 100.0);
    bench.add(&[reading(0, 100.0, 1.0)], 100.0);
    let values: Vec<_> = bench.due(105.0).into_iter().map(|(second, values)| (second, values[0])).collect();
    let one = Some(1.0);
    assert_eq!(values, [(100, one), (101, one), (102, one), (103, one), (104, None), (105, None)]);
    assert_eq!(bench.counts(), (3, [1, 2, 0, 0]));
}

#[test]
fn late_readings_are_put_where_they_belong_within_the_lateness_and_count_for_the_next_instant_after_it() {
    let mut bench = Bench::new(1, 2, 100.0);
    bench.add(&[reading(0, 99.5, 1.0)], 100.0);
    bench.add(&[reading(0, 101.5, 3.0)], 101.6);
    bench.add(&[reading(0, 100.5, 2.0)], 101.7);
    assert_eq!(bench.due(101.9), []);
    assert_eq!(bench.due(104.0), [(100, vec![Some(1.0)]), (101, vec![Some(2.0)]), (102, vec![Some(3.0)])]);
    bench.add(&[reading(0, 101.9, 4.0), reading(0, 100.0, 0.0)], 104.1);
    assert_eq!(bench.due(105.0), [(103, vec![Some(4.0)])]);
    assert_eq!(bench.counts(), (5, [4, 0, 0, 1]));
}

#[test]
fn an_instant_is_judged_at_once_when_each_sensor_has_a_reading_of_that_time() {
    let mut bench = Bench::new(2, 10, 100.0);
    bench.add(&[reading(0, 100.0, 1.0)], 100.1);
    assert_eq!(bench.due(100.1), []);
    bench.add(&[reading(1, 100.0, 2.0)], 100.1);
    assert_eq!(bench.due(100.1), [(100, vec![Some(1.0), Some(2.0)])]);
}

#[test]
fn a_history_that_is_pushed_is_judged_at_its_own_pace_and_its_gaps_are_left_out() {
    let mut bench = Bench::new(1, 0, 1_000_000.0);
    let history: Vec<Reading> = [10.5, 11.5, 12.5, 500.0].map(|second| reading(0, second, second)).to_vec();
    bench.add(&history, 1_000_000.0);
    let seconds =
        |due: Vec<(i64, Vec<Option<f64>>)>| due.into_iter().map(|(second, _)| second).collect::<Vec<_>>();
    assert_eq!(seconds(bench.due(1_000_000.0)), [11, 12, 13, 500]);
    bench.add(&[reading(0, 999_999.9, 1.0)], 1_000_000.1);
    assert_eq!(seconds(bench.due(1_000_001.2)), [1_000_000, 1_000_001], "from here on the clock paces");
}

#[test]
fn silence_from_the_beginning_is_missing_once_the_staleness_has_passed() {
    let mut bench = Bench::new(1, 0, 100.5);
    assert_eq!(bench.due(103.0), []);
    assert_eq!(bench.due(103.5), [(103, vec![None])]);
    assert_eq!(bench.due(104.0), [(104, vec![None])]);
}

#[test]
fn a_pause_is_not_made_up_for_but_readings_of_it_are_judged() {
    let mut bench = Bench::new(1, 0, 100.0);
    bench.add(&[reading(0, 100.0, 1.0)], 100.0);
    assert_eq!(bench.due(100.0).len(), 1);
    bench.add(&[reading(0, 3700.0, 2.0)], 10_000.0);
    let due = bench.due(10_000.0);
    assert_eq!(due[0], (3700, vec![Some(2.0)]));
    assert!(due.len() < 70 && due.last().unwrap().0 == 10_000, "{due:?}");
}

#[test]
fn a_clock_that_is_set_back_does_not_stall() {
    let mut bench = Bench::new(1, 0, 10_000.0);
    bench.add(&[reading(0, 10_000.0, 1.0)], 10_000.0);
    assert_eq!(bench.due(10_000.0).len(), 1);
    assert_eq!(bench.due(5_000.0), []);
    bench.add(&[reading(0, 5_001.0, 2.0)], 5_001.0);
    assert_eq!(bench.due(5_001.0), [(5_001, vec![Some(2.0)])]);
}

#[test]
fn a_reading_of_next_year_is_refused_in_a_sentence() {
    let mut bench = Bench::new(1, 0, 0.0);
    bench.add(&[reading(0, 31_536_000.0, 1.0)], 0.0);
    assert_eq!(
        bench.status.refused().unwrap(),
        "a reading must be at most 60s ahead of the clock, got one of 1971-01-01T00:00:00Z"
    );
    assert_eq!(bench.counts(), (1, [0, 0, 1, 0]));
}

#[test]
fn an_instant_waits_for_what_each_source_says_is_complete_but_not_for_ever() {
    let status = |name| Arc::new(SourceStatus::new(name, Counters::unexported()));
    let timing = |name, lateness| SourceTiming {
        status: status(name),
        sensors: 1,
        staleness: Duration::from_secs(3),
        lateness: Duration::from_secs(lateness),
    };
    let timings = vec![timing("asked", 5), timing("pushed", 0)];
    let mut alignment = Alignment::new(timings, SignedDuration::from_secs(1), None, at(100.0));
    alignment.add(1, batch(&[reading(0, 100.0, 1.0)]), at(100.0));
    assert_eq!(alignment.next(at(102.0)), None);
    let asked = Batch { readings: vec![reading(0, 100.0, 7.0)], complete_to: Some(at(100.0)), truth: None };
    alignment.add(0, asked, at(102.0));
    assert_eq!(alignment.next(at(102.0)).unwrap().readings.values, [Some(7.0), Some(1.0)]);
    assert_eq!(alignment.next(at(105.9)), None);
    assert_eq!(alignment.next(at(106.0)).unwrap().readings.time, at(101.0));
}

proptest! {
    /// arrived = scored + missing + refused + dropped, for any readings, in any order, at any time.
    #[test]
    fn every_reading_is_accounted_for_exactly_once(
        lateness in 0u64..4,
        steps in prop::collection::vec((0usize..2, -400i32..4000, prop::option::of(-1.0f64..1.0), -20i32..50), 1..200),
    ) {
        let mut bench = Bench::new(2, lateness, 1000.0);
        let mut now = 1000.0;
        for (sensor, ahead, value, later) in steps {
            now += f64::from(later) / 10.0;
            let time = at(now - 30.0 + f64::from(ahead) / 10.0 * 0.1);
            bench.add(&[Reading { sensor, time, value }], now);
            bench.due(now);
        }
        bench.alignment.give_up();
        let (arrived, fates) = bench.counts();
        prop_assert_eq!(arrived, fates.iter().sum::<u64>(), "{:?}", fates);
    }

    /// Each instant takes the newest of the readings that arrive in time, in any order of arrival.
    #[test]
    fn the_order_of_arrival_within_the_lateness_changes_nothing(order in Just((0..20).collect::<Vec<u32>>()).prop_shuffle()) {
        let mut bench = Bench::new(1, 30, 100.0);
        bench.add(&[reading(0, 99.9, -1.0)], 100.0);
        for each in order {
            let second = 100.0 + f64::from(each) / 2.0 + 0.25;
            bench.add(&[reading(0, second, second)], 100.0);
        }
        let values: Vec<f64> = bench.due(140.0).iter().map(|(_, values)| values[0].unwrap()).collect();
        prop_assert_eq!(values, [-1.0, 100.75, 101.75, 102.75, 103.75, 104.75, 105.75, 106.75, 107.75, 108.75, 109.75]);
    }
}
