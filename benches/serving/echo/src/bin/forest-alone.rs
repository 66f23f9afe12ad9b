//! `forest-alone MODEL ROWS COLUMNS SECONDS`: scores the rows of a file (64-bit floats) by a model's forest,
//! again and again for SECONDS; prints the number of rows that it scored.

use std::time::{Duration, Instant};

/// The number of rows in one call, as in the detector: the kernel is fastest if they stay in the cache.
const BLOCK: usize = 2048;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let [_, model, rows, columns, seconds] = &words[..] else { panic!("usage: forest-alone MODEL ROWS COLUMNS SECONDS") };
    let artifact = forest::Artifact::from_bytes(&std::fs::read(model).expect("a file")).expect("a model");
    let bytes = std::fs::read(rows).expect("a file");
    let (cells, _) = bytes.as_chunks();
    let cells: Vec<f32> = cells.iter().map(|cell| f64::from_le_bytes(*cell) as f32).collect();
    let columns: usize = columns.parse().expect("a number of columns");
    let (began, lasts) = (Instant::now(), Duration::from_secs(seconds.parse().expect("a number of seconds")));
    let mut scored = 0;
    while began.elapsed() < lasts {
        for block in cells.chunks(BLOCK * columns) {
            std::hint::black_box(artifact.ensemble.scores_of_cells(std::hint::black_box(block)));
        }
        scored += cells.len() / columns;
    }
    println!("{scored}");
}
