//! Rows of the model's columns, or of readings, in; their scores and judgements out, a block at a time.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::error::ApiError;
use super::expected::Place;
use crate::features::pipeline::Features;
use crate::model::judge::Explain;
use crate::model::judgement::Judgement;
use crate::scoring::scorer::Scorer;

/// How many rows are judged at once without explanations.
const BLOCK: usize = 2048;
/// The most values that are computed from readings at once.
const COMPUTED: usize = 1 << 16;
/// The most rows of readings of a request: each may need a thousand rows before it.
pub(super) const MAX_READINGS: usize = 100_000;

/// Rows that the model judges, in their order.
pub(super) struct MeasuredRows {
    scorer: Arc<Scorer>,
    source: Source,
    /// The rows of a block in the 32-bit floats that the forest takes.
    block: Vec<f32>,
}

/// The source of the rows.
enum Source {
    /// Finished rows, already measured.
    Rows(Vec<f64>),
    /// Readings, an interval apart. The first of them are only the past of the others.
    Readings { values: Vec<f64>, features: Box<Features>, next: Timestamp, interval: Duration },
}

impl MeasuredRows {
    /// Rows as they were read, one after another; `place` names a row in errors.
    ///
    /// # Errors
    /// The first row that no model can judge.
    pub(super) fn new(
        scorer: Arc<Scorer>,
        mut cells: Vec<f64>,
        place: impl FnOnce(usize) -> Place,
    ) -> Result<Self, ApiError> {
        scorer
            .measure_all(&mut cells)
            .map_err(|(index, error)| ApiError::Unprocessable(place(index).to_string(), error.to_string()))?;
        Ok(Self { scorer, source: Source::Rows(cells), block: Vec::new() })
    }

    /// The rows that the feature pipeline makes of readings. Their past are these readings alone, not those
    /// of the detector.
    ///
    /// # Errors
    /// The model has the feature `DailyResidual` and `start` is missing, or there are too many readings.
    pub(super) fn of_readings(
        scorer: Arc<Scorer>,
        values: Vec<f64>,
        start: Option<Timestamp>,
        interval: Duration,
    ) -> Result<Self, ApiError> {
        if scorer.model().recipe().is_daily() && start.is_none() {
            let why =
                "expected the time of the first readings, which the model's feature DailyResidual needs";
            return Err(ApiError::Unprocessable("start".to_owned(), why.to_owned()));
        }
        if values.len() > MAX_READINGS * scorer.model().sensors().len() {
            return Err(ApiError::TooManyRows(MAX_READINGS));
        }
        let (features, next) = (Box::new(scorer.features_of_rows()), start.unwrap_or_default());
        let mut rows =
            Self { scorer, source: Source::Readings { values, features, next, interval }, block: Vec::new() };
        let early = rows.early();
        rows.made(0..early);
        Ok(rows)
    }

    /// The scorer that judges.
    pub(super) fn scorer(&self) -> &Scorer {
        &self.scorer
    }

    /// The number of rows that are judged.
    pub(super) fn len(&self) -> usize {
        match &self.source {
            Source::Rows(cells) => cells.len() / self.scorer.model().columns(),
            Source::Readings { values, .. } => {
                values.len() / self.scorer.model().sensors().len() - self.early()
            }
        }
    }

    /// Whether there are at most `few` rows, and computing them costs little too.
    pub(super) fn are_few(&self, few: usize) -> bool {
        let made = match self.source {
            Source::Rows(_) => 0,
            Source::Readings { .. } => {
                self.len() * self.scorer.model().columns() * self.scorer.model().recipe().memory()
            }
        };
        self.len() <= few && made <= COMPUTED
    }

    /// How many readings at the beginning are not judged, but only looked back on.
    pub(super) fn early(&self) -> usize {
        match &self.source {
            Source::Rows(_) => 0,
            Source::Readings { values, .. } => {
                let model = self.scorer.model();
                (model.recipe().memory() - 1).min(values.len() / model.sensors().len())
            }
        }
    }

    /// The memory of the rows, bytes.
    pub(super) fn bytes(&self) -> usize {
        let (Source::Rows(cells) | Source::Readings { values: cells, .. }) = &self.source;
        let block = self.block_rows().min(self.len()) * self.scorer.model().columns();
        let made = if matches!(self.source, Source::Readings { .. }) { block * size_of::<f64>() } else { 0 };
        cells.capacity() * size_of::<f64>() + block * size_of::<f32>() + made
    }

    /// The block of rows that begins with row `begin`.
    pub(super) fn block(&self, begin: usize) -> Range<usize> {
        begin..(begin + self.block_rows()).min(self.len())
    }

    fn block_rows(&self) -> usize {
        match self.source {
            Source::Rows(_) => BLOCK,
            Source::Readings { .. } => {
                let model = self.scorer.model();
                (COMPUTED / (model.columns() * model.recipe().memory())).clamp(1, BLOCK)
            }
        }
    }

    /// Score some rows. Each call must continue where the previous one ended.
    pub(super) fn scores(&mut self, rows: Range<usize>) -> Vec<f64> {
        if rows.is_empty() {
            return Vec::new();
        }
        let made = self.made(rows.start + self.early()..rows.end + self.early());
        let columns = self.scorer.model().columns();
        let cells = match &self.source {
            Source::Rows(cells) => &cells[rows.start * columns..rows.end * columns],
            Source::Readings { .. } => &made,
        };
        self.scorer
            .model()
            .scores_by(cells, &mut self.block)
            .expect("the cells were measured, and are finite")
    }

    /// Judge and explain a row. Each call must continue where the previous one ended.
    pub(super) fn explained(&mut self, row: usize) -> Judgement {
        let made = self.made(row + self.early()..row + self.early() + 1);
        let (model, threshold) = (self.scorer.model(), self.scorer.threshold());
        let judged = |cells: &[f64]| {
            let judgement = model.judge_by(threshold, cells, Explain::Always);
            judgement.expect("the cells were measured, and are finite")
        };
        match &self.source {
            Source::Rows(cells) => judged(&cells[row * model.columns()..][..model.columns()]),
            Source::Readings { features, .. } => {
                let mut judgement = judged(&made);
                judgement.as_read(features.newest_levels());
                judgement
            }
        }
    }

    /// Compute the vectors of some readings. Each call must continue where the previous one ended. Empty for
    /// finished rows.
    fn made(&mut self, readings: Range<usize>) -> Vec<f64> {
        let Source::Readings { values, features, next, interval } = &mut self.source else {
            return Vec::new();
        };
        let sensors = self.scorer.model().sensors().len();
        let mut vectors = Vec::with_capacity(readings.len() * self.scorer.model().columns());
        for row in values[readings.start * sensors..readings.end * sensors].chunks_exact(sensors) {
            features.push_onto(&mut vectors, *next, row);
            *next = next.saturating_add(*interval).unwrap_or(Timestamp::MAX);
        }
        // A value beyond the range of a 32-bit float is beyond every split.
        for cell in &mut vectors {
            *cell = cell.clamp(f64::from(f32::MIN), f64::from(f32::MAX));
        }
        vectors
    }
}
