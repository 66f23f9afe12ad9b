//! A model and a vector in, a judgement out: score, severity, contributions and reasons.

use crd::model::Feature;
use forest::{Contribution, Explained, Samples, SamplesError, Side, cell};
use thiserror::Error;

use super::judgement::{Direction, Judgement, SensorReason, severity};
use super::model::Model;
use crate::features::pipeline::in_sensor_unit;

/// Which verdicts are explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explain {
    /// All verdicts.
    Always,
    /// Anomalous verdicts.
    Anomalies,
    /// No verdicts.
    Never,
}

/// A value that no model can judge.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("expected a finite number within the range of 32-bit floats, got {0}")]
pub struct InvalidValue(pub f64);

impl Model {
    /// Judge one vector by the model's own threshold. `explain` selects the verdicts with contributions,
    /// which take two to four times as long.
    ///
    /// # Errors
    /// A value that is neither finite as a 32-bit float nor NaN: missing.
    ///
    /// # Panics
    /// If the vector does not have as many values as the model has columns.
    pub fn judge(&self, vector: &[f64], explain: Explain) -> Result<Judgement, InvalidValue> {
        self.judge_by(self.threshold(), vector, explain)
    }

    /// Judge one vector by another threshold.
    ///
    /// # Errors
    /// As [`Model::judge`].
    ///
    /// # Panics
    /// As [`Model::judge`].
    pub fn judge_by(
        &self,
        threshold: f64,
        vector: &[f64],
        explain: Explain,
    ) -> Result<Judgement, InvalidValue> {
        let row = self.row(vector)?;
        let forest = &self.artifact.ensemble;
        let (score, mut columns) = match explain {
            Explain::Always => {
                let Explained { score, contributions } = forest.score_and_explain(&row);
                (score, contributions)
            }
            Explain::Anomalies | Explain::Never => (forest.score(&row), Vec::new()),
        };
        let anomalous = score > threshold;
        if anomalous && explain == Explain::Anomalies {
            columns = forest.explain(&row);
        }
        let explained = !columns.is_empty();
        Ok(Judgement {
            score,
            severity: severity(score, threshold),
            anomalous,
            contributions: if explained { self.by_sensor(&columns) } else { Vec::new() },
            reasons: if explained { self.reasons(&columns, vector) } else { Vec::new() },
            model: self.digest.clone(),
        })
    }

    /// The score of one vector, without a judgement.
    ///
    /// # Errors
    /// As [`Model::judge`].
    ///
    /// # Panics
    /// As [`Model::judge`].
    pub fn score(&self, vector: &[f64]) -> Result<f64, InvalidValue> {
        Ok(self.artifact.ensemble.score(&self.row(vector)?))
    }

    /// The cells that the forest scores for a vector.
    fn row(&self, vector: &[f64]) -> Result<Vec<f32>, InvalidValue> {
        assert_eq!(
            vector.len(),
            self.columns(),
            "a vector must have as many values as the model has columns"
        );
        let cell = |value: &f64| cell_or_missing(*value).ok_or(InvalidValue(*value));
        let row = vector.iter().map(cell).collect::<Result<_, _>>()?;
        let Some(steps) = self.preprocessing() else { return Ok(row) };
        Ok(steps.apply(vector).into_iter().map(|cell| cell as f32).collect())
    }

    /// The index of the vector's column that a column of the forest is made from.
    fn source(&self, column: usize) -> usize {
        self.preprocessing().map_or(column, |steps| steps.source(column))
    }

    /// The judgement of missing readings that count as an anomaly: the highest score, with equal
    /// contributions of the missing sensors.
    pub fn judge_missing(&self, values: &[Option<f64>]) -> Judgement {
        let missing = values.iter().filter(|value| value.is_none()).count().max(1) as f64;
        let share = |value: &Option<f64>| if value.is_none() { 1.0 / missing } else { 0.0 };
        let contributions = values.iter().map(share).collect();
        let (reasons, model) = (Vec::new(), self.digest.clone());
        Judgement { score: 1.0, severity: 2.0, anomalous: true, contributions, reasons, model }
    }

    /// Convert shares of columns to shares of sensors: the columns of a sensor are its features, now and
    /// before.
    fn by_sensor(&self, columns: &[Contribution]) -> Vec<f64> {
        let mut shares = vec![0.0; self.sensors().len()];
        for (column, contribution) in columns.iter().enumerate() {
            shares[self.sensor_of(self.source(column))] += contribution.share;
        }
        shares
    }

