//! Readings in, one after another; the vectors that a forest is grown from out.

use forest::Samples;
use jiff::Timestamp;

use crate::features::pipeline::{Learning, Pipeline, Recipe};
use crate::model::model::ModelError;

/// Vectors to train on, and how they were made.
pub struct Vectors {
    /// The vectors.
    pub samples: Samples,
    /// The readings at the time of each vector, one value a sensor.
    pub values: Vec<f64>,
    /// The time of the newest, where times are known.
    pub newest: Option<Timestamp>,
    /// The mean time from one to the next, in seconds, where times are known.
    pub seconds_apart: Option<f64>,
    /// How they were made.
    pub pipeline: Pipeline,
    /// What is wrong with them, a sentence each.
    pub warnings: Vec<String>,
}

/// What becomes of readings with a missing value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No vector is made of them.
    Skip,
    /// Their vectors have missing cells. Only for vectors that are readings as they are: what looks back would take a
    /// missing value for a value in every window that it is in.
    Keep,
}

/// Readings in, one after another; vectors out.
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
    /// No vectors yet.
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

    /// The next readings, one value a sensor, NaN where it is missing. A time is given for all readings or for none.
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

    /// All vectors.
    ///
    /// # Errors
    /// Fewer than two, or a value that the forest cannot hold.
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
                "{incomplete} of {readings} readings lacked a sensor's value: nothing was learned from them"
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
