//! The message of a call in; its model, its tensors and the requested outputs out. Nothing is copied, and
//! lists are limited, because a message could have millions of items.

use prost::encoding::decode_varint;

use super::super::super::error::ApiError;
use super::super::super::expected::MAX_NAMED;
use super::super::datatype::Datatype;
use super::super::output::{Output, Tensor};
use super::super::request::{MAX_DIMENSIONS, MAX_ID, MAX_OUTPUTS, wanted_tensor};
use super::super::rows::{InputTensor, shown};
use crate::excerpt::{MAX_EXCERPT, excerpt};
use crate::ingest::sources::http::wire::{Fields, Value, WireError};
use crate::serving::budget::Held;

/// Which model a call is for: `ModelReadyRequest`, `ModelMetadataRequest`, and the beginning of `ModelInferRequest`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NamedCall<'a> {
    /// The model.
    pub(super) name: &'a str,
    /// The version; empty if any version is accepted.
    pub(super) version: &'a str,
}

/// `ModelInferRequest`.
pub(super) struct InferCall<'a> {
    /// Which model it is for.
    pub(super) model: NamedCall<'a>,
    /// The id of the request, which the answer repeats.
    pub(super) id: &'a str,
    /// The input tensors.
    pub(super) inputs: Vec<ProtoTensor<'a>>,
    /// The requested outputs.
    pub(super) outputs: Vec<Tensor>,
    /// Whether the numbers are raw bytes; those of the answer are the same.
    pub(super) is_raw: bool,
}

/// `InferInputTensor`, with its raw contents if it has any.
pub(super) struct ProtoTensor<'a> {
    name: &'a str,
    datatype: Datatype,
    shape: Vec<usize>,
    contents: Option<&'a [u8]>,
    raw: Option<&'a [u8]>,
}

impl<'a> NamedCall<'a> {
    /// Read a call from its message.
    ///
    /// # Errors
    /// The bytes are not such a message.
    pub(super) fn read(message: &'a [u8]) -> Result<Self, ApiError> {
        let mut call = Self::default();
        for field in Fields(message) {
            match field.map_err(malformed)? {
                (1, Value::Bytes(name)) => call.name = text(name)?,
                (2, Value::Bytes(version)) => call.version = text(version)?,
                _ => {}
            }
        }
        Ok(call)
    }
}

impl<'a> InferCall<'a> {
    /// Read a call from its message.
    ///
    /// # Errors
    /// The bytes are not such a message, or it has too many tensors.
    pub(super) fn read(message: &'a [u8]) -> Result<Self, ApiError> {
        let (model, mut id) = (NamedCall::read(message)?, "");
        let (mut inputs, mut outputs, mut raw) = (Vec::new(), Vec::new(), Vec::new());
        for field in Fields(message) {
            match field.map_err(malformed)? {
                (3, Value::Bytes(bytes)) => id = text(bytes)?,
                (5, Value::Bytes(bytes)) => {
                    push(&mut inputs, MAX_NAMED, "inputs", ProtoTensor::read(bytes)?)?;
                }
                (6, Value::Bytes(bytes)) => {
                    push(&mut outputs, MAX_OUTPUTS, "outputs", wanted_tensor(name(bytes)?)?)?;
                }
                (7, Value::Bytes(bytes)) => push(&mut raw, MAX_NAMED, "raw_input_contents", bytes)?,
                _ => {}
            }
        }
        if id.len() > MAX_ID {
            return Err(ApiError::Malformed(format!("id: expected at most {MAX_ID} bytes")));
        }
        if outputs.is_empty() {
            outputs = Output::defaults(true).into_iter().map(|output| output.tensor).collect();
        }
        let is_raw = !raw.is_empty();
        if is_raw && raw.len() != inputs.len() {
            let (tensors, got) = (inputs.len(), raw.len());
            let why = format!("expected one for each of the {tensors} inputs, got {got}");
            return Err(ApiError::Unprocessable("raw_input_contents".to_owned(), why));
        }
        inputs.iter_mut().zip(raw).for_each(|(input, raw)| input.raw = Some(raw));
        Ok(Self { model, id, inputs, outputs, is_raw })
    }
}

impl<'a> ProtoTensor<'a> {
    fn read(message: &'a [u8]) -> Result<Self, ApiError> {
        let (mut name, mut datatype, mut shape, mut contents) = ("", "", Vec::new(), None);
        for field in Fields(message) {
            match field.map_err(malformed)? {
                (1, Value::Bytes(bytes)) => name = text(bytes)?,
                (2, Value::Bytes(bytes)) => datatype = text(bytes)?,
                (3, Value::Varint(dimension)) => {
                    push(&mut shape, MAX_DIMENSIONS, "shape", length(dimension))?;
                }
                (3, Value::Bytes(mut packed)) => {
                    while !packed.is_empty() {
                        push(&mut shape, MAX_DIMENSIONS, "shape", length(varint(&mut packed)?))?;
                    }
                }
                (5, Value::Bytes(bytes)) => contents = Some(bytes),
                _ => {}
            }
        }
        let datatype = Datatype::named(datatype).ok_or_else(|| {
            let got = excerpt(datatype, MAX_EXCERPT);
            ApiError::Unprocessable(shown(name), format!("expected a datatype such as FP64, got {got:?}"))
        })?;
        Ok(Self { name, datatype, shape, contents, raw: None })
    }

