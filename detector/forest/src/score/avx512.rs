//! Ranked trees and rows in, sums of path lengths out, on processors with AVX-512: the only `unsafe` code of the crate.
//!
//! There are two ways. `down_trees` has 32 rows in the lanes of a vector and goes through one tree after
//! the other; it suits many rows of few columns, since the cell that a node splits on is blended from all
//! columns. `across_trees` has 32 trees in the lanes and goes through one row after the other; there the
//! cell of a node is a single permutation, and the node itself a blend or a gather.

#![allow(
    unsafe_code,
    reason = "vector loads, and calls of functions that need AVX-512; each block says why it is sound"
)]

use super::block::BLOCK;
use super::grove::{
    Grove, LANES, LEAVES, LENGTHS, LIMB_BITS, LIMBS, Lanes, MAX_COLUMNS, RANKED, Ranked, rank_bits,
};
use crate::tree::path_length::PathLength;
#[allow(clippy::wildcard_imports, reason = "their names begin with _mm512")]
use std::arch::x86_64::*;

/// The number of trees whose 12-bit limbs can be added up in 16 bits: 16 · 4095 < 2¹⁶.
const TREES_PER_FLUSH: usize = 1 << (u16::BITS - LIMB_BITS);
/// With more columns, blending a cell from all of them takes longer than going row by row.
const MAX_BLENDED: usize = 8;
/// With fewer rows, most of a block would be idle.
const MIN_BLOCK: usize = 20;

/// Whether this processor has the AVX-512 features that this file needs; false with the feature `portable`.
pub(super) fn is_supported() -> bool {
    !cfg!(feature = "portable")
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vbmi")
}

/// The sum of one row's path lengths in all trees of the grove.
pub(super) fn path_length(grove: &Grove, row: &[f32]) -> PathLength {
    assert!(is_supported() && row.len() == grove.columns);
    // SAFETY: the processor has the features, as was just checked.
    unsafe {
        let mut ranks = [[0; RANKED]; MAX_COLUMNS / RANKED];
        rank(grove, row, &mut ranks);
        let mut sum = [0];
        across_trees(grove, ranks.as_flattened(), &mut sum);
        sum[0]
    }
}

/// The sum of one row's path lengths. `found` is called for each tree, with the index of the tree and the
/// place of the row's leaf in heap order.
pub(super) fn leaves(grove: &Grove, row: &[f32], found: impl FnMut(usize, u16)) -> PathLength {
    assert!(is_supported() && row.len() == grove.columns);
    // SAFETY: the processor has the features, as was just checked.
    unsafe { leaves_of_row(grove, row, found) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn leaves_of_row(grove: &Grove, cells: &[f32], mut found: impl FnMut(usize, u16)) -> PathLength {
    let mut ranks = [[0; RANKED]; MAX_COLUMNS / RANKED];
    rank(grove, cells, &mut ranks);
    let row = Row::new(ranks.as_flattened(), grove.columns);
    let mut sum = 0;
    for (group, trees) in grove.trees.chunks(LANES).enumerate() {
        let mut places = [0; LANES];
        let nodes = &grove.across[group * LEAVES..];
        store(&mut places, leaves_across(nodes, &row, rank_bits(grove.columns)));
        sum += sum_of_lengths(trees, &places);
        (0..trees.len()).for_each(|lane| found(group * LANES + lane, places[lane]));
    }
    sum
}

/// Adds the path lengths of rows to `sums`, one for each row, [`BLOCK`] at most.
pub(super) fn add_path_lengths(grove: &Grove, cells: &[f32], sums: &mut [PathLength]) {
    assert!(is_supported() && sums.len() <= BLOCK && cells.len() == sums.len() * grove.columns);
    // SAFETY: the processor has the features, as was just checked.
    unsafe { rows(grove, cells, sums) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn load(lanes: &Lanes) -> __m512i {
    // SAFETY: `Lanes` are 64 bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn load_bytes(lanes: &[u8; 64]) -> __m512i {
    // SAFETY: 64 bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn load_words(lanes: &[u32; RANKED]) -> __m512i {
    // SAFETY: 64 bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn load_floats(lanes: &[f32; RANKED]) -> __m512 {
    // SAFETY: 64 bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_ps(lanes.as_ptr()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn store(lanes: &mut Lanes, vector: __m512i) {
    // SAFETY: `Lanes` are 64 bytes, and the store needs no alignment.
    unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), vector) }
}

/// Writes the ranks of `cells` to `ranks`, in the same order. `ranks` must have room for whole vectors.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn rank(grove: &Grove, cells: &[f32], ranks: &mut [[u16; RANKED]]) {
    let (whole, rest) = cells.as_chunks();
    let mut last = [0.0; RANKED];
    last[..rest.len()].copy_from_slice(rest);
    for (at, cells) in whole.iter().enumerate() {
        rank_vector(grove, at, cells, &mut ranks[at]);
    }
    if !rest.is_empty() {
        rank_vector(grove, whole.len(), &last, &mut ranks[whole.len()]);
    }
}

