//! The JSON of an inference request in; its tensors and the requested outputs out. Unknown fields are
//! ignored, as the protocol says.

use serde::Deserialize;

use super::super::error::ApiError;
use super::bounded::Bounded;
use super::datatype::Datatype;
use super::numbers::Numbers;
use super::output::{Output, Tensor};
use super::rows::{InputTensor, shown};
use crate::excerpt::{MAX_EXCERPT, excerpt};
use crate::serving::budget::Held;

/// The longest id, bytes. The answer repeats it.
pub(super) const MAX_ID: usize = 256;
/// The most dimensions of a tensor.
pub(super) const MAX_DIMENSIONS: usize = 8;
/// The most outputs that a request may name.
pub(super) const MAX_OUTPUTS: usize = 16;

/// An inference request.
#[derive(Debug, Deserialize)]
pub(super) struct InferRequest {
    /// The id of the request, which the answer repeats.
    pub(super) id: Option<String>,
    parameters: Option<RequestParameters>,
    /// The input tensors.
    pub(super) inputs: Bounded<Input, { super::MAX_NAMED }>,
    outputs: Option<Bounded<RequestedOutput, MAX_OUTPUTS>>,
}

#[derive(Debug, Default, Deserialize)]
struct RequestParameters {
    binary_data_output: Option<bool>,
}

/// An input tensor.
#[derive(Debug, Deserialize)]
pub(super) struct Input {
    /// The name of the input or of a column.
    pub(super) name: String,
    /// The length of each dimension.
    pub(super) shape: Bounded<usize, MAX_DIMENSIONS>,
    /// The type of its elements.
    pub(super) datatype: Datatype,
    parameters: Option<InputParameters>,
    /// The numbers, where they are in the JSON.
    pub(super) data: Option<Numbers>,
}

#[derive(Debug, Deserialize)]
struct InputParameters {
    binary_data_size: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct RequestedOutput {
    name: String,
    parameters: Option<OutputParameters>,
}

#[derive(Debug, Deserialize)]
struct OutputParameters {
    binary_data: Option<bool>,
}

impl InferRequest {
    /// Read the request in a body's JSON.
    pub(super) fn read(json: &[u8]) -> Result<Self, ApiError> {
        let request: Self = serde_json::from_slice(json).map_err(|error| {
            let error = excerpt(&error.to_string(), 4 * MAX_EXCERPT);
            ApiError::Malformed(format!(
                "expected an inference request of the Open Inference Protocol: {error}"
            ))
        })?;
        if request.id.as_ref().is_some_and(|id| id.len() > MAX_ID) {
            return Err(ApiError::Malformed(format!("id: expected at most {MAX_ID} bytes")));
        }
        Ok(request)
    }

    /// The outputs that the request names, or the default ones if it names none.
    pub(super) fn outputs(&self) -> Result<Vec<Output>, ApiError> {
        let parameters = self.parameters.as_ref();
        let by_default = parameters.and_then(|each| each.binary_data_output).unwrap_or(false);
        let Some(Bounded(wanted)) = &self.outputs else { return Ok(Output::defaults(by_default)) };
        if wanted.is_empty() {
            return Ok(Output::defaults(by_default));
        }
        let output = |wanted: &RequestedOutput| {
            let binary = wanted.parameters.as_ref().and_then(|each| each.binary_data);
            Ok(Output { tensor: wanted_tensor(&wanted.name)?, binary: binary.unwrap_or(by_default) })
        };
        wanted.iter().map(output).collect()
    }
}

/// The output of this name.
///
/// # Errors
/// There is no such output.
pub(super) fn wanted_tensor(name: &str) -> Result<Tensor, ApiError> {
    Tensor::named(name).ok_or_else(|| {
        let expected = Tensor::ALL.map(Tensor::name).join(", ");
        let why = format!("no such output: {}, expected {expected}", excerpt(name, MAX_EXCERPT));
        ApiError::Unprocessable("outputs".to_owned(), why)
    })
}

/// A tensor of a request, and its bytes where they follow the JSON.
pub(super) struct JsonTensor<'a> {
    input: Input,
    binary: Option<&'a [u8]>,
}

/// The tensors of a request, with their bytes, which follow the JSON one after another.
///
/// # Errors
/// There are too few bytes, or too many.
pub(super) fn tensors(
    inputs: Bounded<Input, { super::MAX_NAMED }>,
    mut binary: &[u8],
) -> Result<Vec<JsonTensor<'_>>, ApiError> {
    let mut tensors = Vec::with_capacity(inputs.0.len());
    for input in inputs.0 {
        let size = input.parameters.as_ref().and_then(|each| each.binary_data_size);
        let own = size.map(|size| {
            let (own, rest) = binary.split_at_checked(size).ok_or_else(|| {
                let why = format!("expected {size} bytes of it after the JSON, got {}", binary.len());
                ApiError::Unprocessable(shown(&input.name), why)
            })?;
            binary = rest;
            Ok::<_, ApiError>(own)
        });
        tensors.push(JsonTensor { binary: own.transpose()?, input });
    }
    if binary.is_empty() {
        return Ok(tensors);
    }
    Err(ApiError::Malformed(format!("expected no bytes after the last tensor, got {}", binary.len())))
}

impl InputTensor for JsonTensor<'_> {
    fn name(&self) -> &str {
        &self.input.name
    }

    fn shape(&self) -> &[usize] {
        &self.input.shape.0
    }

    fn numbers(self, held: &mut Held) -> Result<Vec<f64>, ApiError> {
        let name = shown(&self.input.name);
        match (self.binary, self.input.data) {
            (Some(bytes), None) => self.input.datatype.held(&name, bytes, held),
            (None, Some(data)) => data.of(&name),
            _ => {
                let why = "expected either data or binary_data_size".to_owned();
                Err(ApiError::Unprocessable(name, why))
            }
        }
    }
}
