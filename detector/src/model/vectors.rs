//! Readings in, one after another; the vectors that a forest is grown from out.

use forest::Samples;
use jiff::Timestamp;

use crate::features::pipeline::{Learning, Pipeline, Recipe};
use crate::model::model::ModelError;

/// Vectors to train on, and how they were made.
pub struct Vectors {
    /// The vectors.
    pub samples: Samples,
    /// The readings at the time of each vector, one value per sensor.
    pub values: Vec<f64>,
    /// The time of the newest vector, if times are known.
    pub newest: Option<Timestamp>,
    /// The mean time from one vector to the next, in seconds, if times are known.
    pub seconds_apart: Option<f64>,
    /// How the vectors were made.
    pub pipeline: Pipeline,
    /// The problems of the vectors, one sentence each.
    pub warnings: Vec<String>,
}

/// How readings with a missing value are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// They are skipped.
    Skip,
    /// They become vectors with missing cells. Only for vectors that are plain readings: a feature that looks
    /// back would use the missing value in every window that contains it.
    Keep,
}

/// A builder that turns readings into vectors, one after another.
pub struct VectorBuilder {
    learning: Learning,
    sensors: usize,
    missing: Missing,
    cells: Vec<f64>,
    values: Vec<f64>,
    count: usize,
    /// The times of the first and the newest vector.
    span: Option<(Timestamp, Timestamp)>,
    readings: usize,
    complete: usize,
}

impl VectorBuilder {
    /// Create a builder without vectors.
    pub fn new(recipe: Recipe, sensors: usize, missing: Missing) -> Self {
        let learning = Learning::new(recipe);
        Self {
            learning,
            sensors,
            missing,
            cells: Vec::new(),
            values: Vec::new(),
            count: 0,
            span: None,
            readings: 0,
            complete: 0,
        }
    }

    /// Add the next readings, one value per sensor, NaN if it is missing. Either all readings have a time or
    /// none.
    pub fn push(&mut self, time: Option<Timestamp>, values: &[f64]) {
        self.readings += 1;
        if self.missing == Missing::Skip && values.iter().any(|value| value.is_nan()) {
            return;
        }
        self.complete += 1;
        if !self.learning.push_onto(&mut self.cells, time.unwrap_or(Timestamp::UNIX_EPOCH), values) {
            return;
        }
        self.count += 1;
        self.values.extend_from_slice(values);
        if let Some(time) = time {
            self.span = Some((self.span.map_or(time, |(first, _)| first), time));
        }
    }

    /// Return all vectors.
    ///
    /// # Errors
    /// Fewer than two vectors, or a value that the forest cannot hold.
    pub fn finish(self) -> Result<Vectors, ModelError> {
        let Self { learning, sensors, cells, values, count, span, readings, complete, .. } = self;
        let pipeline = learning.finish();
        if count < 2 {
            let past = pipeline.recipe.memory() - 1;
            return Err(ModelError::TooFew { samples: count, readings: complete, past });
        }
        let incomplete = readings - complete;
        let warning = (complete < incomplete).then(|| {
            format!(
                "{incomplete} of {readings} readings lacked a sensor's value: they are not in the training set"
            )
        });
        let apart = |(first, newest): (Timestamp, Timestamp)| {
            (newest.duration_since(first).as_secs_f64() / (count - 1) as f64).max(1e-3)
        };
        Ok(Vectors {
            samples: Samples::with_missing(pipeline.recipe.columns(sensors), cells)?,
            values,
            newest: span.map(|(_, newest)| newest),
            seconds_apart: span.map(apart),
            pipeline,
            warnings: warning.into_iter().collect(),
        })
    }
}
