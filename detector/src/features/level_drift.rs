//! Training vectors in; the vectors that a forest is grown from, those that a threshold is made from, and the
//! level at the end out. Each vector is measured against the level of its sensors some time before.
//!
//! A sensor whose level drifts during the training will drift further, up or down: a warm-up, a tank that
//! empties, an axle that wears. So the forest is grown from readings as they would look after more drift, in
//! both directions. The threshold is made from blocks of time that are judged against the level before them,
//! never against a level that they are part of: block-wise validation (Bergmeir and Benítez, Information
//! Sciences 191, 2012).

use jiff::Timestamp;

use super::pipeline::Recipe;
use super::reference::{Reference, TimeScale};

/// The window of the mean that a level is: one part in this many of the training.
const LEVEL: usize = 12;
/// The time between the forest's rows and their level: one part in this many of the training.
const LAG: usize = 4;
/// The factor by which the drift of the level is enlarged, for the forest's rows and for the threshold's.
const FOREST_GAIN: f64 = 1.75;
const THRESHOLD_GAIN: f64 = 1.5;
/// With fewer vectors a level cannot be distinguished from noise.
const FEWEST: usize = 24;
/// The number of scores that an artifact keeps.
const MAX_FOR_THRESHOLD: usize = 8192;
/// The deviation of a sensor that never varied: as a share of its level, and its least value.
const STILL: [f64; 2] = [1e-3, 1e-9];

/// The vectors of a training, the values of the sensors, and the running means of these values.
pub struct LevelDrift<'a> {
    recipe: &'a Recipe,
    sensors: usize,
    cells: &'a [f64],
    values: &'a [f64],
    means: Vec<f64>,
    lag: usize,
    scale: TimeScale,
}

impl<'a> LevelDrift<'a> {
    /// Create it from vectors and the values of all sensors at their times, row by row. `None` if there are
    /// too few rows.
    pub fn new(
        recipe: &'a Recipe,
        sensors: usize,
        cells: &'a [f64],
        values: &'a [f64],
        scale: TimeScale,
    ) -> Option<Self> {
        let rows = values.len() / sensors;
        let lag = (rows / LAG).min(scale.readings as usize).max(1);
        let drift = |means| Self { recipe, sensors, cells, values, means, lag, scale };
        (rows >= FEWEST).then(|| drift(means(values, sensors, rows / LEVEL)))
    }

    /// How many sensors there are.
    pub fn sensors(&self) -> usize {
        self.sensors
    }

    /// The rows, counted from 0, that have a level a lag before them.
    pub fn rows(&self) -> std::ops::Range<usize> {
        self.len() / LEVEL + self.lag..self.len()
    }

    /// The vectors that the forest is grown from: each row twice, with the drift of the level enlarged up
    /// and down.
    pub fn for_forest(&self, rows: impl Iterator<Item = usize>) -> Vec<f64> {
        let mut cells = Vec::new();
        for row in rows {
            self.put(&mut cells, row, self.lag, FOREST_GAIN);
            self.put(&mut cells, row, self.lag, -FOREST_GAIN);
        }
        cells
    }

    /// The rows as a model would judge them, measured against the level one lag before them.
    pub fn as_judged(&self) -> Vec<f64> {
        let mut cells = Vec::new();
        self.rows().for_each(|row| self.put(&mut cells, row, self.lag, 1.0));
        cells
    }

    /// The vectors that the threshold is made from: rows measured against the levels one and two lags before
    /// them, evenly spaced if there are many.
    pub fn for_threshold(&self) -> Vec<f64> {
        let level = self.len() / LEVEL;
        let far = (2 * self.lag).min(self.scale.readings as usize).max(1);
        let lags = [self.lag, far];
        let all: usize = lags.iter().map(|lag| 2 * self.len().saturating_sub(level + lag)).sum();
        let step = all.div_ceil(MAX_FOR_THRESHOLD).max(1);
        let mut cells = Vec::new();
        for lag in lags {
            for row in (level + lag..self.len()).step_by(step) {
                self.put(&mut cells, row, lag, THRESHOLD_GAIN);
                self.put(&mut cells, row, lag, -THRESHOLD_GAIN);
            }
        }
        cells
    }

    /// The level at the end of the training, at time `until`.
    pub fn reference(&self, until: Timestamp) -> Reference {
        let centre = self.means[self.means.len() - self.sensors..].to_vec();
        let deviation = (0..self.sensors).map(|sensor| self.deviation(sensor)).collect();
        Reference::new(centre, deviation, self.scale, until)
    }

