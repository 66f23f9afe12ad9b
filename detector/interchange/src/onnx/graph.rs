//! A decoded model in, its nodes by the name of their output and its constants by their own name out.

use std::collections::HashMap;

use prost::Message;
use prost::bytes::Bytes;

use super::cost;
use super::error::ReadError;
use super::proto::{self, Attribute};
use crate::budget::{Budget, Held};
use crate::shown::shown;

/// A graph to walk from its outputs back to its input.
pub(super) struct Graph<'b> {
    pub(super) budget: &'b Budget,
    /// The name and version of the program that wrote the model.
    pub(super) producer: String,
    /// The name of the one input.
    pub(super) input: String,
    /// The number of columns of the input; `None` if the model does not state it.
    pub(super) width: Option<u32>,
    /// The names of the outputs, in order.
    pub(super) outputs: Vec<String>,
    nodes: HashMap<String, proto::Node>,
    constants: HashMap<String, Constant>,
}

/// The memory cost of a node, a constant or an attribute in bytes, beside its fields: an entry of a map,
/// which may have twice the capacity that it uses.
const NODE_BYTES: usize = 512;

/// A tensor that is part of the model.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Constant {
    Floats(Vec<f32>),
    Ints(Vec<i64>),
}

impl<'b> Graph<'b> {
    /// Split a model into nodes and constants. It must have one input, one output per node, and no two equal
    /// output names.
    pub(super) fn of(model: proto::Model, budget: &'b Budget) -> Result<Self, ReadError> {
        let graph = model.graph.ok_or(ReadError::Foreign("it has no graph"))?;
        let mut nodes = HashMap::new();
        for bytes in graph.node {
            budget.allocate(NODE_BYTES.saturating_add(cost::of_node(&bytes)?))?;
            let node = proto::Node::decode(bytes)?;
            let [output] = &node.output[..] else {
                return Err(ReadError::Foreign("a node gives more than one output, or none"));
            };
            if nodes.insert(output.clone(), node).is_some() {
                return Err(ReadError::Foreign("two nodes give the same output"));
            }
        }
        let mut constants = HashMap::new();
        for bytes in graph.initializer {
            budget.allocate(NODE_BYTES.saturating_add(cost::of_tensor(&bytes)?))?;
            let (name, constant) = Constant::decode(bytes)?;
            constants.insert(name, constant);
        }
        let width = width(&graph.input);
        let mut inputs = names(graph.input, budget)?;
        inputs.retain(|name| !constants.contains_key(name));
        let Ok([input]) = <[String; 1]>::try_from(inputs) else {
            return Err(ReadError::Foreign("it has more than one input, or none"));
        };
        let producer = format!("{} {}", model.producer_name, model.producer_version);
        let outputs = names(graph.output, budget)?;
        Ok(Self { budget, producer, input, width, outputs, nodes, constants })
    }

    /// The node that gives `output`, which must be an `operator` of `N` inputs.
    pub(super) fn node<const N: usize>(
        &self,
        output: &str,
        operator: &'static str,
    ) -> Result<(&proto::Node, [&str; N]), ReadError> {
        let unexpected = || ReadError::Operator { expected: operator, output: shown(output) };
        let node = self.nodes.get(output).filter(|node| node.op_type == operator).ok_or_else(unexpected)?;
        let inputs: Vec<&str> = node.input.iter().map(String::as_str).collect();
        Ok((node, inputs.try_into().map_err(|_| unexpected())?))
    }

    /// The node that gives `output`, with any operator.
    pub(super) fn any(&self, output: &str) -> Option<&proto::Node> {
        self.nodes.get(output)
    }

    pub(super) fn constant(&self, name: &str) -> Option<&Constant> {
        self.constants.get(name)
    }

    /// The value of a constant that is one number.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        match self.constant(name)? {
            Constant::Floats(floats) => <[f32; 1]>::try_from(&floats[..]).ok().map(|[float]| float.into()),
            Constant::Ints(ints) => <[i64; 1]>::try_from(&ints[..]).ok().map(|[int]| int as f64),
        }
    }
}

