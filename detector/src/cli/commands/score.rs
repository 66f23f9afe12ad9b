//! `detector score`: a model and a CSV file in, score, severity and anomaly of each row out.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use thiserror::Error;

use super::model_file::{self, ModelFileError};
use crate::ingest::table::{Selection, Table};
use crate::model::judgement::severity;
use crate::scoring::table_scorer::{TableScorer, TableScorerError, block};

/// Score the rows of a CSV file.
///
/// Writes a CSV file with the columns `score` (0 to 1, higher is more anomalous), `severity` (over 1 is anomalous) and
/// `anomaly` (0 or 1), one row for each row of the input, in its order. Where a model also looks at earlier rows, the first
/// rows have empty cells: their past is not known.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// The model, as `train` writes it
    #[arg(long, value_name = "FILE")]
    model: PathBuf,

    /// The CSV file; - for the standard input. It may have more columns than the model
    #[arg(long, value_name = "FILE")]
    input: PathBuf,

    /// Where to write the scores; - for the standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,

    /// The input's columns, in the model's order [default: those that are called as in the model]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    columns: Option<Vec<String>>,
}

/// Why rows cannot be scored.
#[derive(Debug, Error)]
pub enum ScoreError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// The rows cannot be read or scored.
    #[error(transparent)]
    Table(#[from] TableScorerError),
    /// Columns that are not as many as the model's.
    #[error("columns must be as many as the model's, {model}, got {names}")]
    Columns {
        /// The model's columns.
        model: usize,
        /// The names given.
        names: usize,
    },
}

/// Score every row.
///
/// # Errors
/// A file cannot be read or written, or a row is refused: what was written before stays.
pub fn run(args: &ScoreArgs) -> Result<(), ScoreError> {
    model_file::check_output(&args.output, &[&args.model, &args.input])?;
    let mut scorer = TableScorer::new(model_file::model(&args.model)?)?;
    let columns = args.columns.as_deref().unwrap_or(scorer.model().sensors()).to_vec();
    if columns.len() != scorer.model().sensors().len() {
        let model = scorer.model().sensors().len();
        return Err(ScoreError::Columns { model, names: columns.len() });
    }
    let table = Table::open(&args.input, &Selection::Named(&columns)).map_err(TableScorerError::from)?;
    // What looks back would take a hole for a value in every window that it is in.
    let mut table = if scorer.model().recipe().memory() == 1 { table.with_missing() } else { table };
    let unwritable = |source| ModelFileError::Unwritable { path: args.output.clone(), source };
    let mut output = writer(&args.output).map_err(unwritable)?;
    let written = score_all(&mut scorer, &mut table, &mut output)?;
    match written.and_then(|()| output.flush()) {
        // The reader has closed the pipe: `head`.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => Ok(outcome.map_err(unwritable)?),
    }
}

/// Block by block; the inner result is that of writing.
fn score_all(
    scorer: &mut TableScorer,
    table: &mut Table,
    output: &mut impl Write,
) -> Result<io::Result<()>, ScoreError> {
    let mut written = writeln!(output, "score,severity,anomaly");
    while written.is_ok() {
        let Some(block) = block(table)? else { break };
        let block = scorer.scores(block)?;
        written = write(&block, scorer.model().threshold(), output);
    }
    Ok(written)
}

fn write(scores: &[Option<f64>], threshold: f64, output: &mut impl Write) -> io::Result<()> {
    for score in scores {
        match score {
            Some(score) => {
                writeln!(output, "{score},{},{}", severity(*score, threshold), u8::from(*score > threshold))?;
            }
            None => writeln!(output, ",,")?,
        }
    }
    Ok(())
}

fn writer(path: &Path) -> io::Result<Box<dyn Write>> {
    if path == Path::new("-") {
        Ok(Box::new(BufWriter::new(io::stdout())))
    } else {
        Ok(Box::new(BufWriter::new(File::create(path)?)))
    }
}
