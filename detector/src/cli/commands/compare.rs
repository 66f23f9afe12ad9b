//! `detector compare`: two models and a CSV file in, how much they agree out.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use thiserror::Error;

use super::model_file::{self, ModelFileError};
use crate::cli::format::Format;
use crate::cli::rank;
use crate::cli::stdout::{self, StdoutError};
use crate::ingest::table::{Selection, Table};
use crate::model::names::list;
use crate::scoring::table_scorer::{TableScorer, TableScorerError, block};

/// Print how much two models agree on the rows of a table.
///
/// Shows, before a retrained model takes over, how much it would change: whether both models rank the rows
/// alike (the rank correlation of the scores), how many verdicts differ, and which share of the rows each
/// model finds anomalous. Rows that either model cannot score, because it needs earlier rows, are left out.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// A model, as `train` writes it
    #[arg(value_name = "A")]
    a: PathBuf,

    /// Another model with the same columns
    #[arg(value_name = "B")]
    b: PathBuf,

    /// The table, as `score` reads it; it may have more columns than the models
    #[arg(long, value_name = "FILE")]
    input: PathBuf,

    /// The format of the result
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// Why two models cannot be compared.
#[derive(Debug, Error)]
pub enum CompareError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// The rows cannot be read or scored.
    #[error(transparent)]
    Table(#[from] TableScorerError),
    /// The result cannot be printed.
    #[error(transparent)]
    Stdout(#[from] StdoutError),
    /// The models have different columns.
    #[error("both models must have the same columns, got {} and {}", list(a), list(b))]
    Columns {
        /// The columns of the first model.
        a: Vec<String>,
        /// The columns of the second model.
        b: Vec<String>,
    },
    /// No row has a score by both models.
    #[error("{}: expected rows that both models can score, got none", .0.display())]
    NoRows(PathBuf),
}

/// How much two models agree.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Comparison {
    rows: usize,
    /// Spearman's rank correlation of the scores; `None` where a model gives every row the same score.
    rank_correlation: Option<f64>,
    changed_verdicts: Changed,
    a: Side,
    b: Side,
}

/// The rows on which the verdicts of the models differ.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Changed {
    share: f64,
    rows: usize,
    now_anomalous: usize,
    now_normal: usize,
}

/// One of the models, with the number of rows that it finds anomalous.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Side {
    digest: String,
    threshold: f64,
    anomalous: usize,
    /// Anomalous rows, as a share of all.
    alert_rate: f64,
}

/// Compare two models, and print the result.
///
/// # Errors
/// A file cannot be read, the models are not of the same columns, or the result cannot be printed.
pub fn run(args: &CompareArgs) -> Result<(), CompareError> {
    let comparison = compare(&args.a, &args.b, &args.input)?;
    let _: () = match args.output {
        Format::Table => stdout::print(comparison)?,
        Format::Json => {
            let json = serde_json::to_string_pretty(&comparison);
            stdout::print(json.expect("numbers and strings are JSON"))?;
        }
    };
    Ok(())
}

fn compare(a: &Path, b: &Path, input: &Path) -> Result<Comparison, CompareError> {
    let mut a = TableScorer::new(model_file::model(a)?)?;
    let mut b = TableScorer::new(model_file::model(b)?)?;
    let columns = a.model().sensors().to_vec();
    if columns != b.model().sensors() {
        return Err(CompareError::Columns { a: columns, b: b.model().sensors().to_vec() });
    }
    let table = Table::open(input, &Selection::Named(&columns));
    let mut table = table.map_err(TableScorerError::from)?;
    let mut scores = (Vec::new(), Vec::new());
    while let Some(block) = block(&mut table)? {
        let both = a.scores(block.clone())?.into_iter().zip(b.scores(block)?);
        scores.extend(both.filter_map(|(a, b)| a.zip(b)));
    }
    if scores.0.is_empty() {
        return Err(CompareError::NoRows(input.to_owned()));
    }
    Ok(Comparison::new((&a, &scores.0), (&b, &scores.1)))
}

impl Comparison {
    fn new(a: (&TableScorer, &[f64]), b: (&TableScorer, &[f64])) -> Self {
        let anomalous = |(scorer, scores): (&TableScorer, &[f64])| -> Vec<bool> {
            scores.iter().map(|score| *score > scorer.model().threshold()).collect()
        };
        let verdicts = (anomalous(a), anomalous(b));
        let count = |from: bool, to: bool| {
            verdicts.0.iter().zip(&verdicts.1).filter(|(a, b)| (**a, **b) == (from, to)).count()
        };
        let (now_anomalous, now_normal) = (count(false, true), count(true, false));
        let rows = a.1.len();
        let changed = now_anomalous + now_normal;
        Self {
            rows,
            rank_correlation: rank::correlation(a.1, b.1),
            changed_verdicts: Changed {
                share: changed as f64 / rows as f64,
                rows: changed,
                now_anomalous,
                now_normal,
            },
            a: Side::new(a.0, &verdicts.0),
            b: Side::new(b.0, &verdicts.1),
        }
    }
}

impl Side {
    fn new(scorer: &TableScorer, verdicts: &[bool]) -> Self {
        let anomalous = verdicts.iter().filter(|verdict| **verdict).count();
        Self {
            digest: scorer.model().digest().to_string(),
            threshold: scorer.model().threshold(),
            anomalous,
            alert_rate: anomalous as f64 / verdicts.len() as f64,
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, changed_verdicts: changed, .. } = self;
        writeln!(f, "   model              threshold  anomalous  alert rate")?;
        for (name, side) in [("A", &self.a), ("B", &self.b)] {
            let short = side.digest.get(..17).unwrap_or(&side.digest);
            let Side { threshold, anomalous, alert_rate, .. } = side;
            let rate = alert_rate * 100.0;
            writeln!(f, "{name}  {short:<17}  {threshold:>9.4}  {anomalous:>9}  {rate:>8.3} %")?;
        }
        let correlation =
            self.rank_correlation.map_or("none".to_owned(), |correlation| format!("{correlation:.4}"));
        writeln!(f, "rank correlation of the scores of {rows} rows: {correlation}")?;
        write!(
            f,
            "changed verdicts: {} ({:.3} %), {} now anomalous, {} now normal",
            changed.rows,
            changed.share * 100.0,
            changed.now_anomalous,
            changed.now_normal
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_for_people() {
        let side = |digit: &str, anomalous| Side {
            digest: format!("sha256:{}", digit.repeat(64)),
            threshold: 0.613,
            anomalous,
            alert_rate: anomalous as f64 / 4096.0,
        };
        let changed = Changed { share: 13.0 / 4096.0, rows: 13, now_anomalous: 5, now_normal: 8 };
        let comparison = Comparison {
            rows: 4096,
            rank_correlation: Some(0.987_65),
            changed_verdicts: changed,
            a: side("a", 41),
            b: side("b", 38),
        };
        insta::assert_snapshot!(comparison.to_string(), @r"
           model              threshold  anomalous  alert rate
        A  sha256:aaaaaaaaaa     0.6130         41     1.001 %
        B  sha256:bbbbbbbbbb     0.6130         38     0.928 %
        rank correlation of the scores of 4096 rows: 0.9877
        changed verdicts: 13 (0.317 %), 5 now anomalous, 8 now normal
        ");
    }
}