/// Writes the ranks of 16 cells to `ranks`, the same as [`super::ranker::Ranker::rank`] gives. They are the
/// cells from index 16 · `vector` on, in rows one after the other.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn rank_vector(grove: &Grove, vector: usize, cells: &[f32; RANKED], ranks: &mut [u16; RANKED]) {
    let lanes = &grove.grids[vector % grove.grids.len()];
    let ranker = &grove.ranker;
    let cells = load_floats(cells);
    let place = _mm512_mul_ps(_mm512_sub_ps(cells, load_floats(&lanes.low)), load_floats(&lanes.density));
    let place = _mm512_min_ps(_mm512_max_ps(place, _mm512_setzero_ps()), load_floats(&lanes.last)); // NaN becomes 0
    let start = _mm512_add_epi32(load_words(&lanes.first_start), _mm512_cvttps_epi32(place));
    // SAFETY: `place` is from 0 to `last`, so `start` is in the column's part of `starts`.
    let mut at = unsafe { _mm512_i32gather_epi32::<4>(start, ranker.starts.as_ptr().cast()) };
    for step in (0..ranker.steps).rev() {
        let reach = 1 << step;
        let probe = _mm512_add_epi32(at, _mm512_set1_epi32(reach - 1));
        // SAFETY: `at` began at one of the column's splits or their end, all steps together take it less than 2^steps
        // further, and the column's part of `splits` has as many infinities after the splits.
        let split = unsafe { _mm512_i32gather_ps::<4>(probe, ranker.splits.as_ptr()) };
        let less = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(split, cells);
        at = _mm512_mask_add_epi32(at, less, at, _mm512_set1_epi32(reach));
    }
    let narrow = _mm512_cvtepi32_epi16(_mm512_sub_epi32(at, load_words(&lanes.first_split)));
    // SAFETY: `ranks` are 32 bytes, and the store needs no alignment.
    unsafe { _mm256_storeu_si256(ranks.as_mut_ptr().cast(), narrow) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn rows(grove: &Grove, cells: &[f32], sums: &mut [PathLength]) {
    let mut ranks = [[0; RANKED]; (BLOCK + 1) * MAX_COLUMNS / RANKED];
    rank(grove, cells, &mut ranks);
    let ranks = ranks.as_flattened();
    match grove.columns {
        columns if columns > MAX_BLENDED || sums.len() < MIN_BLOCK => {
            across_trees(grove, ranks, sums);
        }
        0..=2 => down_trees::<2>(grove, ranks, sums),
        3..=4 => down_trees::<4>(grove, ranks, sums),
        _ => down_trees::<8>(grove, ranks, sums),
    }
}

/// Adds the path lengths of the rows whose ranks are `ranks`, for up to `COLUMNS` columns.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn down_trees<const COLUMNS: usize>(grove: &Grove, ranks: &[u16], sums: &mut [PathLength]) {
    let mut columns = [[[0; LANES]; COLUMNS]; 2];
    for (row, ranks) in ranks.chunks_exact(grove.columns).take(BLOCK).enumerate() {
        for (column, &rank) in ranks.iter().enumerate() {
            columns[row / LANES][column][row % LANES] = rank;
        }
    }
    for trees in grove.trees.chunks(TREES_PER_FLUSH) {
        let mut limbs = [[_mm512_setzero_si512(); 2]; LIMBS];
        for tree in trees {
            let low = leaves_down(tree, &columns[0]);
            let high = leaves_down(tree, &columns[1]);
            let codes = codes(tree, low, high);
            add_limbs(tree, codes, &mut limbs);
        }
        flush(&limbs, sums);
    }
}