impl Constant {
    fn decode(bytes: Bytes) -> Result<(String, Self), ReadError> {
        const RULE: ReadError =
            ReadError::Foreign("a constant is of float or int64, as many as its shape says");
        let tensor = proto::Tensor::decode(bytes)?;
        let length = |product: i64, &dim: &i64| product.checked_mul(dim);
        let length = tensor.dims.iter().try_fold(1_i64, length).ok_or(RULE)?;
        let constant = match tensor.data_type {
            proto::FLOAT if tensor.raw_data.is_empty() => Self::Floats(tensor.float_data),
            proto::FLOAT => Self::Floats(chunks(&tensor.raw_data).map(f32::from_le_bytes).collect()),
            proto::INT64 if tensor.raw_data.is_empty() => Self::Ints(tensor.int64_data),
            proto::INT64 => Self::Ints(chunks(&tensor.raw_data).map(i64::from_le_bytes).collect()),
            _ => return Err(RULE),
        };
        let found = match &constant {
            Self::Floats(floats) => floats.len(),
            Self::Ints(ints) => ints.len(),
        };
        if found as i64 == length { Ok((tensor.name, constant)) } else { Err(RULE) }
    }
}

fn chunks<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

/// The number of columns of the one input: the second of its two dimensions.
fn width(inputs: &[Bytes]) -> Option<u32> {
    let [input] = inputs else { return None };
    // A shape of two dimensions is short. One of a million would take more memory than was counted.
    let input = Some(input).filter(|input| input.len() <= SHAPE_BYTES)?;
    let shape = proto::ValueInfo::decode(input.clone()).ok()?.kind?.tensor?.shape?;
    let [_, width] = &shape.dim[..] else { return None };
    width.dim_value.and_then(|width| u32::try_from(width).ok())
}

/// The most bytes that an encoded input of two dimensions takes.
const SHAPE_BYTES: usize = 4 << 10;

fn names(values: Vec<Bytes>, budget: &Budget) -> Result<Vec<String>, ReadError> {
    let name = |bytes: Bytes| {
        budget.allocate(cost::of_node(&bytes)?)?;
        Ok(proto::ValueName::decode(bytes)?.name)
    };
    values.into_iter().map(name).collect()
}

/// The attributes of a node by name, decoded.
pub(super) struct Attributes<'b> {
    by_name: HashMap<String, Attribute>,
    _held: Held<'b>,
}

impl<'b> Attributes<'b> {
    pub(super) fn of(node: &proto::Node, budget: &'b Budget) -> Result<Self, ReadError> {
        let cost = node.attribute.iter().try_fold(0_usize, |total, bytes| {
            Ok::<_, ReadError>(total.saturating_add(NODE_BYTES).saturating_add(cost::of_attribute(bytes)?))
        })?;
        budget.work(cost)?;
        let held = budget.hold(cost)?;
        let decode =
            |bytes: &Bytes| Attribute::decode(bytes.clone()).map(|found| (found.name.clone(), found));
        let by_name = node.attribute.iter().map(decode).collect::<Result<_, _>>()?;
        Ok(Self { by_name, _held: held })
    }

    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.by_name.get(name)?.i
    }

    /// The elements of a tensor of doubles.
    pub(super) fn doubles(&self, name: &'static str) -> Result<Vec<f64>, ReadError> {
        let tensor = self.list(name)?.t.as_ref().filter(|tensor| tensor.data_type == proto::DOUBLE);
        let tensor = tensor.ok_or(ReadError::Attribute(name))?;
        Ok(chunks(&tensor.raw_data).map(f64::from_le_bytes).collect())
    }

    pub(super) fn float(&self, name: &str) -> Option<f32> {
        self.by_name.get(name)?.f
    }

    pub(super) fn text(&self, name: &str) -> Option<&[u8]> {
        self.by_name.get(name)?.s.as_deref()
    }

    pub(super) fn ints(&self, name: &'static str) -> Result<&[i64], ReadError> {
        self.list(name).map(|found| &found.ints[..])
    }

    pub(super) fn floats(&self, name: &'static str) -> Result<&[f32], ReadError> {
        self.list(name).map(|found| &found.floats[..])
    }

    pub(super) fn texts(&self, name: &'static str) -> Result<&[Bytes], ReadError> {
        self.list(name).map(|found| &found.strings[..])
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    fn list(&self, name: &'static str) -> Result<&Attribute, ReadError> {
        self.by_name.get(name).ok_or(ReadError::Attribute(name))
    }
}
