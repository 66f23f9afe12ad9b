//! A model file of another system in, its scores out: `convert MODEL < ROWS.json > SCORES.json`.
//!
//! `ROWS.json` is a list of rows, with `null` for a missing cell. The output has `origin`, `columns`,
//! `threshold`, `scores`, `anomalies` and `warnings`. A second argument is a path to which the forest is
//! written: as a skops file if it ends in `.skops`, otherwise as an ONNX model. The live test compares the
//! scores with those of the original systems.

use std::error::Error;
use std::io;

use forest::Samples;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, rest @ ..] = &arguments[..] else { return Err("usage: convert MODEL [ONNX]".into()) };
    let imported = interchange::read(&std::fs::read(model)?)?;
    let forest = &imported.ensemble;
    let rows: Vec<Vec<Option<f64>>> = serde_json::from_reader(io::stdin())?;
    let cells = imported.cells(rows.concat().into_iter().map(|cell| cell.unwrap_or(f64::NAN)).collect());
    let scores = forest.scores(&Samples::with_missing(forest.columns(), cells)?);
    let anomalies: Vec<u8> = scores.iter().map(|&score| (score > imported.threshold).into()).collect();
    if let (Some(path), None) = (rest.first(), &imported.preprocessing) {
        let numbered = || (0..forest.columns()).map(|column| format!("column{column}")).collect();
        let columns = imported.columns.clone().unwrap_or_else(numbered);
        let is_skops = std::path::Path::new(path).extension().is_some_and(|extension| extension == "skops");
        let exported = if is_skops {
            interchange::skops::write(forest, imported.threshold, &columns)?
        } else {
            interchange::onnx::write(forest, imported.threshold, &columns)?
        };
        std::fs::write(path, exported)?;
    }
    let answer = serde_json::json!({
        "origin": imported.origin, "columns": imported.columns, "threshold": imported.threshold,
        "scores": scores, "anomalies": anomalies, "warnings": imported.warnings,
    });
    println!("{answer}");
    Ok(())
}
