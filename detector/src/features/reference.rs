//! Training readings in, the level of each sensor out; later readings in, and the level follows their slow
//! change.
//!
//! A recursive, winsorised mean: the exponentially weighted moving average of Roberts (1959), whose steps are bounded as
//! Huber (1964) bounds them, so that a fault moves the level by no more than a few of the sensor's usual deviations in a
//! time scale, however large it is.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The largest distance from the level at which a reading counts in full, in usual deviations of the sensor.
const CLIP: f64 = 3.0;
/// The growth of this bound in a time scale while every reading is beyond it, as a power of e: a change that
/// lasts for a time scale becomes the new level, however large it is.
const GROWTH: f64 = 5.0;
/// The number of readings after a restart that are not bounded, because the level is not known yet.
const SETTLING: f64 = 60.0;

/// The level of each sensor, and how fast it follows. The model stores it as of the end of the training, the
/// snapshot as of now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// The level of each sensor.
    centre: Vec<f64>,
    /// The usual deviation of each sensor from its level a while ago, over 0.
    deviation: Vec<f64>,
    /// The factor by which the bound of each sensor has grown: 1 or more.
    reach: Vec<f64>,
    /// The time scale, in seconds.
    seconds: f64,
    /// The time scale, in readings: 1 or more.
    readings: f64,
    /// The number of readings followed since the last restart, at most `readings`.
    age: f64,
    /// The time of the newest reading that was followed.
    until: Timestamp,
}

/// The time scale of a reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeScale {
    /// In seconds, over 0.
    pub seconds: f64,
    /// In readings: 1 or more.
    pub readings: f64,
}

impl Reference {
    /// Create a reference from the levels and usual deviations of sensors, after readings up to `until`.
    pub fn new(centre: Vec<f64>, deviation: Vec<f64>, scale: TimeScale, until: Timestamp) -> Self {
        let TimeScale { seconds, readings } = scale;
        let reach = vec![1.0; centre.len()];
        Self { centre, deviation, reach, seconds, readings, age: readings, until }
    }

    /// The levels, one per sensor.
    pub fn levels(&self) -> &[f64] {
        &self.centre
    }

    /// The level of a sensor.
    pub fn centre(&self, sensor: usize) -> f64 {
        self.centre[sensor]
    }

    /// The time scale, in readings.
    pub fn readings(&self) -> f64 {
        self.readings
    }

    /// Whether the reference has valid numbers for exactly this many sensors.
    pub fn is_of(&self, sensors: usize) -> bool {
        let finite = |values: &[f64]| values.len() == sensors && values.iter().all(|value| value.is_finite());
        let scale = self.seconds > 0.0 && self.readings >= 1.0 && self.age >= 0.0;
        finite(&self.centre)
            && finite(&self.deviation)
            && finite(&self.reach)
            && self.deviation.iter().all(|d| *d > 0.0)
            && scale
    }

    /// Follow the readings of the next instant. Readings that are not newer than the newest are ignored.
    /// After a gap of more than the time scale, and for readings older than the newest by more than that, the
    /// level restarts.
    pub fn follow(&mut self, time: Timestamp, values: &[f64]) {
        let since = time.duration_since(self.until);
        if since.abs() > SignedDuration::try_from_secs_f64(self.seconds).unwrap_or(SignedDuration::MAX) {
            self.age = 0.0;
        } else if !since.is_positive() {
            return;
        }
        self.until = time;
        self.age = (self.age + 1.0).min(self.readings);
        let is_settled = self.age >= SETTLING.min(self.readings);
        let growth = (GROWTH / self.readings).min(1.0);
        for (sensor, value) in values.iter().enumerate() {
            let distance = value - self.centre[sensor];
            let bound = CLIP * self.deviation[sensor] * self.reach[sensor];
            let is_beyond = distance.abs() > bound;
            let step = if is_settled { distance.clamp(-bound, bound) } else { distance };
            self.centre[sensor] += step / self.age.max(1.0);
            let change = if is_beyond && is_settled { 1.0 + growth } else { 1.0 - growth };
            self.reach[sensor] = (self.reach[sensor] * change).max(1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn reference() -> Reference {
        Reference::new(vec![10.0], vec![1.0], TimeScale { seconds: 100.0, readings: 100.0 }, at(0))
    }

    #[test]
    fn slow_change_is_followed() {
        let mut reference = reference();
        (1..=1000).for_each(|second| reference.follow(at(second), &[10.0 + second as f64 / 200.0]));
        assert!((reference.centre(0) - 15.0).abs() < 0.6, "{}", reference.centre(0));
    }

    #[test]
    fn a_fault_of_a_tenth_of_the_time_scale_hardly_moves_the_level_however_large_it_is() {
        let mut reference = reference();
        (1..=10).for_each(|second| reference.follow(at(second), &[1e9]));
        assert!((10.3..10.5).contains(&reference.centre(0)), "{}", reference.centre(0));
    }

    #[test]
    fn what_lasts_for_three_time_scales_is_the_level_however_far_away_it_is() {
        let mut reference = reference();
        (1..=300).for_each(|second| reference.follow(at(second), &[1000.0]));
        assert!((reference.centre(0) - 1000.0).abs() < 300.0, "{}", reference.centre(0));
    }

    #[test]
    fn what_is_known_is_not_followed_twice() {
        let mut reference = reference();
        reference.follow(at(0), &[12.0]);
        reference.follow(at(-50), &[12.0]);
        assert_eq!(reference, self::reference());
    }

    #[test]
    fn the_level_starts_again_after_a_gap() {
        for second in [101, -101] {
            let mut reference = reference();
            reference.follow(at(second), &[99.0]);
            assert!((reference.centre(0) - 99.0).abs() < 1e-9, "{second}");
        }
    }
}
