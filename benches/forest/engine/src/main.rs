//! Times the forest on rows from a file: `engine FILE.f64 TRAIN SCORE COLUMNS [TREES SAMPLE_SIZE]` prints one line of JSON, in
//! the shape of `worker.py`.

use forest::{Artifact, Forest, Metadata, Params, Samples, Training};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use std::error::Error;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::Read;
use std::time::Instant;

/// The number of fits; the median counts, as for the other engines.
const FITS: usize = 5;
/// The number of batches; the fastest counts, as for the other engines.
const PASSES: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: usize| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let (train, score, columns) = (number(1, 0)?, number(2, 0)?, number(3, 0)?);
    let params = Params::new(number(4, 100)? as u32, number(5, 256)? as u32, 0, 1)?;
    let training = samples(&arguments[0], train, columns)?.0;
    let (scored, parse_seconds) = samples(&arguments[0], score, columns)?;
    rayon::broadcast(|_| ()); // the pool's threads are started once in a process, not by a fit

    let base = resident_kib("VmRSS")?;
    fs::write("/proc/self/clear_refs", "5")?; // the peak starts here
    let mut fits: Vec<(f64, f64)> = Vec::new();
    for _ in 0..FITS {
        let (forest, seconds, cpu) = timed(|| Forest::fit(&training, &params));
        forest?;
        fits.push((seconds, cpu));
    }
    fits.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (fit_seconds, fit_cpu) = fits[FITS / 2];
    let forest = Forest::fit(&training, &params)?;
    let (_, first_score_seconds, _) = timed(|| forest.score(scored.row(0))); // the tables are made by the first score
    let mut best = (f64::INFINITY, f64::INFINITY);
    for _ in 0..PASSES {
        let (scores, seconds, cpu) = timed(|| forest.scores(&scored));
        assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)));
        best = (best.0.min(seconds), best.1.min(cpu));
    }
    let peak = resident_kib("VmHWM")? - base;
    let (p50, p99) = row_latencies(&forest, &scored);
    let (bytes, open_seconds) = artifact(forest)?;
    let rows = score as f64;
    println!(
        "{}",
        json!({"fit_s": fit_seconds, "fit_cpu_s": fit_cpu, "rows_s": rows / best.0, "rows_cpu_s": rows / best.1,
            "p50_us": p50, "p99_us": p99, "peak_mib": peak / 1024.0, "size_kib": bytes as f64 / 1024.0,
            "load_ms": open_seconds * 1e3, "first_score_ms": first_score_seconds * 1e3, "parse_ms": parse_seconds * 1e3})
    );
    Ok(())
}

/// The rows, and the seconds that it took to parse them.
fn samples(path: &str, rows: usize, columns: usize) -> Result<(Samples, f64), Box<dyn Error>> {
    let mut bytes = vec![0; rows * columns * 8];
    File::open(path)?.read_exact(&mut bytes)?;
    let cells = bytes.as_chunks().0.iter().map(|&cell| f64::from_le_bytes(cell)).collect();
    let (samples, seconds, _) = timed(|| Samples::new(columns, cells));
    Ok((samples?, seconds))
}

/// The result of `work`, its wall-clock seconds and the process's CPU seconds.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64, f64) {
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let result = work();
    (result, start.elapsed().as_secs_f64(), cpu_seconds() - cpu)
}

/// Microseconds for one row: the time of a hundred calls, each with another row, divided; its median and 99th percentile.
/// (A call is too short for the clock.)
fn row_latencies(forest: &Forest, samples: &Samples) -> (f64, f64) {
    const CALLS: usize = 100;
    let mut latencies: Vec<f64> = (0..500)
        .map(|batch| {
            let start = Instant::now();
            for call in 0..CALLS {
                black_box(forest.score(black_box(samples.row((batch * CALLS + call) % samples.len()))));
            }
            start.elapsed().as_secs_f64() * 1e6 / CALLS as f64
        })
        .collect();
    latencies.sort_by(f64::total_cmp);
    (latencies[250], latencies[495])
}

/// The size of the forest's file, and the seconds that opening and verifying it takes: the median of 11
/// times.
fn artifact(forest: Forest) -> Result<(usize, f64), Box<dyn Error>> {
    let columns = (0..forest.columns()).map(|column| format!("column-{column}")).collect();
    let training = Training { samples: 0, trained_at: String::new(), origin: "trained".into(), ..Training::default() };
    let metadata = Metadata { columns, threshold: 0.5, training, ..Metadata::default() };
    let bytes = Artifact { ensemble: forest.into(), metadata, scores: None }.to_bytes()?;
    let mut seconds = (0..11)
        .map(|_| {
            let start = Instant::now();
            black_box(Artifact::from_bytes(&bytes)?);
            Ok(start.elapsed().as_secs_f64())
        })
        .collect::<Result<Vec<_>, forest::artifact::ArtifactError>>()?;
    seconds.sort_by(f64::total_cmp);
    Ok((bytes.len(), seconds[5]))
}

/// A figure of /proc/self/status, in KiB.
fn resident_kib(key: &str) -> Result<f64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(key)).ok_or("no such figure")?;
    Ok(line.trim_start_matches(':').trim_end_matches("kB").trim().parse()?)
}

/// CPU seconds of all threads of this process.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
