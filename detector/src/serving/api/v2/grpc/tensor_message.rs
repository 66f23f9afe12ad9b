//! Scored rows in; `ModelInferResponse` in its frame out, piece by piece. Its numbers are raw bytes or typed,
//! as in the request.

use prost::encoding::{encode_varint, encoded_len_varint};

use super::super::super::answer::Answer;
use super::super::super::measured_rows::MeasuredRows;
use super::super::super::served::version;
use super::super::output::Tensor;
use super::super::scored_rows::ScoredRows;
use super::frame::head;
use super::message::Message;
use crate::serving::grpc_status::CONTENT;
use crate::serving::pieces::PIECE;

/// The size of a number that is not a varint, bytes.
const WIDTH: usize = 8;
/// The fields of an output's contents: `int64_contents` and `fp64_contents`.
const INT64_CONTENTS: u32 = 3;
const FP64_CONTENTS: u32 = 7;

/// An inference response.
pub(super) struct TensorMessage {
    rows: ScoredRows,
    outputs: Vec<Tensor>,
    is_raw: bool,
    begin: Message,
    stage: Stage,
}

/// The next step of writing.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Scores,
    /// The numbers of the output with this index, from this element on.
    Numbers(usize, usize),
}

impl TensorMessage {
    /// The answer on these rows.
    pub(super) fn new(name: &str, id: &str, rows: MeasuredRows, outputs: Vec<Tensor>, is_raw: bool) -> Self {
        let begin = Message::default().text(1, name).text(2, version(rows.scorer().model())).text(3, id);
        let rows = ScoredRows::new(rows, outputs.iter().any(|output| output.is_explained()));
        Self { rows, outputs, is_raw, begin, stage: Stage::Scores }
    }

    /// The description of an output: name, type and shape.
    fn parts(&self, output: Tensor) -> Message {
        let sensors = self.rows.scorer().model().sensors().len();
        let shape = output.shape(wide(self.rows.len()), wide(sensors));
        Message::tensor(output.name(), output.datatype(), &shape)
    }

    /// The size of an output's numbers, bytes.
    fn length(&self, output: Tensor) -> usize {
        let count = self.rows.length(output);
        if self.is_raw || !output.is_whole() {
            return count * WIDTH;
        }
        (0..count).map(|element| encoded_len_varint(self.integer(output, element))).sum()
    }

    fn integer(&self, output: Tensor, element: usize) -> u64 {
        (self.rows.number(output, element) as i64).cast_unsigned()
    }

    /// The bytes before the numbers of each output, and the size of the numbers.
    fn heads(&self) -> Vec<(Vec<u8>, usize)> {
        let heads = self.outputs.iter().map(|output| {
            let (mut head, length) = (Message::default(), self.length(*output));
            if self.is_raw {
                head.begin(6, length);
                return (head.bytes().to_vec(), length);
            }
            let mut contents = Message::default();
            contents.begin(if output.is_whole() { INT64_CONTENTS } else { FP64_CONTENTS }, length);
            let mut tensor = self.parts(*output);
            tensor.begin(5, contents.bytes().len() + length);
            head.begin(5, tensor.bytes().len() + contents.bytes().len() + length);
            ([head.bytes(), tensor.bytes(), contents.bytes()].concat(), length)
        });
        heads.collect()
    }

    /// Write the frame's head, and the fields before the numbers.
    fn write_begin(&mut self, out: &mut Vec<u8>) {
        if self.is_raw {
            let outputs = self.outputs.clone();
            let begin = std::mem::take(&mut self.begin);
            self.begin = outputs.iter().fold(begin, |begin, output| begin.message(5, &self.parts(*output)));
        }
        let numbers: usize = self.heads().iter().map(|(head, length)| head.len() + length).sum();
        out.extend_from_slice(&head(self.begin.bytes().len() + numbers));
        out.extend_from_slice(self.begin.bytes());
    }

    /// Write the next numbers. Return false after the last.
    fn write_numbers(&mut self, out: &mut Vec<u8>, mut output: usize, mut element: usize) -> bool {
        let full = out.len() + PIECE;
        while let Some(tensor) = self.outputs.get(output).copied()
            && out.len() < full
        {
            if element == 0 {
                out.extend_from_slice(&self.heads()[output].0);
            }
            let end = self.rows.length(tensor).min(element + PIECE / WIDTH);
            if self.is_raw || !tensor.is_whole() {
                self.rows.binary_numbers(out, tensor, element..end);
            } else {
                (element..end).for_each(|element| encode_varint(self.integer(tensor, element), out));
            }
            (output, element) = if end < self.rows.length(tensor) { (output, end) } else { (output + 1, 0) };
        }
        self.stage = Stage::Numbers(output, element);
        output < self.outputs.len()
    }
}

fn wide(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Answer for TensorMessage {
    fn content_type(&self) -> &'static str {
        CONTENT
    }

    fn is_short(&self) -> bool {
        self.rows.are_few()
    }

    fn bytes(&self) -> usize {
        self.rows.bytes()
    }

    fn write(&mut self, out: &mut Vec<u8>) -> bool {
        match self.stage {
            Stage::Scores if self.rows.score() => true,
            Stage::Scores => {
                self.write_begin(out);
                self.stage = Stage::Numbers(0, 0);
                true
            }
            Stage::Numbers(output, element) => self.write_numbers(out, output, element),
        }
    }
}
