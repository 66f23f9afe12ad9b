//! The nodes between a graph's input and its trees in, the operations on each column out: the scalers,
//! imputers and column selections of a scikit-learn pipeline, as skl2onnx writes them.
//!
//! ONNX computes in `f32`, scikit-learn in `f64`: each operation is followed by [`Operation::Single`], so
//! that cells equal those of ONNX Runtime to the bit.

use super::error::ReadError;
use super::graph::{Attributes, Constant, Graph};
use super::proto;
use crate::preprocessing::{COLUMNS_LIMIT, Column, OPERATIONS_LIMIT, Operation, Preprocessing};

type Result<T> = std::result::Result<T, ReadError>;

/// The most steps that may follow one another.
const DEPTH_LIMIT: usize = 64;
/// The steps counted for a visit of a node, so that a node that is named many times uses up the budget.
const NODE_STEPS: usize = 1000;
/// The memory cost of a column and of an operation in bytes.
const COLUMN_BYTES: usize = size_of::<Column>();
const OPERATION_BYTES: usize = 2 * size_of::<Operation>();

/// The steps that turn a row into `cells`, the input of the trees; `None` if they change nothing.
pub(super) fn before(graph: &Graph<'_>, cells: &str, width: usize) -> Result<Option<Preprocessing>> {
    const WIDTH: ReadError = ReadError::Foreign("the input says how many columns it has");
    if cells == graph.input {
        return Ok(None);
    }
    let inputs = graph.width.filter(|width| (1..=COLUMNS_LIMIT).contains(width)).ok_or(WIDTH)?;
    let columns = columns(graph, cells, inputs, 0)?;
    if columns.len() != width {
        return Err(ReadError::Foreign("the steps give as many columns as the trees see"));
    }
    let steps = Preprocessing::new(inputs as usize, columns)?;
    let only_single = |column: &Column| column.1.iter().all(|operation| *operation == Operation::Single);
    let stays = |(at, column): (usize, &Column)| column.0 as usize == at && only_single(column);
    let is_identity = inputs as usize == width && steps.columns().iter().enumerate().all(stays);
    Ok(Some(steps).filter(|_| !is_identity))
}

/// The columns of `output`, each with its operations.
fn columns(graph: &Graph<'_>, output: &str, inputs: u32, depth: usize) -> Result<Vec<Column>> {
    graph.budget.work(NODE_STEPS)?;
    if output == graph.input {
        graph.budget.allocate((COLUMN_BYTES + OPERATION_BYTES) * inputs as usize)?;
        return Ok((0..inputs).map(|column| Column(column, vec![Operation::Single])).collect());
    }
    if depth >= DEPTH_LIMIT {
        return Err(ReadError::Foreign("at most 64 steps follow one another"));
    }
    let node =
        graph.any(output).ok_or(ReadError::Foreign("the trees see the input, through steps or not"))?;
    let of = |input: Option<&String>| {
        let input = input.ok_or(ReadError::Foreign("a step has an input"))?;
        columns(graph, input, inputs, depth + 1)
    };
    if node.op_type == "Concat" {
        return concatenated(graph, node, of);
    }
    let given = of(node.input.first())?;
    graph
        .budget
        .allocate(given.iter().map(|column| COLUMN_BYTES + OPERATION_BYTES * (2 + column.1.len())).sum())?;
    let made = step(graph, node, given)?;
    within(made)
}

fn concatenated(
    graph: &Graph<'_>,
    node: &proto::Node,
    of: impl Fn(Option<&String>) -> Result<Vec<Column>>,
) -> Result<Vec<Column>> {
    if Attributes::of(node, graph.budget)?.int("axis") != Some(1) {
        return Err(ReadError::Foreign("columns are put side by side"));
    }
    let mut all = Vec::new();
    for input in &node.input {
        all.extend(of(Some(input))?);
        all = within(all)?;
    }
    Ok(all)
}

fn within(columns: Vec<Column>) -> Result<Vec<Column>> {
    let operations: usize = columns.iter().map(|column| column.1.len()).sum();
    // Twice the final limit: some of the operations only round to `f32`.
    if columns.len() > COLUMNS_LIMIT as usize || operations > columns.len() + 2 * OPERATIONS_LIMIT {
        return Err(ReadError::Foreign("the steps have at most 65536 columns and 16384 operations"));
    }
    Ok(columns)
}

/// The columns after one step.
fn step(graph: &Graph<'_>, node: &proto::Node, columns: Vec<Column>) -> Result<Vec<Column>> {
    let attributes = Attributes::of(node, graph.budget)?;
    let constant = |at: usize| node.input.get(at).and_then(|name| graph.constant(name));
    let numbers = || match constant(1) {
        Some(Constant::Floats(floats)) => Ok(&floats[..]),
        _ => Err(ReadError::Foreign("a step computes with constants")),
    };
    match &node.op_type[..] {
        "Identity" => Ok(columns),
        "Cast" if attributes.int("to") == Some(proto::FLOAT.into()) => Ok(columns),
        "Scaler" => {
            let centered = with_each(columns, attributes.floats("offset")?, Operation::Subtract)?;
            with_each(centered, attributes.floats("scale")?, Operation::Multiply)
        }
        "Sub" => with_each(columns, numbers()?, Operation::Subtract),
        "Div" => with_each(columns, numbers()?, Operation::Divide),
        "Mul" => with_each(columns, numbers()?, Operation::Multiply),
        "Add" => with_each(columns, numbers()?, Operation::Add),
        "Clip" => {
            let end = |at: usize| node.input.get(at).and_then(|name| graph.number(name));
            let [Some(low), Some(high)] = [end(1), end(2)] else {
                return Err(ReadError::Foreign("a clip has both ends"));
            };
            with_each(columns, &[0.0], |_| Operation::Clip([low, high]))
        }
        "Imputer" => {
            let missing = attributes.float("replaced_value_float").unwrap_or(f32::NAN);
            let fill = |number| match missing {
                missing if missing.is_nan() => Operation::Fill(number),
                missing => Operation::Replace([missing.into(), number]),
            };
            with_each(columns, attributes.floats("imputed_value_floats")?, fill)
        }
        "ArrayFeatureExtractor" => chosen(&columns, constant(1)),
        "Gather" if attributes.int("axis") == Some(1) => chosen(&columns, constant(1)),
        _ => Err(ReadError::Step(crate::shown::shown(&node.op_type))),
    }
}

/// Append an operation and a rounding to `f32` to every column. `numbers` has one for each, or one for all.
fn with_each(
    mut columns: Vec<Column>,
    numbers: &[f32],
    operation: impl Fn(f64) -> Operation,
) -> Result<Vec<Column>> {
    if numbers.len() != 1 && numbers.len() != columns.len() {
        return Err(ReadError::Foreign("a step has a number for each column, or one for all"));
    }
    for (column, number) in columns.iter_mut().zip(numbers.iter().cycle()) {
        column.1.extend([operation((*number).into()), Operation::Single]);
    }
    Ok(columns)
}

fn chosen(columns: &[Column], indices: Option<&Constant>) -> Result<Vec<Column>> {
    const RULE: ReadError = ReadError::Foreign("a step chooses among its columns by their numbers");
    let Some(Constant::Ints(indices)) = indices else { return Err(RULE) };
    if indices.len() > COLUMNS_LIMIT as usize {
        return Err(RULE);
    }
    let column = |&index: &i64| usize::try_from(index).ok().and_then(|index| columns.get(index)).cloned();
    indices.iter().map(column).collect::<Option<_>>().ok_or(RULE)
}
