//! Numbers from anywhere in, `Samples` out: finite, rectangular, never empty.

use thiserror::Error;

/// Rows to train on or to score: `f32` cells in row-major order, at least one row and one column, all of them finite, or
/// NaN where they are missing and [`Samples::with_missing`] allowed it.
///
/// Cells are kept as `f32`, as scikit-learn does: splits are chosen, and rows are compared, at that precision.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    columns: usize,
    cells: Vec<f32>,
    ranges: Vec<[f32; 2]>,
    has_missing: bool,
}

/// The reason why cells cannot become [`Samples`].
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SamplesError {
    /// A table without columns.
    #[error("columns must be at least 1, got 0")]
    NoColumns,
    /// A table without rows.
    #[error("samples must have at least 1 row, got 0")]
    NoRows,
    /// The last row has too few cells.
    #[error("samples must be whole rows of {columns} cells, got {cells} cells")]
    Ragged {
        /// Cells in a row.
        columns: usize,
        /// Cells given.
        cells: usize,
    },
    /// NaN, an infinity, or a number that `f32` cannot hold.
    #[error(
        "row {row}, column {column} (both counted from 0) must be a finite number within ±3.4e38, got {value}"
    )]
    Cell {
        /// Row, counted from 0.
        row: usize,
        /// Column, counted from 0.
        column: usize,
        /// The value.
        value: f64,
    },
}

/// One cell as the forest sees it; `None` for NaN, infinities and numbers beyond the range of `f32` (about ±3.4e38).
///
/// ```
/// assert_eq!(forest::cell(0.95), Some(0.95));
/// assert_eq!(forest::cell(1e39), None);
/// ```
pub fn cell(value: f64) -> Option<f32> {
    let cell = value as f32;
    cell.is_finite().then_some(cell)
}

impl Samples {
    /// Builds samples from `cells`, row by row, with `columns` cells in each row.
    ///
    /// # Errors
    /// When there is no row or no column, when the last row is short, and for the first cell that is not a finite `f32`.
    pub fn new(columns: usize, cells: Vec<f64>) -> Result<Self, SamplesError> {
        if let Some(at) = cells.iter().position(|value| value.is_nan()).filter(|_| columns > 0) {
            return Err(SamplesError::Cell { row: at / columns, column: at % columns, value: f64::NAN });
        }
        Self::with_missing(columns, cells)
    }

    /// As [`Samples::new`], but a cell may be NaN: it is missing.
    ///
    /// A split is chosen from the cells that are present. In training, a row whose cell is missing goes to a
    /// random side; the probability of a side is the share of the other rows that went there. In scoring it
    /// goes down both sides, each with the weight of the training rows that went there: proportional
    /// distribution, which Zemicheal and Dietterich, "Anomaly detection in the presence of missing values for
    /// weather data quality control" (COMPASS 2019) found to work best, and which Cortes uses
    /// (arXiv:1911.06646). A hyperplane leaves missing cells out.
    ///
    /// # Errors
    /// As [`Samples::new`], but for NaN.
    #[expect(clippy::needless_pass_by_value, reason = "cells are gathered to be handed over")]
    pub fn with_missing(columns: usize, cells: Vec<f64>) -> Result<Self, SamplesError> {
        if columns == 0 {
            return Err(SamplesError::NoColumns);
        }
        if cells.is_empty() {
            return Err(SamplesError::NoRows);
        }
        if !cells.len().is_multiple_of(columns) {
            return Err(SamplesError::Ragged { columns, cells: cells.len() });
        }
        let samples = Self::unchecked(columns, &cells);
        if samples.ranges.iter().all(|range| range.iter().all(|cell| cell.is_finite())) {
            return Ok(samples);
        }
        let at = cells.iter().position(|&value| cell(value).is_none() && !value.is_nan());
        let at = at.expect("a range ends at an infinity where a cell is one");
        Err(SamplesError::Cell { row: at / columns, column: at % columns, value: cells[at] })
    }