/// The leaf that each of 32 rows gets to, as its place in the heap order.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn leaves_down<const COLUMNS: usize>(tree: &Ranked, columns: &[Lanes; COLUMNS]) -> __m512i {
    let nodes: [__m512i; 8] = std::array::from_fn(|at| load(&tree.nodes[at]));
    let go = |place: __m512i, node: __m512i| {
        let greater = _mm512_cmpgt_epu16_mask(blend(node, columns), rank_of::<COLUMNS>(node));
        let left = _mm512_add_epi16(place, place);
        _mm512_mask_add_epi16(left, greater, left, _mm512_set1_epi16(1))
    };
    let mut place = _mm512_set1_epi16(1);
    for _ in 0..5 {
        place = go(place, _mm512_permutexvar_epi16(place, nodes[0]));
    }
    place = go(place, _mm512_permutexvar_epi16(place, nodes[1]));
    place = go(place, _mm512_permutex2var_epi16(nodes[2], place, nodes[3]));
    let left = _mm512_permutex2var_epi16(nodes[4], place, nodes[5]);
    let right = _mm512_permutex2var_epi16(nodes[6], place, nodes[7]);
    let is_right = _mm512_test_epi16_mask(place, _mm512_set1_epi16(64));
    go(place, _mm512_mask_blend_epi16(is_right, left, right))
}

/// The rank that each of 32 nodes compares with.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn rank_of<const COLUMNS: usize>(node: __m512i) -> __m512i {
    _mm512_and_si512(node, _mm512_set1_epi16(((1u32 << rank_bits(COLUMNS)) - 1) as i16))
}

/// For each lane, the rank of the cell that its node splits on, in its own row. The columns are blended in
/// pairs, by one bit of the node's column number after the other.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn blend<const COLUMNS: usize>(node: __m512i, columns: &[Lanes; COLUMNS]) -> __m512i {
    let is_odd = |bit: u32| {
        let bit = _mm512_set1_epi16((1u32 << (rank_bits(COLUMNS) + bit)) as i16);
        _mm512_test_epi16_mask(node, bit)
    };
    let mut cells = [_mm512_setzero_si512(); COLUMNS];
    let odd = is_odd(0);
    for pair in 0..COLUMNS / 2 {
        cells[pair] = _mm512_mask_blend_epi16(odd, load(&columns[2 * pair]), load(&columns[2 * pair + 1]));
    }
    // The next steps are not in a loop: the compiler keeps an array in registers only where all its indices
    // are constants.
    if COLUMNS > 2 {
        let odd = is_odd(1);
        for pair in 0..COLUMNS / 4 {
            cells[pair] = _mm512_mask_blend_epi16(odd, cells[2 * pair], cells[2 * pair + 1]);
        }
    }
    if COLUMNS > 4 {
        cells[0] = _mm512_mask_blend_epi16(is_odd(2), cells[0], cells[1]);
    }
    cells[0]
}

