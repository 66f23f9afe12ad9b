//! Readings and their times in; the usual value in each half hour of the day out.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const HALF_HOUR: i64 = 30 * 60;
const HALF_HOURS: i64 = 48;
/// The number of newest days over which the usual value is the median.
const DAYS: usize = 7;

/// The usual value of each sensor in each half hour of the day (UTC). It is stored in the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Daily(Vec<Vec<f64>>);

impl Daily {
    /// The usual value of the sensor with this index at this time of day; `None` if its half hour has no
    /// readings.
    pub fn usual(&self, time: Timestamp, sensor: usize) -> Option<f64> {
        self.0.get(slot(half_hour(time)))?.get(sensor).copied()
    }

    /// Whether every half hour with readings has a finite value for each of exactly this many sensors.
    pub fn is_of(&self, sensors: usize) -> bool {
        let is_whole =
            |usual: &Vec<f64>| usual.len() == sensors && usual.iter().all(|value| value.is_finite());
        self.0.len() <= HALF_HOURS as usize && self.0.iter().all(|usual| usual.is_empty() || is_whole(usual))
    }

    /// Whether no half hour has usual values.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Set the usual values in a half hour of the day (0 to 47), one value per sensor.
    pub fn set(&mut self, (slot, usual): (usize, Vec<f64>)) {
        self.0.resize(HALF_HOURS as usize, Vec::new());
        self.0[slot] = usual;
    }
}

/// The means of the last days, from which usual values are computed.
#[derive(Clone, Debug, Default)]
pub struct Days {
    /// For each half hour of the day, the mean of each sensor in it on each of the last days.
    means: Vec<VecDeque<Vec<f64>>>,
    going_on: Option<HalfHour>,
}

#[derive(Clone, Debug)]
struct HalfHour {
    number: i64,
    sums: Vec<f64>,
    readings: u32,
}

impl Days {
    /// Add readings, one value per sensor, in the order of time. If they begin another half hour, return the
    /// usual values of the one that has ended.
    pub fn add(&mut self, time: Timestamp, values: &[f64]) -> Option<(usize, Vec<f64>)> {
        let number = half_hour(time);
        let over = self.going_on.take_if(|going_on| going_on.number != number);
        let fresh = || HalfHour { number, sums: vec![0.0; values.len()], readings: 0 };
        let going_on = self.going_on.get_or_insert_with(fresh);
        going_on.readings += 1;
        going_on.sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        over.map(|over| self.close(over))
    }

    /// End the current half hour and return its usual values.
    pub fn finish(mut self) -> Option<(usize, Vec<f64>)> {
        self.going_on.take().map(|over| self.close(over))
    }

    fn close(&mut self, HalfHour { number, sums, readings }: HalfHour) -> (usize, Vec<f64>) {
        self.means.resize(HALF_HOURS as usize, VecDeque::new());
        let days = &mut self.means[slot(number)];
        if days.len() == DAYS {
            days.pop_front();
        }
        let sensors = sums.len();
        days.push_back(sums.into_iter().map(|sum| sum / f64::from(readings)).collect());
        let usual = |sensor| median(days.iter().map(|means: &Vec<f64>| means[sensor]).collect());
        (slot(number), (0..sensors).map(usual).collect())
    }
}

/// Half hours since the Unix epoch.
fn half_hour(time: Timestamp) -> i64 {
    time.as_second().div_euclid(HALF_HOUR)
}

/// The half hour of the day, 0 to 47.
fn slot(half_hour: i64) -> usize {
    half_hour.rem_euclid(HALF_HOURS) as usize
}

/// The middle value, or the mean of the two in the middle. There must be at least one value.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64, hour: i64, minute: i64) -> Timestamp {
        Timestamp::from_second((day * 24 + hour) * 3600 + minute * 60).unwrap()
    }

    /// The usual values after these readings of one sensor.
    fn usual(readings: impl IntoIterator<Item = (Timestamp, f64)>) -> Daily {
        let (mut days, mut daily) = (Days::default(), Daily::default());
        for (time, value) in readings {
            days.add(time, &[value]).into_iter().for_each(|usual| daily.set(usual));
        }
        days.finish().into_iter().for_each(|usual| daily.set(usual));
        daily
    }

    #[test]
    fn usual_is_the_median_over_the_days_of_the_means_of_the_same_half_hour() {
        let readings = [(0, 10.0, 30.0), (1, 40.0, 40.0), (2, 900.0, 100.0)];
        let readings = readings.into_iter().flat_map(|(day, a, b)| [(at(day, 8, 0), a), (at(day, 8, 29), b)]);
        let daily = usual(readings);
        for (hour, minute, expected) in [(8, 15, Some(40.0)), (8, 30, None), (7, 59, None)] {
            assert_eq!(daily.usual(at(9, hour, minute), 0), expected, "{hour}:{minute}");
        }
        assert_eq!(daily.usual(at(9, 8, 15), 1), None, "there is no such sensor");
    }

    #[test]
    fn only_the_last_seven_days_count() {
        let daily = usual((0..10).map(|day| (at(day, 3, 0), if day < 6 { 1.0 } else { 2.0 })));
        assert_eq!(daily.usual(at(10, 3, 0), 0), Some(2.0));
    }

    #[test]
    fn the_half_hour_that_goes_on_is_not_yet_usual() {
        let mut days = Days::default();
        assert_eq!(days.add(at(0, 8, 0), &[5.0]), None);
        assert_eq!(days.add(at(0, 8, 20), &[7.0]), None);
        assert_eq!(days.add(at(0, 8, 30), &[9.0]), Some((16, vec![6.0])));
    }
}
