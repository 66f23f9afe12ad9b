//! Scored rows in; the tensors of an inference response, in JSON and binary, out.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::super::answer::Answer;
use super::super::error::ApiError;
use super::super::measured_rows::MeasuredRows;
use super::super::served::version;
use super::output::{Output, Tensor};
use super::scored_rows::ScoredRows;
use crate::serving::pieces::PIECE;

/// The size of an element, bytes.
const WIDTH: usize = 8;
/// The most numbers in the JSON of an answer that is partly binary: the length of the JSON must be known
/// first.
const MAX_MIXED: usize = 100_000;

/// An inference response.
pub(super) struct TensorAnswer {
    rows: ScoredRows,
    outputs: Vec<Output>,
    /// The JSON around the tensors' data.
    parts: Vec<Vec<u8>>,
    /// The length of the JSON, if binary tensors follow.
    json_length: Option<usize>,
    stage: Stage,
}

/// The next step of writing.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The scores.
    Scores,
    /// The JSON of the output with this index, from this element on.
    Json(usize, usize),
    /// The bytes of the output with this index, from this element on.
    Binary(usize, usize),
    Done,
}

impl TensorAnswer {
    /// The answer on these rows.
    ///
    /// # Errors
    /// A long answer would be partly JSON and partly binary.
    pub(super) fn new(
        name: &str,
        id: Option<String>,
        rows: MeasuredRows,
        outputs: Vec<Output>,
    ) -> Result<Self, ApiError> {
        let parts = parts(name, id, &rows, &outputs);
        let rows = ScoredRows::new(rows, outputs.iter().any(|output| output.tensor.is_explained()));
        let mut answer = Self { rows, outputs, parts, json_length: None, stage: Stage::Scores };
        if answer.outputs.iter().any(|output| output.binary) {
            answer.json_length = Some(answer.length_of_json()?);
        }
        Ok(answer)
    }

    /// Compute the length of the JSON. If it contains numbers, they are computed for that.
    fn length_of_json(&mut self) -> Result<usize, ApiError> {
        let in_json = self.outputs.iter().enumerate().filter(|(_, output)| !output.binary);
        let numbers: usize = in_json.map(|(index, _)| self.length(index)).sum();
        if numbers > MAX_MIXED {
            let why = format!("expected all binary, or none, for more than {MAX_MIXED} numbers");
            return Err(ApiError::Unprocessable("outputs".to_owned(), why));
        }
        let parts: usize = self.parts.iter().map(Vec::len).sum();
        if numbers == 0 {
            return Ok(parts);
        }
        while self.rows.score() {}
        self.stage = Stage::Json(0, 0);
        let mut json = Vec::new();
        while matches!(self.stage, Stage::Json(..)) {
            self.json(&mut json);
        }
        self.stage = Stage::Json(0, 0);
        Ok(json.len())
    }

    /// How many numbers an output has.
    fn length(&self, output: usize) -> usize {
        self.rows.length(self.outputs[output].tensor)
    }

    /// Write JSON until the piece is full, or all of it is written.
    fn json(&mut self, out: &mut Vec<u8>) {
        let full = out.len() + PIECE;
        while let Stage::Json(output, element) = self.stage
            && out.len() < full
        {
            if element == 0 {
                out.extend_from_slice(&self.parts[output]);
            }
            let Some(Output { tensor, binary }) = self.outputs.get(output).copied() else {
                self.stage = Stage::Binary(0, 0);
                return;
            };
            let length = if binary { 0 } else { self.length(output) };
            let end = length.min(element + PIECE / WIDTH);
            for element in element..end {
                self.json_number(out, tensor, element);
            }
            self.stage = if end < length { Stage::Json(output, end) } else { Stage::Json(output + 1, 0) };
        }
    }

    fn json_number(&self, out: &mut Vec<u8>, tensor: Tensor, element: usize) {
        if element > 0 {
            out.push(b',');
        }
        let number = self.rows.number(tensor, element);
        let written = if tensor.is_whole() {
            write!(out, "{number:.0}")
        } else {
            serde_json::to_writer(&mut *out, &number).map_err(Into::into)
        };
        written.expect("a vector takes what is written");
    }

    /// Write bytes until the piece is full, or all of them are written.
    fn binary(&mut self, out: &mut Vec<u8>) {
        let full = out.len() + PIECE;
        while let Stage::Binary(output, begin) = self.stage
            && out.len() < full
        {
            let Some(Output { tensor, binary }) = self.outputs.get(output).copied() else {
                self.stage = Stage::Done;
                return;
            };
            let length = if binary { self.length(output) } else { 0 };
            let end = length.min(begin + PIECE / WIDTH);
            self.rows.binary_numbers(out, tensor, begin..end);
            self.stage = if end < length { Stage::Binary(output, end) } else { Stage::Binary(output + 1, 0) };
        }
    }
}

impl Answer for TensorAnswer {
    fn content_type(&self) -> &'static str {
        if self.json_length.is_some() { "application/octet-stream" } else { "application/json" }
    }

    fn json_length(&self) -> Option<usize> {
        self.json_length
    }

    fn is_short(&self) -> bool {
        self.rows.are_few()
    }

    fn bytes(&self) -> usize {
        self.rows.bytes()
    }

    fn write(&mut self, out: &mut Vec<u8>) -> bool {
        match self.stage {
            Stage::Scores if self.rows.score() => {}
            Stage::Scores => self.stage = Stage::Json(0, 0),
            Stage::Json(..) => self.json(out),
            Stage::Binary(..) => self.binary(out),
            Stage::Done => {}
        }
        !matches!(self.stage, Stage::Done)
    }
}

/// The JSON before the data of each output, and after the last.
fn parts(name: &str, id: Option<String>, rows: &MeasuredRows, outputs: &[Output]) -> Vec<Vec<u8>> {
    let model = rows.scorer().model();
    let mut begin = json!({ "model_name": name, "model_version": version(model) });
    if let Some(id) = id {
        begin["id"] = json!(id);
    }
    let mut before = begin.to_string();
    before.pop();
    before.push_str(",\"outputs\":[");
    let mut parts = Vec::new();
    for (index, Output { tensor, binary }) in outputs.iter().copied().enumerate() {
        let shape = tensor.shape(rows.len(), model.sensors().len());
        let mut head = Map::new();
        head.insert("name".to_owned(), json!(tensor.name()));
        head.insert("datatype".to_owned(), json!(tensor.datatype()));
        head.insert("shape".to_owned(), json!(shape));
        if binary {
            let size = shape.iter().product::<usize>() * WIDTH;
            head.insert("parameters".to_owned(), json!({ "binary_data_size": size }));
        }
        let mut text =
            if index == 0 { std::mem::take(&mut before) } else { closed(outputs[index - 1]) + "," };
        text.push_str(&Value::Object(head).to_string());
        if !binary {
            text.pop();
            text.push_str(",\"data\":[");
        }
        parts.push(text.into_bytes());
    }
    parts.push((outputs.last().map_or(before, |last| closed(*last)) + "]}").into_bytes());
    parts
}

fn closed(output: Output) -> String {
    if output.binary { String::new() } else { "]}".to_owned() }
}