/// The codes of the path lengths at 64 leaves, 32 in `low` and 32 in `high`.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn codes(tree: &Ranked, low: __m512i, high: __m512i) -> __m512i {
    let low = _mm512_castsi256_si512(_mm512_cvtepi16_epi8(low)); // the last eight bits: the leaf's number
    let leaves = _mm512_inserti64x4::<1>(low, _mm512_cvtepi16_epi8(high));
    let codes = tree.codes.as_chunks().0;
    let left = _mm512_permutex2var_epi8(load_bytes(&codes[0]), leaves, load_bytes(&codes[1]));
    let right = _mm512_permutex2var_epi8(load_bytes(&codes[2]), leaves, load_bytes(&codes[3]));
    _mm512_mask_blend_epi8(_mm512_movepi8_mask(leaves), left, right)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn add_limbs(tree: &Ranked, codes: __m512i, limbs: &mut [[__m512i; 2]; LIMBS]) {
    let low = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(codes));
    let high = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64::<1>(codes));
    for (sums, table) in limbs.iter_mut().zip(&tree.limbs) {
        let (first, second) = (load(&table[0]), load(&table[1]));
        sums[0] = _mm512_add_epi16(sums[0], _mm512_permutex2var_epi16(first, low, second));
        sums[1] = _mm512_add_epi16(sums[1], _mm512_permutex2var_epi16(first, high, second));
    }
}

/// Adds up the limbs to whole path lengths, and adds those to `sums`.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn flush(limbs: &[[__m512i; 2]; LIMBS], sums: &mut [PathLength]) {
    for (at, halves) in limbs.iter().enumerate() {
        let mut lanes = [[0; LANES]; 2];
        store(&mut lanes[0], halves[0]);
        store(&mut lanes[1], halves[1]);
        for (sum, &limb) in sums.iter_mut().zip(lanes.as_flattened()) {
            *sum += u64::from(limb) << (LIMB_BITS * at as u32);
        }
    }
}

/// Adds the path lengths of the rows whose ranks are `ranks` to `sums`. From the start of the last row on
/// there must be [`MAX_COLUMNS`] ranks, since a row is loaded as two whole vectors.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn across_trees(grove: &Grove, ranks: &[u16], sums: &mut [PathLength]) {
    let bits = rank_bits(grove.columns);
    for (group, trees) in grove.trees.chunks(LANES).enumerate() {
        let nodes = &grove.across[group * LEAVES..];
        for (at, sum) in sums.iter_mut().enumerate() {
            let row = Row::new(&ranks[at * grove.columns..], grove.columns);
            let mut places = [0; LANES];
            store(&mut places, leaves_across(nodes, &row, bits));
            *sum += sum_of_lengths(trees, &places);
        }
    }
}

/// The sum of the path lengths of the leaves at `places`, one in each tree. Not inlined: in its caller, the
/// compiler would vectorize it, which takes twice the time.
#[inline(never)]
fn sum_of_lengths(trees: &[Ranked], places: &Lanes) -> PathLength {
    let length = |(tree, &place): (&Ranked, &u16)| {
        let code = tree.codes[usize::from(place) % LEAVES];
        tree.lengths[usize::from(code) % LENGTHS]
    };
    trees.iter().zip(places).map(length).sum()
}

/// The ranks of one row.
struct Row {
    low: __m512i,
    high: __m512i,
    /// Whether there are columns in `high`.
    is_wide: bool,
}

impl Row {
    /// Loads the row at the start of `ranks`, which must have at least [`MAX_COLUMNS`] ranks.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn new(ranks: &[u16], columns: usize) -> Self {
        let lanes: &[Lanes] = ranks[..MAX_COLUMNS].as_chunks().0;
        Self { low: load(&lanes[0]), high: load(&lanes[1]), is_wide: columns > LANES }
    }
}

