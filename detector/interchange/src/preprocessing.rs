//! The rows given to a pipeline in, the cells that its forest scores out: scalers, imputers, column
//! selections.
//!
//! All scalers and imputers of scikit-learn treat each column separately. So for any steps, however they
//! nest, a cell of the forest is one cell of the row and a list of operations on it, in the order and the
//! precision of scikit-learn: `(x - mean) / scale` is rounded twice there, and so it is here. The operations
//! are not folded into the splits: the forest's cells and splits are `f32`, the operations are computed in
//! `f64` before a cell becomes `f32`, and no `f32` split of the raw value is exactly where the split of the
//! scaled value is.

use serde::{Deserialize, Serialize};

/// The most columns of a row and of a forest. A file that claims more is refused before it costs memory.
pub(crate) const COLUMNS_LIMIT: u32 = 1 << 16;
/// The most operations of all columns together. The header of an artifact has room for this many.
pub(crate) const OPERATIONS_LIMIT: usize = 1 << 14;
/// The number of rows that go through an operation at a time: they fit into the processor's L1 cache.
const BLOCK: usize = 512;

/// Why preprocessing steps are refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PreprocessingError {
    /// Too many columns, or none.
    #[error("the steps before a forest must have between 1 and {COLUMNS_LIMIT} columns, got {0}")]
    Columns(usize),
    /// Too many operations.
    #[error(
        "the steps before a forest must have at most {OPERATIONS_LIMIT} operations, one a column and a step, got {0}"
    )]
    Operations(usize),
    /// A column of the forest is made from a column that rows do not have.
    #[error("a step must take one of the {inputs} columns, got column {from}")]
    From {
        /// Columns of a row.
        inputs: usize,
        /// The column, counted from 0.
        from: u32,
    },
    /// A number that would make every cell missing or infinite.
    #[error("{operation} must be by a {expected} number, got {got}")]
    Number {
        /// The operation that uses the number.
        operation: &'static str,
        /// `finite`, or `finite, non-zero`.
        expected: &'static str,
        /// The number.
        got: f64,
    },
    /// A range to clip to whose upper end is below its lower end.
    #[error("a range of cells must not end before it begins, got {low} to {high}")]
    Range {
        /// Its lower end.
        low: f64,
        /// Its upper end.
        high: f64,
    },
}

/// The steps that turn a row into the cells that a forest scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Preprocessing {
    /// How many cells a row has.
    inputs: usize,
    /// One entry for each column of the forest.
    columns: Vec<Column>,
}

/// The steps as read from a file, before they are checked.
#[derive(Deserialize)]
struct Unchecked {
    inputs: usize,
    columns: Vec<Column>,
}

impl TryFrom<Unchecked> for Preprocessing {
    type Error = PreprocessingError;

    fn try_from(Unchecked { inputs, columns }: Unchecked) -> Result<Self, PreprocessingError> {
        Self::new(inputs, columns)
    }
}

/// How one cell of the forest is computed: the index of a row's cell, counted from 0, and operations on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column(pub u32, pub Vec<Operation>);

/// Arithmetic on one cell, in `f64`. A missing cell (NaN) stays missing, unless it is filled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// `x - number`
    Subtract(f64),
    /// `x / number`
    Divide(f64),
    /// `x * number`
    Multiply(f64),
    /// `x + number`
    Add(f64),
    /// `x`, but not below the first number nor above the second.
    Clip([f64; 2]),
    /// The number where the cell is missing.
    Fill(f64),
    /// The second number where the cell equals the first, which stands for a missing cell.
    Replace([f64; 2]),
    /// The nearest `f32`: ONNX computes in that precision.
    Single,
}

impl Preprocessing {
    /// Create the steps that turn rows of `inputs` cells into the cells of the forest.
    ///
    /// # Errors
    /// Too many columns or operations, a column that rows do not have, a number that is not finite, a
    /// division by 0, or a range that ends before it begins.
    pub fn new(inputs: usize, columns: Vec<Column>) -> Result<Self, PreprocessingError> {
        for count in [inputs, columns.len()] {
            if !(1..=COLUMNS_LIMIT as usize).contains(&count) {
                return Err(PreprocessingError::Columns(count));
            }
        }
        let operations = columns.iter().map(|column| column.1.len()).sum();
        if operations > OPERATIONS_LIMIT {
            return Err(PreprocessingError::Operations(operations));
        }
        for Column(from, operations) in &columns {
            if *from as usize >= inputs {
                return Err(PreprocessingError::From { inputs, from: *from });
            }
            operations.iter().try_for_each(Operation::check)?;
        }
        Ok(Self { inputs, columns })
    }

