//! `detector score`: a model and a table in, score, severity and anomaly of each row out, and on request why.

/// The arguments.
pub mod args;
/// Why rows cannot be scored.
pub mod error;
/// The page of `--report`.
mod shown;
/// The output: a row for each row of the input.
mod rows;
/// The importance of each column for the scores.
mod importances;

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;

use self::args::ScoreArgs;
use self::error::ScoreError;
use self::importances::Importances;
use self::shown::ReportRows;
use super::model_file::{self, ModelFileError};
use crate::cli::manifest::shown;
use crate::cli::score_output::RowFormat;
use crate::ingest::sources::delimited::CsvError;
use crate::ingest::table::{Selection, Table};
use crate::model::judge::Explain;
use crate::scoring::table_scorer::{TableScorer, TableScorerError, block};

/// Score every row.
///
/// # Errors
/// A file cannot be read or written, or a row is refused. The rows written before stay in the output.
pub fn run(args: &ScoreArgs) -> Result<(), ScoreError> {
    let inputs: [&Path; 2] = [&args.model, &args.input];
    for output in args.report.iter().chain([&args.output]) {
        model_file::check_output(output, &inputs)?;
    }
    let mut scorer = TableScorer::new(model_file::model(&args.model)?)?;
    let columns = args.columns.as_deref().unwrap_or(scorer.model().sensors()).to_vec();
    if columns.len() != scorer.model().sensors().len() {
        let model = scorer.model().sensors().len();
        return Err(ScoreError::Columns { model, names: columns.len() });
    }
    let mut table = table(args, &scorer, &columns).map_err(TableScorerError::from)?;
    let unwritable = |source| ModelFileError::Unwritable { path: args.output.clone(), source };
    let output = writer(&args.output).map_err(unwritable)?;
    let mut shown = args.report.as_ref().map(|_| ReportRows::default());
    let written = if args.importances {
        let importances = importances(args, &mut scorer, &mut table)?;
        importances_to(args, &importances, output)
    } else if args.is_plain() {
        rows::scores(&mut scorer, &mut table, output)?
    } else {
        rows::rows(args, &mut scorer, &mut table, output, shown.as_mut())?
    };
    match written {
        // The reader has closed the pipe: `head`.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        outcome => outcome.map_err(unwritable)?,
    }
    if let (Some(path), Some(shown)) = (&args.report, shown) {
        let page = shown.page(args, &scorer, &mut table, &columns);
        model_file::write(path, page.as_bytes())?;
    }
    Ok(())
}

fn table(args: &ScoreArgs, scorer: &TableScorer, columns: &[String]) -> Result<Table, CsvError> {
    let table = Table::open(&args.input, &Selection::Named(columns))?.with_kept(&args.keep)?;
    // A model that looks back would use a missing cell in every window around it: there, it is an error.
    let table = if scorer.model().recipe().memory() == 1 { table.with_missing() } else { table };
    if args.report.is_none() {
        return Ok(table);
    }
    let table = table.with_times();
    if table.has("label") { table.with_label("label") } else { Ok(table) }
}

/// Compute the importances over all rows of the table.
fn importances(
    args: &ScoreArgs,
    scorer: &mut TableScorer,
    table: &mut Table,
) -> Result<Importances, ScoreError> {
    let mut importances = Importances::new(scorer.model().sensors());
    while let Some(block) = block(table)? {
        let judgements = scorer.judgements(&block, Explain::Always)?;
        judgements.iter().flatten().for_each(|judgement| importances.add(judgement));
    }
    if importances.is_empty() { Err(ScoreError::NoScores(shown(&args.input))) } else { Ok(importances) }
}

/// Write the importances: as a table for people on the standard output, unless a format is given; else as
/// rows, by default as CSV.
fn importances_to(
    args: &ScoreArgs,
    importances: &Importances,
    mut output: impl Write + Send,
) -> io::Result<()> {
    let is_printed = args.output == Path::new("-");
    match args.named_format() {
        None if is_printed => writeln!(output, "{importances}").and_then(|()| output.flush()),
        format => importances.write(format.unwrap_or(RowFormat::Csv), output),
    }
}

fn writer(path: &Path) -> io::Result<Box<dyn Write + Send>> {
    if path == Path::new("-") {
        Ok(Box::new(BufWriter::new(io::stdout())))
    } else {
        Ok(Box::new(BufWriter::new(File::create(path)?)))
    }
}