/// The leaf that the row gets to in each of 32 trees, as its place in the heap order.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn leaves_across(nodes: &[Lanes], row: &Row, bits: u32) -> __m512i {
    let shift = _mm_cvtsi32_si128(bits.cast_signed());
    let rank = _mm512_set1_epi16(((1u32 << bits) - 1) as i16);
    let is_greater = |node: __m512i| {
        let column = _mm512_srl_epi16(node, shift);
        let cell = if row.is_wide {
            _mm512_permutex2var_epi16(row.low, column, row.high)
        } else {
            _mm512_permutexvar_epi16(column, row.low)
        };
        _mm512_cmpgt_epu16_mask(cell, _mm512_and_si512(node, rank))
    };
    // The earliest comparison halves a level first, since the result of the latest is not known yet.
    let first = is_greater(load(&nodes[1]));
    let [node] = halve_level::<1>(nodes, first);
    let second = is_greater(node);
    let [node] = halve::<2, 1>(halve_level(nodes, first), second);
    let third = is_greater(node);
    let [node] = halve::<2, 1>(halve::<4, 2>(halve_level(nodes, first), second), third);
    let fourth = is_greater(node);
    let sixteenth = halve::<4, 2>(halve::<8, 4>(halve_level(nodes, first), second), third);
    let [node] = halve::<2, 1>(sixteenth, fourth);
    let fifth = is_greater(node);
    let sixteenth = halve::<8, 4>(halve::<16, 8>(halve_level(nodes, first), second), third);
    let [node] = halve::<2, 1>(halve::<4, 2>(sixteenth, fourth), fifth);
    let sixth = is_greater(node);
    let mut place = _mm512_set1_epi16(1);
    for greater in [first, second, third, fourth, fifth, sixth] {
        place = step(place, greater);
    }
    for _ in 0..2 {
        place = step(place, is_greater(gather(nodes, place)));
    }
    place
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn step(place: __m512i, greater: __mmask32) -> __m512i {
    let left = _mm512_add_epi16(place, place);
    _mm512_mask_add_epi16(left, greater, left, _mm512_set1_epi16(1))
}

/// For each lane, the `HALF` nodes of a level that it can still reach after its first comparison.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn halve_level<const HALF: usize>(nodes: &[Lanes], greater: __mmask32) -> [__m512i; HALF] {
    let level = &nodes[2 * HALF..4 * HALF];
    let mut left = [_mm512_setzero_si512(); HALF];
    for at in 0..HALF {
        left[at] = _mm512_mask_blend_epi16(greater, load(&level[at]), load(&level[at + HALF]));
    }
    left
}

/// For each lane, the `HALF` of `TWICE` nodes that it can still reach after one more comparison.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn halve<const TWICE: usize, const HALF: usize>(
    nodes: [__m512i; TWICE],
    greater: __mmask32,
) -> [__m512i; HALF] {
    let mut left = [_mm512_setzero_si512(); HALF];
    for at in 0..HALF {
        left[at] = _mm512_mask_blend_epi16(greater, nodes[at], nodes[at + HALF]);
    }
    left
}

/// For each lane, the node of its tree at its own `place`.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn gather(nodes: &[Lanes], place: __m512i) -> __m512i {
    assert!(nodes.len() > LEAVES);
    let lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    let half = |place: __m256i, first: i32| {
        let place = _mm512_slli_epi32::<5>(_mm512_cvtepu16_epi32(place));
        let index = _mm512_add_epi32(place, _mm512_add_epi32(lanes, _mm512_set1_epi32(first)));
        // SAFETY: a place is less than `LEAVES`, so index / 32 is too, and the 4 bytes that are read from 2 · index on
        // are inside `nodes`, which has more than `LEAVES` vectors of 64 bytes.
        let pair = unsafe { _mm512_i32gather_epi32::<2>(index, nodes.as_ptr().cast()) };
        _mm512_cvtepi32_epi16(pair)
    };
    let low = half(_mm512_castsi512_si256(place), 0);
    let high = half(_mm512_extracti64x4_epi64::<1>(place), 16);
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high)
}