    /// How many cells a row has before the steps: 1 or more.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// How each column of the forest is computed, in order: 1 or more.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The index of the row's column from which a column of the forest is computed, both counted from 0.
    ///
    /// # Panics
    /// When the forest has no such column.
    pub fn source(&self, column: usize) -> usize {
        self.columns[column].0 as usize
    }

    /// Whether the steps leave every row unchanged.
    pub fn is_identity(&self) -> bool {
        let stays = |(at, column): (usize, &Column)| column.0 as usize == at && column.1.is_empty();
        self.inputs == self.columns.len() && self.columns.iter().enumerate().all(stays)
    }

    /// Apply the steps to `rows`, and return the cells that the forest scores, row by row. A cell beyond the
    /// range of `f32` becomes the end of that range, beyond which no forest splits (scikit-learn refuses such
    /// a row).
    ///
    /// # Panics
    /// If the length of `rows` is not a multiple of [`inputs`](Self::inputs).
    pub fn apply(&self, rows: &[f64]) -> Vec<f64> {
        assert!(rows.len().is_multiple_of(self.inputs), "rows must be whole");
        let width = self.columns.len();
        let mut made = vec![0.0; rows.len() / self.inputs * width];
        let mut cells = [0.0; BLOCK];
        let blocks = rows.chunks(BLOCK * self.inputs).zip(made.chunks_mut(BLOCK * width));
        for (rows, made) in blocks {
            for (at, Column(from, operations)) in self.columns.iter().enumerate() {
                let given = rows.iter().skip(*from as usize).step_by(self.inputs);
                let count = rows.len() / self.inputs;
                cells.iter_mut().zip(given).for_each(|(cell, given)| *cell = *given);
                for operation in operations {
                    operation.apply(&mut cells[..count]);
                }
                let places = made.iter_mut().skip(at).step_by(width);
                places
                    .zip(&cells)
                    .for_each(|(place, cell)| *place = cell.clamp(f32::MIN.into(), f32::MAX.into()));
            }
        }
        made
    }
}

impl Operation {
    /// Check that the operation keeps finite cells finite, apart from overflow.
    pub(crate) fn check(&self) -> Result<(), PreprocessingError> {
        let finite = |operation, got: f64| {
            let error = PreprocessingError::Number { operation, expected: "finite", got };
            if got.is_finite() { Ok(()) } else { Err(error) }
        };
        match *self {
            Self::Subtract(number) => finite("centering", number),
            Self::Add(number) => finite("shifting", number),
            Self::Multiply(number) => finite("scaling", number),
            Self::Divide(got) if got == 0.0 || !got.is_finite() => {
                Err(PreprocessingError::Number { operation: "scaling", expected: "finite, non-zero", got })
            }
            Self::Divide(_) | Self::Single => Ok(()),
            Self::Fill(number) => finite("filling", number),
            Self::Replace([missing, number]) => finite("replacing", missing).and(finite("replacing", number)),
            Self::Clip([low, high]) if low <= high => Ok(()),
            Self::Clip([low, high]) => Err(PreprocessingError::Range { low, high }),
        }
    }

