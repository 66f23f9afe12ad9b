//! Times a crate's isolation forest on rows from a file: `rivals CRATE FILE.f64 TRAIN SCORE COLUMNS` prints one line of JSON,
//! in the shape of `worker.py`. 100 trees of 256 rows.

use extended_isolation_forest::{Forest as Extended, ForestOptions};
use ndarray::{Array2, s};
use rustix::time::{ClockId, clock_gettime};
use rustyml::machine_learning::ensemble::isolation_forest::IsolationForest as Rustyml;
use scry_learn::anomaly::IsolationForest as Scry;
use serde_json::json;
use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::time::Instant;

const FITS: usize = 5;
const PASSES: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments[at].parse::<usize>().expect("a count");
    let (train, score, columns) = (number(2), number(3), number(4));
    let cells = read(&arguments[1], train.max(score) * columns);
    match (arguments[0].as_str(), columns) {
        ("rustyml", _) => rustyml(cells, train, score, columns),
        ("scry-learn", _) => scry(&cells, train, score, columns),
        ("extended-isolation-forest", 1) => extended::<1>(&cells, train, score),
        ("extended-isolation-forest", 8) => extended::<8>(&cells, train, score),
        ("extended-isolation-forest", 32) => extended::<32>(&cells, train, score),
        (other, _) => panic!("no engine {other} for {columns} columns"),
    }
}

fn rustyml(cells: Vec<f64>, train: usize, score: usize, columns: usize) {
    let rows = Array2::from_shape_vec((cells.len() / columns, columns), cells).expect("whole rows");
    let fit = || {
        let mut forest = Rustyml::new(100, 256).expect("sound parameters").with_random_state(1);
        forest.fit(&rows.slice(s![..train, ..])).expect("finite rows");
        forest
    };
    let batch =
        |forest: &Rustyml| forest.score_samples(&rows.slice(s![..score, ..])).expect("a fitted forest").sum();
    let one = |forest: &Rustyml, at: usize| {
        forest.score_sample(rows.row(at).as_slice().expect("contiguous rows")).expect("a fitted forest")
    };
    measure(score, fit, batch, one);
}

fn scry(cells: &[f64], train: usize, score: usize, columns: usize) {
    let rows: Vec<Vec<f64>> = cells.chunks_exact(columns).map(<[f64]>::to_vec).collect();
    let fit = || {
        let mut forest = Scry::new().n_estimators(100).max_samples(256).seed(1);
        forest.fit(&rows[..train]).expect("finite rows");
        forest
    };
    let batch = |forest: &Scry| forest.predict(&rows[..score]).iter().sum();
    measure(score, fit, batch, |forest, at| forest.predict(&rows[at..=at])[0]);
}

fn extended<const COLUMNS: usize>(cells: &[f64], train: usize, score: usize) {
    let rows = cells.as_chunks::<COLUMNS>().0;
    let options = ForestOptions { n_trees: 100, sample_size: 256, max_tree_depth: None, extension_level: 0 };
    let fit = || Extended::from_slice(&rows[..train], &options).expect("sound parameters");
    let batch = |forest: &Extended<f64, COLUMNS>| rows[..score].iter().map(|row| forest.score(row)).sum();
    measure(score, fit, batch, |forest, at| forest.score(&rows[at]));
}

/// Times fits, batches and single rows, and prints the line.
fn measure<Forest>(
    rows: usize,
    fit: impl Fn() -> Forest,
    batch: impl Fn(&Forest) -> f64,
    one: impl Fn(&Forest, usize) -> f64,
) {
    let mut fits: Vec<(f64, f64)> = (0..FITS).map(|_| timed(&fit)).collect();
    fits.sort_by(|a, b| a.1.total_cmp(&b.1));
    let forest = fit();
    let mut best = (f64::INFINITY, f64::INFINITY);
    for _ in 0..PASSES {
        let (seconds, cpu) = timed(|| batch(&forest));
        best = (best.0.min(seconds), best.1.min(cpu));
    }
    let mut calls: Vec<f64> = (0..5000).map(|at| timed_wall(|| one(&forest, at % rows)) * 1e6).collect();
    calls.sort_by(f64::total_cmp);
    let (fit_s, fit_cpu_s) = fits[FITS / 2];
    println!(
        "{}",
        json!({"fit_s": fit_s, "fit_cpu_s": fit_cpu_s, "rows_s": rows as f64 / best.0, "rows_cpu_s": rows as f64 / best.1,
            "p50_us": calls[2500], "p99_us": calls[4950]})
    );
}

fn timed<T>(work: impl FnOnce() -> T) -> (f64, f64) {
    let cpu = cpu_seconds();
    let seconds = timed_wall(work);
    (seconds, cpu_seconds() - cpu)
}

fn timed_wall<T>(work: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    black_box(work());
    start.elapsed().as_secs_f64()
}

/// CPU seconds of all threads of this process.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn read(path: &str, cells: usize) -> Vec<f64> {
    let mut bytes = vec![0; cells * 8];
    File::open(path).and_then(|mut file| file.read_exact(&mut bytes)).expect("a file of rows");
    bytes.as_chunks().0.iter().map(|&cell| f64::from_le_bytes(cell)).collect()
}
