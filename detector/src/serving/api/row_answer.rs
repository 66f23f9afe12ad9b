//! Rows in; a prediction for each out, in the form of the request's protocol.

use serde::Serialize;

use super::answer::Answer;
use super::judgement_json::{self, Detailed};
use super::measured_rows::MeasuredRows;
use crate::serving::pieces::PIECE;

/// The most rows that are judged on the thread that received them: without explanations, and with them.
const FEW_ROWS: usize = 100;
const FEW_EXPLAINED: usize = 10;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `{"predictions":[{"anomaly":0},…]}`
    Predictions,
    /// `{"predictions":[{"anomaly":0,"score":…},…]}`
    Detailed,
    /// `{"predictions":[1,-1]}`, as scikit-learn's `predict`: -1 is anomalous.
    Labels,
    /// `{"explanations":[{"anomaly":0,"score":…},…],"predictions":[1,-1]}`
    Explanations,
    /// `{"anomaly":0}`, one line per row.
    Lines,
    /// `{"anomaly":0,"score":…}`, one line per row.
    DetailedLines,
}

impl Form {
    fn is_explained(self) -> bool {
        matches!(self, Self::Detailed | Self::Explanations | Self::DetailedLines)
    }

    fn is_lines(self) -> bool {
        matches!(self, Self::Lines | Self::DetailedLines)
    }

    /// A prediction without explanation.
    fn bare(self, anomalous: bool) -> &'static [u8] {
        match (self, anomalous) {
            (Self::Labels, false) => b"1",
            (Self::Labels, true) => b"-1",
            (Self::Lines, false) => b"{\"anomaly\":0}\n",
            (Self::Lines, true) => b"{\"anomaly\":1}\n",
            _ => judgement_json::bare(anomalous).as_bytes(),
        }
    }

    fn begin(self) -> &'static [u8] {
        match self {
            Self::Predictions | Self::Detailed | Self::Labels => b"{\"predictions\":[",
            Self::Explanations => b"{\"explanations\":[",
            Self::Lines | Self::DetailedLines => b"",
        }
    }
}

/// An answer with a prediction for each row.
pub(super) struct RowAnswer {
    rows: MeasuredRows,
    form: Form,
    next: usize,
    /// The labels so far, if the form has explanations.
    labels: Vec<i8>,
    /// The number of first readings that have no prediction, because they are only looked back on.
    early: usize,
}

impl RowAnswer {
    /// The answer on these rows.
    pub(super) fn new(rows: MeasuredRows, form: Form) -> Self {
        let labels = if form == Form::Explanations { Vec::with_capacity(rows.len()) } else { Vec::new() };
        Self { early: rows.early(), rows, form, next: 0, labels }
    }

    fn bare(&mut self, out: &mut Vec<u8>) {
        let (block, threshold) = (self.rows.block(self.next), self.rows.scorer().threshold());
        for (row, score) in block.clone().zip(self.rows.scores(block.clone())) {
            if row + self.early > 0 && !self.form.is_lines() {
                out.push(b',');
            }
            out.extend_from_slice(self.form.bare(score > threshold));
        }
        self.next = block.end;
    }

    fn explained(&mut self, out: &mut Vec<u8>) {
        let threshold = self.rows.scorer().threshold();
        let full = out.len() + PIECE;
        while self.next < self.rows.len() && out.len() < full {
            let judgement = self.rows.explained(self.next);
            let sensors = self.rows.scorer().model().sensors();
            self.push(out, self.next, &Detailed::new(sensors, threshold, &judgement));
            if self.form == Form::Explanations {
                self.labels.push(label(judgement.anomalous));
            }
            self.next += 1;
        }
    }

    fn push(&self, out: &mut Vec<u8>, row: usize, prediction: &impl Serialize) {
        if row + self.early > 0 && !self.form.is_lines() {
            out.push(b',');
        }
        serde_json::to_writer(&mut *out, prediction).expect("numbers and names are JSON");
        if self.form.is_lines() {
            out.push(b'\n');
        }
    }

    /// `null` for each reading that is only looked back on.
    fn put_early(&self, out: &mut Vec<u8>) {
        for row in 0..self.early {
            out.extend_from_slice(if row > 0 { b",null" } else { b"null" });
        }
    }

    fn end(&self, out: &mut Vec<u8>) {
        match self.form {
            Form::Predictions | Form::Detailed | Form::Labels => out.extend_from_slice(b"]}"),
            Form::Explanations => {
                out.extend_from_slice(b"],\"predictions\":");
                out.push(b'[');
                self.put_early(out);
                for (row, label) in self.labels.iter().enumerate() {
                    if row + self.early > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(if *label < 0 { b"-1" } else { b"1" });
                }
                out.extend_from_slice(b"]}");
            }
            Form::Lines | Form::DetailedLines => {}
        }
    }
}

impl Answer for RowAnswer {
    fn content_type(&self) -> &'static str {
        if self.form.is_lines() { "application/x-ndjson" } else { "application/json" }
    }

    fn is_short(&self) -> bool {
        self.rows.are_few(if self.form.is_explained() { FEW_EXPLAINED } else { FEW_ROWS })
    }

    fn bytes(&self) -> usize {
        self.rows.bytes() + self.labels.capacity()
    }

    fn write(&mut self, out: &mut Vec<u8>) -> bool {
        if self.next == 0 {
            out.extend_from_slice(self.form.begin());
            self.put_early(out);
        }
        if self.form.is_explained() {
            self.explained(out);
        } else {
            self.bare(out);
        }
        let is_open = self.next < self.rows.len();
        if !is_open {
            self.end(out);
        }
        is_open
    }
}

fn label(anomalous: bool) -> i8 {
    if anomalous { -1 } else { 1 }
}