    fn sensor_of(&self, column: usize) -> usize {
        self.pipeline.recipe.sensor_of(column, self.sensors().len())
    }

    /// For each sensor, the reason given by its column that contributed most; of equal columns, the first.
    fn reasons(&self, columns: &[Contribution], vector: &[f64]) -> Vec<SensorReason> {
        let (sensors, features) = (self.sensors().len(), self.pipeline.recipe.features.len());
        if vector.iter().any(|cell| cell.is_nan()) {
            return Vec::new(); // a missing sensor has no reason, and the list has one per sensor
        }
        let top_contributor = |sensor: usize| {
            let own = 0..columns.len();
            let own = own.filter(move |column| self.sensor_of(self.source(*column)) == sensor);
            own.rev().max_by(|a, b| columns[*a].share.total_cmp(&columns[*b].share))
        };
        let reason = |column: usize, feature: Feature| SensorReason {
            feature,
            lag: column / (features * sensors),
            direction: match columns[column].side {
                Side::High => Direction::High,
                Side::Low => Direction::Low,
            },
            value: in_sensor_unit(feature, vector[self.source(column)]),
            expected: self.expected(column).map(|range| range.map(|end| in_sensor_unit(feature, end))),
        };
        let feature = |column: usize| self.pipeline.recipe.features[column % features];
        (0..sensors).filter_map(top_contributor).map(|column| reason(column, feature(column))).collect()
    }

    /// The range that 98 in 100 of the training readings had in a column, if the model stores it.
    fn expected(&self, column: usize) -> Option<[f64; 2]> {
        self.metadata().training.central_ranges.get(column).map(|range| range.map(f64::from))
    }

    /// Set the newest readings of some sensors to missing in a vector.
    pub fn set_missing(&self, vector: &mut [f64], is_missing: impl Fn(usize) -> bool) {
        let newest = self.sensors().len() * self.pipeline.recipe.features.len();
        let columns = vector[..newest].iter_mut().enumerate();
        columns
            .filter(|(column, _)| is_missing(self.sensor_of(*column)))
            .for_each(|(_, cell)| *cell = f64::NAN);
    }

    /// The scores of whole vectors, one after another.
    ///
    /// # Errors
    /// No vector, or a value that is neither finite as a 32-bit float nor NaN: missing.
    pub fn scores(&self, vectors: Vec<f64>) -> Result<Vec<f64>, SamplesError> {
        let Some(steps) = self.preprocessing() else {
            return Ok(self.artifact.ensemble.scores(&Samples::with_missing(self.columns(), vectors)?));
        };
        check(&vectors, self.columns())?;
        let cells = Samples::with_missing(steps.columns().len(), steps.apply(&vectors))?;
        Ok(self.artifact.ensemble.scores(&cells))
    }
}

impl Model {
    /// The scores of whole vectors, one after another, whose values are all finite as 32-bit floats. `cells`
    /// is a buffer that can be reused.
    ///
    /// # Errors
    /// Those of [`Model::scores`].
    pub fn scores_by(&self, vectors: &[f64], cells: &mut Vec<f32>) -> Result<Vec<f64>, SamplesError> {
        if self.preprocessing().is_some() {
            return self.scores(vectors.to_vec());
        }
        cells.clear();
        cells.extend(vectors.iter().map(|value| *value as f32));
        Ok(self.artifact.ensemble.scores_of_cells(cells))
    }
}

/// Check that rows are complete, and that each value is finite as a 32-bit float or missing.
fn check(rows: &[f64], columns: usize) -> Result<(), SamplesError> {
    if !rows.len().is_multiple_of(columns) {
        return Err(SamplesError::Ragged { columns, cells: rows.len() });
    }
    match rows.iter().position(|value| cell_or_missing(*value).is_none()) {
        Some(at) => Err(SamplesError::Cell { row: at / columns, column: at % columns, value: rows[at] }),
        None => Ok(()),
    }
}

/// Convert a value to a 32-bit float, NaN if it is missing; `None` if it is out of range.
fn cell_or_missing(value: f64) -> Option<f32> {
    if value.is_nan() { Some(f32::NAN) } else { cell(value) }
}
