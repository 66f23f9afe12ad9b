//! The tensors of a request in; the rows of one tensor, or of one tensor per column, in one flat buffer out.
//! A tensor with the name [`READINGS`] has rows of readings.

use super::super::error::ApiError;
use super::super::expected::MAX_NAMED;
use crate::excerpt::{MAX_EXCERPT, excerpt};
use crate::model::model::Model;
use crate::model::names;
use crate::serving::budget::Held;

/// The name of a tensor with the readings of the sensors, one row per time.
pub(super) const READINGS: &str = "readings";

/// The content of a request's tensors.
pub(super) enum Cells {
    /// Rows of the model's columns.
    Rows(Vec<f64>),
    /// Rows of readings.
    Readings(Vec<f64>),
}

/// A tensor of a request, in JSON or protobuf.
pub(super) trait InputTensor {
    /// The name of the input or of a column.
    fn name(&self) -> &str;

    /// The length of each dimension.
    fn shape(&self) -> &[usize];

    /// Read its numbers, and hold memory for them.
    ///
    /// # Errors
    /// The values are not numbers, or the budget has no room.
    fn numbers(self, held: &mut Held) -> Result<Vec<f64>, ApiError>;
}

/// The cells of all rows.
///
/// # Errors
/// The tensors do not match the model's columns, or their numbers do not match their shapes.
pub(super) fn cells<T: InputTensor>(
    model: &Model,
    inputs: Vec<T>,
    most_rows: usize,
    held: &mut Held,
) -> Result<Cells, ApiError> {
    let is_readings = inputs.len() == 1 && inputs[0].name() == READINGS;
    let columns = if is_readings { model.sensors().len() } else { model.columns() };
    let is_whole = inputs.len() == 1 && inputs[0].shape().len() == 2 && inputs[0].shape()[1] == columns;
    if is_readings && !is_whole {
        let why = format!("expected the shape [rows, {columns}], got {:?}", inputs[0].shape());
        return Err(ApiError::Unprocessable(shown(inputs[0].name()), why));
    }
    let rows = if is_whole { inputs[0].shape()[0] } else { column_length(model, &inputs)? };
    if rows > most_rows {
        return Err(ApiError::TooManyRows(most_rows));
    }
    let mut tensors = Vec::with_capacity(inputs.len());
    for input in inputs {
        let name = input.name().to_owned();
        tensors.push((name, numbers(input, held)?));
    }
    match <[_; 1]>::try_from(tensors) {
        Ok([(_, cells)]) if is_readings => readings(cells).map(Cells::Readings),
        Ok([(_, cells)]) => Ok(Cells::Rows(cells)),
        Err(tensors) => by_column(model, rows, &tensors, held).map(Cells::Rows),
    }
}

/// Check that all readings are finite. One that is not would be part of many rows.
fn readings(cells: Vec<f64>) -> Result<Vec<f64>, ApiError> {
    match cells.iter().position(|value| forest::cell(*value).is_none()) {
        None => Ok(cells),
        Some(index) => Err(ApiError::Unprocessable(
            format!("input {READINGS}: element {index}"),
            format!("expected a finite number, got {}", cells[index]),
        )),
    }
}

/// The name of an input for errors, truncated if it is long.
pub(super) fn shown(name: &str) -> String {
    format!("input {}", excerpt(name, MAX_EXCERPT))
}

/// The numbers of a tensor, which must be as many as its shape has.
fn numbers<T: InputTensor>(input: T, held: &mut Held) -> Result<Vec<f64>, ApiError> {
    let (name, shape) = (shown(input.name()), input.shape().to_vec());
    let length = shape.iter().try_fold(1_usize, |length, dimension| length.checked_mul(*dimension));
    let numbers = input.numbers(held)?;
    if length == Some(numbers.len()) {
        return Ok(numbers);
    }
    let why = format!("expected as many numbers as the shape {shape:?} has, got {}", numbers.len());
    Err(ApiError::Unprocessable(name, why))
}

/// The number of rows, if each column has its own tensor.
fn column_length<T: InputTensor>(model: &Model, inputs: &[T]) -> Result<usize, ApiError> {
    let columns = model.columns();
    let refused = |why: String| ApiError::Unprocessable("inputs".to_owned(), why);
    let Some(first) = inputs.first().filter(|_| inputs.len() == columns) else {
        let whole = format!("expected a tensor of shape [rows, {columns}]");
        let got = match inputs {
            [input] => format!("one of shape {:?}", input.shape()),
            inputs => format!("{} tensors", inputs.len()),
        };
        let each = if columns <= MAX_NAMED { " or a tensor a column" } else { "" };
        return Err(refused(format!("{whole}{each}, got {got}")));
    };
    let length = |input: &T| match input.shape()[..] {
        [rows] | [rows, 1] => Some(rows),
        _ => None,
    };
    let is_wrong = |input: &&T| length(input).is_none() || length(input) != length(first);
    match inputs.iter().find(is_wrong) {
        Some(wrong) => Err(ApiError::Unprocessable(
            shown(wrong.name()),
            format!(
                "expected the shape [rows] or [rows, 1], the same as the other columns, got {:?}",
                wrong.shape()
            ),
        )),
        None => Ok(length(first).unwrap_or_default()),
    }
}

/// Turn columns, in any order, into rows.
fn by_column(
    model: &Model,
    rows: usize,
    tensors: &[(String, Vec<f64>)],
    held: &mut Held,
) -> Result<Vec<f64>, ApiError> {
    let names = model.column_names();
    held.grow(rows * names.len() * size_of::<f64>())?;
    let mut cells = vec![0.0; rows * names.len()];
    let mut is_given = vec![false; names.len()];
    for (name, numbers) in tensors {
        let refused = |why: String| ApiError::Unprocessable(format!("input {name}"), why);
        let column = names.iter().position(|each| each == name);
        let column =
            column.ok_or_else(|| refused(format!("no such column: expected {}", names::list(names))))?;
        if std::mem::replace(&mut is_given[column], true) {
            return Err(refused("expected it once, got it twice".to_owned()));
        }
        for (row, number) in numbers.iter().enumerate() {
            cells[row * names.len() + column] = *number;
        }
    }
    Ok(cells)
}
