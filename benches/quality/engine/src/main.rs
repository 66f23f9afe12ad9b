//! Fits this project's forest and applies it:
//! `engine WHAT MODE TREES SAMPLE_SIZE EXTENSION SEED COLUMNS TRAIN.f64 [ROWS.f64]` writes little-endian f64
//! to the standard output. WHAT is `scores` (one for each row), `contributions` (one for each row and column)
//! or `seconds`: of the fit, of a score, and of a score with its explanation, each the least of 15 runs. ROWS
//! are TRAIN unless given.

use forest::{Ensemble, EnsembleParams, Params, Samples};
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::io::{self, Write};
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, mode, trees, sample_size, extension, seed, columns, train, rows @ ..] = &arguments[..] else {
        return Err("expected WHAT MODE TREES SAMPLE_SIZE EXTENSION SEED COLUMNS TRAIN.f64 [ROWS.f64]".into());
    };
    let params = Params::new(trees.parse()?, sample_size.parse()?, extension.parse()?, seed.parse()?)?;
    let params = match mode.as_str() {
        "Auto" => EnsembleParams::Auto(params),
        mode => params.with_mode(serde_json::from_value(mode.into())?).into(),
    };
    let columns = columns.parse()?;
    let train = samples(columns, train)?;
    let rows = rows.first().map(|path| samples(columns, path)).transpose()?.unwrap_or_else(|| train.clone());
    let ensemble = Ensemble::fit(&train, &params)?;
    let numbers = match what.as_str() {
        "scores" => ensemble.scores(&rows),
        "contributions" => rows.rows().flat_map(|row| ensemble.contributions(row)).collect(),
        "seconds" => seconds(&train, &params, &ensemble)?,
        other => return Err(format!("WHAT must be scores, contributions or seconds, got {other}").into()),
    };
    let bytes: Vec<u8> = numbers.into_iter().flat_map(f64::to_le_bytes).collect();
    io::stdout().write_all(&bytes)?;
    Ok(())
}

fn samples(columns: usize, path: &str) -> Result<Samples, Box<dyn Error>> {
    let cells = fs::read(path)?.as_chunks().0.iter().map(|&cell| f64::from_le_bytes(cell)).collect();
    Ok(Samples::new(columns, cells)?)
}

fn seconds(train: &Samples, params: &EnsembleParams, ensemble: &Ensemble) -> Result<Vec<f64>, Box<dyn Error>> {
    let least = |work: &dyn Fn()| {
        let timed = |_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        };
        (0..15).map(timed).fold(f64::INFINITY, f64::min)
    };
    let rows: Vec<&[f32]> = train.rows().take(500).collect();
    let count = rows.len() as f64;
    let fit = least(&|| drop(black_box(Ensemble::fit(train, params))));
    let score = least(&|| rows.iter().for_each(|row| _ = black_box(ensemble.score(row)))) / count;
    let explain = least(&|| rows.iter().for_each(|row| drop(black_box(ensemble.score_and_explain(row))))) / count;
    Ok(vec![fit, score, explain])
}