    fn apply(&self, cells: &mut [f64]) {
        let all = |change: &dyn Fn(f64) -> f64, cells: &mut [f64]| {
            for cell in cells {
                *cell = change(*cell);
            }
        };
        // One loop for each kind of operation, so that each is compiled for its arithmetic.
        match *self {
            Self::Subtract(number) => cells.iter_mut().for_each(|cell| *cell -= number),
            Self::Divide(number) => cells.iter_mut().for_each(|cell| *cell /= number),
            Self::Multiply(number) => cells.iter_mut().for_each(|cell| *cell *= number),
            Self::Add(number) => cells.iter_mut().for_each(|cell| *cell += number),
            Self::Clip([low, high]) => all(&|cell| cell.clamp(low, high), cells),
            Self::Fill(number) => all(&|cell| if cell.is_nan() { number } else { cell }, cells),
            Self::Replace([missing, number]) => {
                all(&|cell| if cell == missing { number } else { cell }, cells);
            }
            Self::Single => all(&|cell| f64::from(cell as f32), cells),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn steps(inputs: usize, columns: &[(u32, &[Operation])]) -> Result<Preprocessing, PreprocessingError> {
        let column = |&(from, operations): &(u32, &[Operation])| Column(from, operations.to_vec());
        Preprocessing::new(inputs, columns.iter().map(column).collect())
    }

    #[test]
    fn each_operation_is_rounded_by_itself() {
        let scaled = steps(1, &[(0, &[Operation::Subtract(0.1), Operation::Divide(3.0)])]).unwrap();
        assert_eq!(scaled.apply(&[0.7, f64::NAN])[0].to_bits(), ((0.7_f64 - 0.1) / 3.0).to_bits());
        assert!(scaled.apply(&[f64::NAN])[0].is_nan(), "a missing cell stays missing");
        let single = steps(1, &[(0, &[Operation::Single, Operation::Multiply(2.0)])]).unwrap();
        assert_eq!(single.apply(&[0.1]), [f64::from(0.1_f32) * 2.0]);
    }

    #[test]
    fn cells_beyond_the_range_of_f32_become_its_end() {
        let scaled = steps(1, &[(0, &[Operation::Divide(1e-300)])]).unwrap();
        assert_eq!(scaled.apply(&[1e38, -1e38, 0.0]), [f32::MAX.into(), f32::MIN.into(), 0.0]);
    }

    #[test]
    fn columns_are_chosen_filled_replaced_and_clipped() {
        let columns: [(u32, &[Operation]); 3] = [
            (2, &[Operation::Fill(5.0)]),
            (0, &[Operation::Clip([0.0, 1.0])]),
            (2, &[Operation::Replace([-1.0, 9.0])]),
        ];
        let chosen = steps(3, &columns).unwrap();
        assert_eq!(chosen.apply(&[7.0, 0.0, -1.0]), [-1.0, 1.0, 9.0]);
        assert_eq!(chosen.apply(&[-7.0, 0.0, f64::NAN])[..2], [5.0, 0.0]);
        assert_eq!([0, 1, 2].map(|column| chosen.source(column)), [2, 0, 2]);
    }

    #[test]
    fn what_no_row_can_be_taken_through_is_refused() {
        let refusal = |operation| steps(1, &[(0, &[operation])]).unwrap_err().to_string();
        assert_eq!(refusal(Operation::Divide(0.0)), "scaling must be by a finite, non-zero number, got 0");
        assert_eq!(refusal(Operation::Subtract(f64::NAN)), "centering must be by a finite number, got NaN");
        assert_eq!(
            refusal(Operation::Clip([1.0, 0.0])),
            "a range of cells must not end before it begins, got 1 to 0"
        );
        assert_eq!(
            steps(2, &[(2, &[])]).unwrap_err().to_string(),
            "a step must take one of the 2 columns, got column 2"
        );
        assert_eq!(
            steps(1, &[(0, &vec![Operation::Single; OPERATIONS_LIMIT + 1])]).unwrap_err().to_string(),
            "the steps before a forest must have at most 16384 operations, one a column and a step, got 16385"
        );
    }

    proptest! {
        #[test]
        fn json_keeps_every_number_to_the_bit(number in any::<f64>().prop_filter("finite", |number| number.is_finite() && *number != 0.0)) {
            let written = steps(1, &[(0, &[Operation::Divide(number), Operation::Single])]).unwrap();
            let text = serde_json::to_string(&written).unwrap();
            let read: Preprocessing = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read, written);
        }

        #[test]
        fn rows_together_and_alone_are_made_the_same(cells in prop::collection::vec(-1e3..1e3f64, 1..3000)) {
            let rows = &cells[..cells.len() / 2 * 2];
            let made = steps(2, &[(1, &[Operation::Subtract(0.3)]), (0, &[]), (1, &[])]).unwrap();
            let alone: Vec<f64> = rows.chunks(2).flat_map(|row| made.apply(row)).collect();
            prop_assert_eq!(made.apply(rows), alone);
        }
    }
}
