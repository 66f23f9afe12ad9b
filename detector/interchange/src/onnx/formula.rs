//! A graph in, the parts of scikit-learn's score formula out. The arithmetic that skl2onnx writes around its
//! trees is checked node by node.

use std::collections::HashMap;

use super::error::ReadError;
use super::graph::{Attributes, Constant, Graph};
use crate::budget::Held;
use crate::shown::shown;

type Result<T> = std::result::Result<T, ReadError>;

/// The path length in one tree: depth plus average path length, less 1, as arithmetic over its two
/// `LabelEncoder`s. Encoder 0 gives the number of nodes on the path, encoder 1 the samples of the leaf.
const PATH_LENGTH: &str = "Add(Add(0,Add(Cast(Equal(1,=2)),Mul(Add(\
    Mul(Add(Log(Max(Add(Mul(Cast(Greater(1,=2)),1),=-1),=1)),=0.5772157),=2),\
    Mul(Div(Max(Add(Mul(Cast(Greater(1,=2)),1),=-1),=0),Max(Mul(Cast(Greater(1,=2)),1),=1)),=-2)),\
    Cast(Greater(1,=2))))),=-1)";

/// `scores = -2^-(sum of path lengths / divisor) - offset`, `label = 1 - 2 (scores < 0)`.
pub(super) struct Formula<'g> {
    /// The names of the outputs that hold the path length in each tree.
    pub(super) path_lengths: Vec<&'g str>,
    /// The number of trees times c(sample size).
    pub(super) divisor: f64,
    pub(super) offset: f32,
}

impl<'g> Formula<'g> {
    pub(super) fn of(graph: &'g Graph<'_>) -> Result<Self> {
        const RULE: ReadError = ReadError::Foreign("a score is -2^-(path lengths / a number), plus a number");
        let [label, scores, ..] = &graph.outputs[..] else {
            return Err(ReadError::Foreign("it has no outputs for label and scores"));
        };
        check_label(graph, label, scores)?;
        let (_, [negative, offset]) = graph.node(scores, "Add")?;
        let (_, [power]) = graph.node(negative, "Neg")?;
        let (_, [two, exponent]) = graph.node(power, "Pow")?;
        let (_, [quotient]) = graph.node(exponent, "Neg")?;
        let (_, [sum, divisor]) = graph.node(quotient, "Div")?;
        if graph.number(two) != Some(2.0) {
            return Err(RULE);
        }
        let threshold =
            graph.number(offset).filter(|threshold| (0.0..=1.0).contains(threshold)).ok_or(RULE)?;
        let divisor = graph.number(divisor).ok_or(RULE)?;
        let sum = graph.any(sum).filter(|node| node.op_type == "Sum").ok_or(RULE)?;
        Ok(Self {
            path_lengths: sum.input.iter().map(String::as_str).collect(),
            divisor,
            offset: -(threshold as f32),
        })
    }
}

fn check_label(graph: &Graph<'_>, label: &str, scores: &str) -> Result<()> {
    let (_, [product, one]) = graph.node(label, "Add")?;
    let (_, [below, minus_two]) = graph.node(product, "Mul")?;
    let (_, [below]) = graph.node(below, "Cast")?;
    let (_, [compared, zero]) = graph.node(below, "Less")?;
    let numbers = [one, minus_two, zero].map(|name| graph.number(name));
    if compared == scores && numbers == [Some(1.0), Some(-2.0), Some(0.0)] {
        return Ok(());
    }
    Err(ReadError::Foreign("the label is -1 where the score is less than 0, else 1"))
}

/// The two `LabelEncoder`s of the tree behind a path length: nodes on the path, samples in the leaf.
pub(super) fn encoders<'b>(graph: &Graph<'b>, path_length: &str) -> Result<[Encoder<'b>; 2]> {
    let mut leaves = Leaves::default();
    let mut text = String::new();
    leaves.spell(graph, path_length, &mut text)?;
    match <[Encoder<'_>; 2]>::try_from(leaves.encoders) {
        Ok([depth, samples]) if text == PATH_LENGTH && depth.leaf == samples.leaf => Ok([depth, samples]),
        _ => Err(ReadError::Foreign("a path length is computed in another way")),
    }
}

/// A `LabelEncoder`, which maps the number of a leaf to a value.
pub(super) struct Encoder<'b> {
    /// The name of the output that holds the leaf's number.
    pub(super) leaf: String,
    pub(super) values: HashMap<i64, f32>,
    _held: Held<'b>,
}

/// The memory cost of an entry of an encoder in bytes.
const VALUE_BYTES: usize = 64;

/// The `LabelEncoder`s of a tree, in the order in which they are found.
#[derive(Default)]
struct Leaves<'b> {
    names: Vec<String>,
    encoders: Vec<Encoder<'b>>,
}

impl<'b> Leaves<'b> {
    /// Write the arithmetic that computes `output` to `text`, in the notation of [`PATH_LENGTH`].
    fn spell(&mut self, graph: &Graph<'b>, output: &str, text: &mut String) -> Result<()> {
        if text.len() > PATH_LENGTH.len() {
            return Err(ReadError::Foreign("a path length is computed in another way"));
        }
        if let Some(number) = graph.number(output) {
            text.push('=');
            text.push_str(&(number as f32).to_string());
            return Ok(());
        }
        let unknown = || ReadError::Operator { expected: "any node", output: shown(output) };
        let node = graph.any(output).ok_or_else(unknown)?;
        if node.op_type == "Reshape" {
            let place = self.place(graph, output)?;
            text.push_str(&place.to_string());
            return Ok(());
        }
        text.push_str(&node.op_type);
        for (index, input) in node.input.iter().enumerate() {
            text.push(if index == 0 { '(' } else { ',' });
            self.spell(graph, input, text)?;
        }
        text.push(')');
        Ok(())
    }

    /// Return the index of the encoder behind a `Reshape`, and add the encoder if it is new.
    fn place(&mut self, graph: &Graph<'b>, reshape: &str) -> Result<usize> {
        if let Some(place) = self.names.iter().position(|name| name == reshape) {
            return Ok(place);
        }
        let (_, [column, shape]) = graph.node(reshape, "Reshape")?;
        if graph.constant(shape) != Some(&Constant::Ints(vec![-1, 1])) {
            return Err(ReadError::Foreign("a column is reshaped to another shape"));
        }
        let (encoder, [label]) = graph.node(column, "LabelEncoder")?;
        let (_, [leaf]) = graph.node(label, "Cast")?;
        let attributes = Attributes::of(encoder, graph.budget)?;
        let keys = attributes.ints("keys_int64s")?;
        let held = graph.budget.hold(VALUE_BYTES * keys.len())?;
        let values = keys.iter().copied().zip(attributes.floats("values_floats")?.iter().copied()).collect();
        self.names.push(reshape.to_owned());
        self.encoders.push(Encoder { leaf: leaf.to_owned(), values, _held: held });
        Ok(self.encoders.len() - 1)
    }
}
