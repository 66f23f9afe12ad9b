//! The JSON of an inference request in; its tensors and what is wanted of the answer out. Fields that are not known count for
//! nothing, as the protocol says.

use serde::Deserialize;

use super::super::error::ApiError;
use super::bounded::Bounded;
use super::datatype::Datatype;
use super::numbers::Numbers;
use super::output::{Output, Tensor};
use crate::excerpt::{MAX_EXCERPT, excerpt};

/// The most characters of an id, which is sent back.
const MAX_ID: usize = 256;
/// The most dimensions of a tensor.
const MAX_DIMENSIONS: usize = 8;
/// The most tensors that may be wanted.
const MAX_OUTPUTS: usize = 16;

/// An inference request.
#[derive(Debug, Deserialize)]
pub(super) struct InferRequest {
    /// Sent back as it came.
    pub(super) id: Option<String>,
    parameters: Option<RequestParameters>,
    /// The tensors.
    pub(super) inputs: Bounded<Input, { super::MAX_NAMED }>,
    outputs: Option<Bounded<RequestedOutput, MAX_OUTPUTS>>,
}

#[derive(Debug, Default, Deserialize)]
struct RequestParameters {
    binary_data_output: Option<bool>,
}

/// A tensor.
#[derive(Debug, Deserialize)]
pub(super) struct Input {
    /// Of the input, or of a column.
    pub(super) name: String,
    /// The length of each dimension.
    pub(super) shape: Bounded<usize, MAX_DIMENSIONS>,
    /// What it is made of.
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
    /// The request in a body's JSON.
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

    /// The tensors that are wanted: those that are asked for, or the usual ones.
    pub(super) fn outputs(&self) -> Result<Vec<Output>, ApiError> {
        let parameters = self.parameters.as_ref();
        let by_default = parameters.and_then(|each| each.binary_data_output).unwrap_or(false);
        let Some(Bounded(wanted)) = &self.outputs else { return Ok(Output::usual(by_default)) };
        if wanted.is_empty() {
            return Ok(Output::usual(by_default));
        }
        let output = |wanted: &RequestedOutput| {
            let binary = wanted.parameters.as_ref().and_then(|each| each.binary_data);
            let tensor = Tensor::named(&wanted.name).ok_or_else(|| {
                let expected = Tensor::ALL.map(Tensor::name).join(", ");
                let name = excerpt(&wanted.name, MAX_EXCERPT);
                ApiError::Unprocessable(
                    "outputs".to_owned(),
                    format!("no such output: {name}, expected {expected}"),
                )
            })?;
            Ok(Output { tensor, binary: binary.unwrap_or(by_default) })
        };
        wanted.iter().map(output).collect()
    }
}

impl Input {
    /// The bytes of the tensor that follow the JSON; none where its numbers are in it.
    pub(super) fn binary_size(&self) -> Option<usize> {
        self.parameters.as_ref()?.binary_data_size
    }

    /// The name, cut where it is long, for sentences.
    pub(super) fn shown(&self) -> String {
        format!("input {}", excerpt(&self.name, MAX_EXCERPT))
    }

    /// How many numbers its shape has room for.
    pub(super) fn length(&self) -> Option<usize> {
        self.shape.0.iter().try_fold(1_usize, |length, dimension| length.checked_mul(*dimension))
    }
}
