//! The rows of one tree: each node owns a range of them, reads their values, and divides them between its
//! children.

use super::draw::{Draw, unit};
use crate::data::samples::Samples;
use crate::tree::Term;
use rand_xoshiro::Xoshiro256PlusPlus;
use std::ops::Range;

/// The most columns of rows that are copied before a tree is grown from them. Of wider rows a tree reads too
/// few cells.
const MAX_COPIED: usize = 128;

/// The rows of the tree that is being grown, with buffers that are kept from tree to tree.
pub(super) struct SampledRows<'a> {
    samples: &'a Samples,
    /// The sampled rows, copied together; empty where rows are too wide.
    copied: Vec<f32>,
    /// The numbers of the sampled rows, in the order in which they were drawn.
    drawn: Vec<usize>,
    /// Where each sampled row begins, in `copied` or in the samples. A node owns a range of them.
    rows: Vec<usize>,
    /// The cells of one column, or the distances from a plane, in the order of the node's rows.
    pub(super) values: Vec<f64>,
    /// A buffer for the rows that go right while a node's rows are divided.
    right: Vec<usize>,
}

impl<'a> SampledRows<'a> {
    /// For trees of `size` rows.
    pub(super) fn new(samples: &'a Samples, size: usize) -> Self {
        Self {
            samples,
            copied: Vec::new(),
            drawn: Vec::with_capacity(size),
            rows: Vec::with_capacity(size),
            values: vec![0.0; size],
            right: vec![0; size],
        }
    }

    /// Draws the rows of another tree.
    pub(super) fn sample(&mut self, draw: &mut Draw, rng: &mut Xoshiro256PlusPlus) {
        let columns = self.samples.columns();
        draw.rows(rng, &mut self.drawn);
        self.rows.clone_from(&self.drawn);
        if columns <= MAX_COPIED {
            self.copied.clear();
            for (at, row) in self.rows.iter_mut().enumerate() {
                self.copied.extend_from_slice(self.samples.row(*row));
                *row = at * columns;
            }
        } else {
            self.rows.iter_mut().for_each(|row| *row *= columns);
        }
    }

    /// The numbers of the sampled rows, in the order of the leaves that they ended in.
    pub(super) fn by_leaf(&self) -> impl Iterator<Item = usize> {
        let columns = self.samples.columns();
        let row = move |start: &usize| {
            if self.copied.is_empty() { start / columns } else { self.drawn[start / columns] }
        };
        self.rows.iter().map(row)
    }

    /// Reads the cells of `column` into `values`, and returns the smallest and the greatest.
    pub(super) fn read_column(&mut self, rows: Range<usize>, column: u32) -> (f32, f32) {
        let cells = if self.copied.is_empty() { self.samples.cells() } else { &self.copied };
        let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
        for (&row, value) in self.rows[rows].iter().zip(&mut self.values) {
            let cell = cells[row + column as usize];
            low = if cell < low { cell } else { low };
            high = if cell > high { cell } else { high };
            *value = f64::from(cell);
        }
        (low, high)
    }

    /// Reads the distances along `terms` into `values`, and returns the smallest and the greatest.
    pub(super) fn read_distances(&mut self, rows: Range<usize>, terms: &[Term]) -> (f64, f64) {
        let cells = if self.copied.is_empty() { self.samples.cells() } else { &self.copied };
        let columns = self.samples.columns();
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for (&row, value) in self.rows[rows].iter().zip(&mut self.values) {
            let row = &cells[row..][..columns];
            *value = terms.iter().map(|term| term.distance(row)).sum();
            low = if *value < low { *value } else { low };
            high = if *value > high { *value } else { high };
        }
        (low, high)
    }

    /// Puts each missing value on a random side: right with the probability that a present value is on the
    /// right.
    pub(super) fn place_missing(&mut self, count: usize, split_value: f64, rng: &mut Xoshiro256PlusPlus) {
        let values = &mut self.values[..count];
        let there = values.iter().filter(|value| !value.is_nan()).count();
        let greater = values.iter().filter(|value| **value > split_value).count();
        let share = greater as f64 / there.max(1) as f64;
        for value in values.iter_mut().filter(|value| value.is_nan()) {
            *value = if unit(rng) < share { f64::INFINITY } else { f64::NEG_INFINITY };
        }
    }

    /// Moves the rows whose values are greater than `split_value` behind all other rows, and returns the
    /// index where they begin. There are no branches, since the processor could not predict them.
    pub(super) fn partition(&mut self, rows: Range<usize>, split_value: f64) -> usize {
        let start = rows.start;
        let rows = &mut self.rows[rows];
        let values = &self.values[..rows.len()];
        let right = &mut self.right[..rows.len()];
        let (mut lesser, mut greater) = (0, 0);
        for at in 0..rows.len() {
            let row = rows[at];
            rows[lesser] = row;
            right[greater] = row;
            let is_greater = usize::from(values[at] > split_value);
            greater += is_greater;
            lesser += 1 - is_greater;
        }
        rows[lesser..].copy_from_slice(&right[..greater]);
        start + lesser
    }
}
