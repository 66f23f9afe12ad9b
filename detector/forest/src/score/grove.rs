//! Trees of at most eight levels in, tables for the SIMD kernels out.
//!
//! Only the thresholds that a cell exceeds matter, so the cell is replaced by its rank among its column's
//! thresholds in the whole grove, once per row. A node then is 16 bits, column and rank, and a tree's 255
//! nodes are eight vectors: they stay in registers, and a look-up is a permutation instead of a load.

use super::ranker::Ranker;
use super::split_values::split_values;
use crate::tree::path_length::PathLength;
use crate::tree::{Node, Tree};

/// Levels of inner nodes in a complete tree.
pub(super) const LEVELS: u32 = 8;
/// The number of leaves of a complete tree. Nodes are in heap order: the root at 1, the children of i at 2i
/// and 2i + 1.
pub(super) const LEAVES: usize = 1 << LEVELS;
/// 16-bit lanes of a vector.
pub(super) const LANES: usize = 32;
/// The most different path lengths in one tree. (256 rows cannot make more: 64 pairs of a depth from 1 to 8
/// and a sample count need 288 rows.)
pub(super) const LENGTHS: usize = 64;
/// The number of limbs, of 12 bits each, that a path length is cut into.
pub(super) const LIMBS: usize = 4;
pub(super) const LIMB_BITS: u32 = 12;
/// The most columns whose ranks fit two vectors.
pub(super) const MAX_COLUMNS: usize = 2 * LANES;

/// A vector's worth of 16-bit numbers.
pub(super) type Lanes = [u16; LANES];
/// The number of cells that are ranked together.
pub(super) const RANKED: usize = 16;

/// Trees whose nodes compare with the same ranks.
#[derive(Debug, Clone)]
pub(super) struct Grove {
    pub(super) columns: usize,
    pub(super) ranker: Ranker,
    /// The ranker's numbers for the column of each cell: one entry for each vector of 16 cells, in rows one
    /// after the other. Where a vector begins with the first column again, the entries repeat from the first.
    pub(super) grids: Vec<GridLanes>,
    pub(super) trees: Vec<Ranked>,
    /// The nodes of 32 trees at a time: at index 256g + i, node i of the trees 32g to 32g + 31. One more at the end, so
    /// that a wide load of the last node stays inside.
    pub(super) across: Vec<Lanes>,
}

/// The fields of as many [`super::ranker::Grid`]s as a vector has cells.
#[derive(Debug, Clone, Default)]
pub(super) struct GridLanes {
    pub(super) low: [f32; RANKED],
    pub(super) density: [f32; RANKED],
    pub(super) last: [f32; RANKED],
    pub(super) first_start: [u32; RANKED],
    pub(super) first_split: [u32; RANKED],
}

/// One tree, made complete: where a path ends early, all leaves below have its path length.
#[derive(Debug, Clone)]
pub(super) struct Ranked {
    /// The node at index i of the heap order is number i % 32 of vector i / 32: the column, above the rank of the threshold.
    pub(super) nodes: [Lanes; LEAVES / LANES],
    /// For each leaf, the index of its path length in `lengths`.
    pub(super) codes: [u8; LEAVES],
    /// For each leaf, the number of the original tree's leaf that it belongs to.
    pub(super) numbers: [u8; LEAVES],
    pub(super) lengths: [PathLength; LENGTHS],
    /// The path lengths' limbs, lowest first: two vectors each.
    pub(super) limbs: [[Lanes; LENGTHS / LANES]; LIMBS],
}

/// The number of bits of a node that hold the rank, where there are `columns` columns.
pub(super) const fn rank_bits(columns: usize) -> u32 {
    u16::BITS - columns.next_power_of_two().ilog2()
}

impl Grove {
    /// Builds the tables; `None` when a column has too many thresholds, or a tree too many path lengths.
    pub(super) fn new(columns: usize, trees: &[Tree]) -> Option<Self> {
        let splits = split_values(columns, trees);
        let never = (1u32 << rank_bits(columns)) - 1; // the rank that no cell exceeds
        if splits.iter().any(|splits| splits.len() > never as usize) {
            return None;
        }
        let ranker = Ranker::new(&splits);
        let mut tables = Vec::with_capacity(trees.len()); // they are large: none moves
        for tree in trees {
            tables.push(Ranked::new(tree, &ranker, never as u16)?);
        }
        let across = across(&tables);
        Some(Self { columns, grids: grid_lanes(columns, &ranker), ranker, trees: tables, across })
    }
}