    fn len(&self) -> usize {
        self.values.len() / self.sensors
    }

    /// 1.25 times the mean distance from the level a lag before: the standard deviation, if distances are
    /// normal.
    fn deviation(&self, sensor: usize) -> f64 {
        let rows = self.rows();
        let distance = |row: usize| (self.value(row, sensor) - self.mean(row - self.lag, sensor)).abs();
        let mean = rows.clone().map(distance).sum::<f64>() / rows.len() as f64;
        let level = rows.clone().map(|row| self.value(row, sensor).abs()).sum::<f64>() / rows.len() as f64;
        let still = (STILL[0] * level).max(STILL[1]);
        if mean > 1e-9 * level { 1.25 * mean } else { still }
    }

    fn value(&self, row: usize, sensor: usize) -> f64 {
        self.values[row * self.sensors + sensor]
    }

    fn mean(&self, row: usize, sensor: usize) -> f64 {
        self.means[row * self.sensors + sensor]
    }

    /// Append a row: its distance from its own level, plus `gain` times the change of that level in a lag.
    fn put(&self, cells: &mut Vec<f64>, row: usize, lag: usize, gain: f64) {
        let columns = self.recipe.columns(self.sensors);
        let vector = &self.cells[row * columns..][..columns];
        cells.extend(vector.iter().enumerate().map(|(column, cell)| {
            if !self.recipe.is_level(column) {
                return *cell;
            }
            let sensor = self.recipe.sensor_of(column, self.sensors);
            let (now, before) = (self.mean(row, sensor), self.mean(row - lag, sensor));
            cell - now + gain * (now - before)
        }));
    }
}

/// For each row, the mean of each sensor's newest `window` values; in the first rows, of the values so far.
fn means(values: &[f64], sensors: usize, window: usize) -> Vec<f64> {
    let mut sums = vec![0.0; sensors];
    let first = values[..sensors].to_vec();
    let mut means = Vec::with_capacity(values.len());
    for (row, newest) in values.chunks_exact(sensors).enumerate() {
        for sensor in 0..sensors {
            // Distances from the first value keep a flat line at exactly its level.
            sums[sensor] += newest[sensor] - first[sensor];
            if row >= window {
                sums[sensor] -= values[(row - window) * sensors + sensor] - first[sensor];
            }
            means.push(first[sensor] + sums[sensor] / (row + 1).min(window) as f64);
        }
    }
    means
}

#[cfg(test)]
mod tests {
    use crd::model::Feature;

    use super::*;

    fn recipe() -> Recipe {
        Recipe { features: vec![Feature::Value, Feature::Difference], window: 2, lags: 0 }
    }

    /// A ramp of 1 a reading, and its difference.
    fn ramp() -> (Vec<f64>, Vec<f64>) {
        let values: Vec<f64> = (0..48).map(f64::from).collect();
        (values.iter().flat_map(|value| [*value, 1.0]).collect(), values)
    }

    #[test]
    fn a_level_that_drifts_drifts_further_and_both_ways() {
        let (cells, values) = ramp();
        let recipe = recipe();
        let scale = TimeScale { seconds: 1e6, readings: 1e6 };
        let drift = LevelDrift::new(&recipe, 1, &cells, &values, scale).unwrap();
        // The newest of four is 1.5 above their mean, and a lag is 12.
        assert_eq!(drift.as_judged()[..2], [13.5, 1.0]);
        assert_eq!(drift.for_forest(16..17), [1.5 + 21.0, 1.0, 1.5 - 21.0, 1.0]);
        assert!((drift.reference(Timestamp::UNIX_EPOCH).centre(0) - 45.5).abs() < 1e-9);
    }

    #[test]
    fn a_flat_line_is_exactly_at_its_level() {
        let values = vec![0.1; 48];
        let cells: Vec<f64> = values.iter().flat_map(|value| [*value, 0.0]).collect();
        let recipe = recipe();
        let scale = TimeScale { seconds: 10.0, readings: 10.0 };
        let drift = LevelDrift::new(&recipe, 1, &cells, &values, scale).unwrap();
        assert!(drift.for_threshold().iter().all(|cell| cell.abs() < 1e-12));
    }

    #[test]
    fn a_few_vectors_tell_no_level() {
        let (cells, values) = ramp();
        let scale = TimeScale { seconds: 10.0, readings: 10.0 };
        assert!(LevelDrift::new(&recipe(), 1, &cells[..46], &values[..23], scale).is_none());
    }
}