    /// The numbers of `InferTensorContents`, in the field of the tensor's type.
    fn typed(&self, contents: &[u8], held: &mut Held) -> Result<Vec<f64>, ApiError> {
        let field = self.datatype.contents_field();
        let mut numbers = Vec::new();
        for each in Fields(contents) {
            let (number, value) = each.map_err(malformed)?;
            let value = if number == field { value } else { continue };
            match value {
                Value::Bytes(bytes) if self.datatype == Datatype::Bytes => {
                    room(&mut numbers, 1, held)?;
                    let number = std::str::from_utf8(bytes).ok().and_then(|text| text.trim().parse().ok());
                    numbers.push(number.unwrap_or(f64::NAN));
                }
                Value::Bytes(packed) => self.packed(packed, &mut numbers, held)?,
                Value::Varint(integer) => {
                    room(&mut numbers, 1, held)?;
                    numbers.push(self.datatype.integer(integer));
                }
                Value::Fixed32(bits) => {
                    room(&mut numbers, 1, held)?;
                    numbers.push(f64::from(f32::from_bits(bits)));
                }
                Value::Fixed64(bits) => {
                    room(&mut numbers, 1, held)?;
                    numbers.push(f64::from_bits(bits));
                }
            }
        }
        Ok(numbers)
    }

    fn packed(&self, mut packed: &[u8], numbers: &mut Vec<f64>, held: &mut Held) -> Result<(), ApiError> {
        match self.datatype {
            Datatype::Fp32 | Datatype::Fp64 => {
                numbers.extend(self.datatype.held(&shown(self.name), packed, held)?);
            }
            _ => {
                // The last byte of an integer is the one without the highest bit.
                room(numbers, packed.iter().filter(|byte| **byte < 0x80).count(), held)?;
                while !packed.is_empty() {
                    numbers.push(self.datatype.integer(varint(&mut packed)?));
                }
            }
        }
        Ok(())
    }
}

impl InputTensor for ProtoTensor<'_> {
    fn name(&self) -> &str {
        self.name
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn numbers(self, held: &mut Held) -> Result<Vec<f64>, ApiError> {
        match (self.raw, self.contents) {
            (Some(bytes), None) => self.datatype.held(&shown(self.name), bytes, held),
            (None, contents) => self.typed(contents.unwrap_or_default(), held),
            _ => {
                let why = "expected either contents or raw_input_contents".to_owned();
                Err(ApiError::Unprocessable(shown(self.name), why))
            }
        }
    }
}

/// Make room for `more` numbers. The capacity at least doubles when it grows, and is held.
fn room(numbers: &mut Vec<f64>, more: usize, held: &mut Held) -> Result<(), ApiError> {
    let before = numbers.capacity();
    if numbers.len() + more > before {
        let wanted = (numbers.len() + more).max(2 * before);
        held.grow((wanted - before) * size_of::<f64>())?;
        numbers.reserve_exact(wanted - numbers.len());
    }
    Ok(())
}

/// Append an item.
///
/// # Errors
/// There are already `most` items.
fn push<T>(items: &mut Vec<T>, most: usize, what: &str, item: T) -> Result<(), ApiError> {
    if items.len() == most {
        return Err(ApiError::Malformed(format!("{what}: expected at most {most}, got more")));
    }
    items.push(item);
    Ok(())
}

/// The name of an `InferRequestedOutputTensor`.
fn name(message: &[u8]) -> Result<&str, ApiError> {
    let name = Fields(message).of(1).last().transpose().map_err(malformed)?;
    text(name.unwrap_or_default())
}

/// The length of a dimension. A negative one becomes too large.
fn length(dimension: u64) -> usize {
    usize::try_from(dimension).unwrap_or(usize::MAX)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, ApiError> {
    decode_varint(bytes).map_err(|error| ApiError::Malformed(error.to_string()))
}

fn text(bytes: &[u8]) -> Result<&str, ApiError> {
    std::str::from_utf8(bytes)
        .map_err(|_| ApiError::Malformed("expected UTF-8 where the message has text".to_owned()))
}

#[allow(clippy::needless_pass_by_value, reason = "map_err gives it away")]
fn malformed(error: WireError) -> ApiError {
    ApiError::Malformed(format!("expected a message of the Open Inference Protocol: {error}"))
}