fn grid_lanes(columns: usize, ranker: &Ranker) -> Vec<GridLanes> {
    let mut vectors = Vec::new();
    let mut column = 0;
    loop {
        let mut lanes = GridLanes::default();
        for lane in 0..RANKED {
            let grid = ranker.grids[column];
            lanes.low[lane] = grid.low;
            lanes.density[lane] = grid.density;
            lanes.last[lane] = grid.last;
            lanes.first_start[lane] = grid.first_start;
            lanes.first_split[lane] = grid.first_split;
            column = (column + 1) % columns;
        }
        vectors.push(lanes);
        if column == 0 {
            return vectors;
        }
    }
}

fn across(trees: &[Ranked]) -> Vec<Lanes> {
    let mut across = vec![[0; LANES]; trees.len().div_ceil(LANES) * LEAVES + 1];
    for (at, tree) in trees.iter().enumerate() {
        let group = &mut across[at / LANES * LEAVES..][..LEAVES];
        for (node, lanes) in tree.nodes.as_flattened().iter().zip(group) {
            lanes[at % LANES] = *node;
        }
    }
    across
}

impl Ranked {
    /// Completes a tree; `None` when it has too many different path lengths.
    fn new(tree: &Tree, splits: &Ranker, never: u16) -> Option<Self> {
        let mut ranked = Self {
            nodes: [[never; LANES]; LEAVES / LANES],
            codes: [0; LEAVES],
            numbers: [0; LEAVES],
            lengths: [0; LENGTHS],
            limbs: [[[0; LANES]; LENGTHS / LANES]; LIMBS],
        };
        let numbers = tree.leaf_numbers();
        let mut known = Vec::new();
        let mut waiting = vec![(0, 1)]; // a node, and its place in the heap order
        while let Some((at, place)) = waiting.pop() {
            if let Node::Split { column, threshold, left, right } = tree.nodes()[at] {
                let rank = splits.rank(column as usize, threshold);
                let node = column << rank_bits(splits.grids.len()) | rank;
                ranked.nodes[place / LANES][place % LANES] = node as u16;
                waiting.extend([(left as usize, 2 * place), (right as usize, 2 * place + 1)]);
            } else {
                ranked.codes[leaves_below(place)].fill(code(tree.path_length(at), &mut known)?);
                ranked.numbers[leaves_below(place)].fill(numbers[at] as u8); // eight levels have 256 leaves
            }
        }
        ranked.set_lengths(&known);
        Some(ranked)
    }

    fn set_lengths(&mut self, lengths: &[PathLength]) {
        for (code, &length) in lengths.iter().enumerate() {
            self.lengths[code] = length;
            for (at, limb) in self.limbs.iter_mut().enumerate() {
                let bits = length >> (LIMB_BITS * at as u32) & ((1 << LIMB_BITS) - 1);
                limb[code / LANES][code % LANES] = bits as u16;
            }
        }
    }
}

/// The leaves of a complete tree that are below `place` of the heap order.
fn leaves_below(place: usize) -> std::ops::Range<usize> {
    let width = LEAVES >> place.ilog2();
    let first = place * width - LEAVES;
    first..first + width
}

/// Whether the path lengths of the tree fit into a [`Ranked`]: few enough, and each short enough for its
/// limbs.
pub(super) fn has_few_lengths(tree: &Tree) -> bool {
    let mut known = Vec::new();
    tree.leaf_lengths().all(|length| code(length, &mut known).is_some())
}

/// The index of `length` in `known`, where it is added if it is new; `None` when there are too many, or it is
/// too long for its limbs.
fn code(length: PathLength, known: &mut Vec<PathLength>) -> Option<u8> {
    if length >> (LIMB_BITS * LIMBS as u32) > 0 {
        return None;
    }
    let at = known.iter().position(|&other| other == length).unwrap_or_else(|| {
        known.push(length);
        known.len() - 1
    });
    (at < LENGTHS).then_some(at as u8)
}