    /// Converts all cells in one pass, without checks. Where a cell is infinite, its column's range is too.
    fn unchecked(columns: usize, cells: &[f64]) -> Self {
        let mut narrow = Vec::with_capacity(cells.len());
        let (mut lows, mut highs) = (vec![f32::INFINITY; columns], vec![f32::NEG_INFINITY; columns]);
        let mut has_missing = false;
        for row in cells.chunks_exact(columns) {
            for ((&value, low), high) in row.iter().zip(&mut lows).zip(&mut highs) {
                let cell = value as f32;
                *low = if cell < *low { cell } else { *low };
                *high = if cell > *high { cell } else { *high };
                has_missing |= cell.is_nan();
                narrow.push(cell);
            }
        }
        let range = |(low, high)| if low > high { [f32::MIN, f32::MAX] } else { [low, high] };
        Self { columns, cells: narrow, ranges: lows.into_iter().zip(highs).map(range).collect(), has_missing }
    }

    /// The least and the greatest cell of each column; the whole range of `f32` where all cells are missing.
    pub(crate) fn ranges(&self) -> &[[f32; 2]] {
        &self.ranges
    }

    /// Whether any cell is missing.
    pub fn has_missing(&self) -> bool {
        self.has_missing
    }

    /// How many rows there are: 1 or more.
    #[expect(clippy::len_without_is_empty, reason = "samples are never empty")]
    pub fn len(&self) -> usize {
        self.cells.len() / self.columns
    }

    /// How many cells a row has: 1 or more.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The `index`th row, counted from 0.
    ///
    /// # Panics
    /// When there is no such row, as indexing a slice does.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.cells[index * self.columns..][..self.columns]
    }

    /// The rows, first to last.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.cells.chunks_exact(self.columns)
    }

    /// The central range of each column, which has 98 in 100 rows: from the first to the ninety-ninth
    /// percentile of its cells; the whole range of `f32` where all cells are missing.
    pub fn central_ranges(&self) -> Vec<[f32; 2]> {
        let range = |column: usize| {
            let mut cells: Vec<f32> =
                self.rows().map(|row| row[column]).filter(|cell| !cell.is_nan()).collect();
            let Some(last) = cells.len().checked_sub(1) else { return [f32::MIN, f32::MAX] };
            let (low, high) = (last / 100, last - last / 100);
            let low = *cells.select_nth_unstable_by(low, f32::total_cmp).1;
            [low, *cells.select_nth_unstable_by(high, f32::total_cmp).1]
        };
        (0..self.columns).map(range).collect()
    }

    /// All cells, row by row.
    pub fn cells(&self) -> &[f32] {
        &self.cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_cell_is_named_by_row_column_and_value() {
        let error = Samples::new(2, vec![1.0, 2.0, 3.0, f64::NAN]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "row 1, column 1 (both counted from 0) must be a finite number within ±3.4e38, got NaN"
        );
        for value in [f64::INFINITY, f64::NEG_INFINITY, 1e39, -1e300] {
            assert_eq!(Samples::new(1, vec![value]), Err(SamplesError::Cell { row: 0, column: 0, value }));
        }
    }

    #[test]
    fn the_central_range_leaves_out_one_in_a_hundred_on_either_side() {
        let cells = (0..1001).flat_map(|i| [f64::from(i * 8 % 1001), 3.0]).collect();
        assert_eq!(Samples::new(2, cells).unwrap().central_ranges(), [[10.0, 990.0], [3.0, 3.0]]);
        assert_eq!(Samples::new(1, vec![5.0]).unwrap().central_ranges(), [[5.0, 5.0]]);
    }

    #[test]
    fn a_table_needs_rows_columns_and_whole_rows() {
        assert_eq!(Samples::new(0, vec![1.0]).unwrap_err().to_string(), "columns must be at least 1, got 0");
        assert_eq!(
            Samples::new(3, vec![]).unwrap_err().to_string(),
            "samples must have at least 1 row, got 0"
        );
        let ragged = Samples::new(3, vec![0.0; 7]).unwrap_err();
        assert_eq!(ragged.to_string(), "samples must be whole rows of 3 cells, got 7 cells");
    }
}
