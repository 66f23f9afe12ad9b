//! `detector score`: a model and a table in, score, severity and anomaly of each row out, and on request why.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use thiserror::Error;

use super::model_file::{self, ModelFileError};
use crate::cli::score_output::{Cell, RowFormat, RowWriter};
use crate::ingest::sources::delimited::CsvError;
use crate::ingest::table::{Selection, Table};
use crate::model::judge::Explain;
use crate::model::judgement::{Judgement, severity};
use crate::report::model_card;
use crate::report::page::Report;
use crate::report::recording::Recording;
use crate::scoring::table_scorer::{TableScorer, TableScorerError, block};

/// Score the rows of a CSV or NDJSON file.
///
/// Writes a row for each row of the input, in its order: the columns of --keep, `score` (0 to 1, higher is more anomalous),
/// `severity` (over 1 is anomalous) and `anomaly` (0 or 1). Where a model also looks at earlier rows, the first rows have empty
/// cells: their past is not known.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// The model, as `train` writes it; - for the standard input
    #[arg(long, value_name = "FILE")]
    model: PathBuf,

    /// The table: CSV, or a JSON object a line; - for the standard input. It may have more columns than the model
    #[arg(long, value_name = "FILE")]
    input: PathBuf,

    /// Where to write the scores; - for the standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,

    /// How to write them [default: ndjson for an output called .ndjson or .jsonl, else csv]
    #[arg(long, value_enum)]
    format: Option<RowFormat>,

    /// The input's columns, in the model's order [default: those that are called as in the model]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    columns: Option<Vec<String>>,

    /// Columns of the input to write before the scores: id,time,label
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    keep: Vec<String>,

    /// Write `contribution_NAME` for each of the model's columns: its share in the score; a row's add up to 1
    #[arg(long)]
    contributions: bool,

    /// Write why a row is anomalous: `sensor`, `feature`, `direction`, `expected_low` and `expected_high` of what contributed
    /// most
    #[arg(long)]
    reasons: bool,

    /// Write a report too: one HTML page with charts, anomalous rows and a threshold to try, which works offline. It shows the
    /// columns `timestamp` and `label`, where there are any
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
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
    let mut shown = args.report.as_ref().map(|_| Shown::default());
    let written = if args.is_plain() {
        scores(&mut scorer, &mut table, output)?
    } else {
        rows(args, &mut scorer, &mut table, output, shown.as_mut())?
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
    // What looks back would take a hole for a value in every window that it is in.
    let table = if scorer.model().recipe().memory() == 1 { table.with_missing() } else { table };
    if args.report.is_none() {
        return Ok(table);
    }
    let table = table.with_times();
    if table.has("label") { table.with_label("label") } else { Ok(table) }
}

impl ScoreArgs {
    fn format(&self) -> RowFormat {
        let extension = self.output.extension().unwrap_or_default().to_ascii_lowercase();
        let default =
            if extension == "ndjson" || extension == "jsonl" { RowFormat::Ndjson } else { RowFormat::Csv };
        self.format.unwrap_or(default)
    }

    /// Whether scores are all that is wanted: a hundred thousand rows take no longer than their reading.
    fn is_plain(&self) -> bool {
        self.keep.is_empty()
            && !self.contributions
            && !self.reasons
            && self.report.is_none()
            && self.format() == RowFormat::Csv
    }

    /// What has to be known of each row.
    fn explain(&self) -> Option<Explain> {
        match self {
            Self { contributions: true, .. } => Some(Explain::Always),
            Self { reasons: true, .. } | Self { report: Some(_), .. } => Some(Explain::Anomalies),
            _ => None,
        }
    }

    fn header(&self, sensors: &[String]) -> Vec<String> {
        let mut header = self.keep.clone();
        header.extend(["score", "severity", "anomaly"].map(str::to_owned));
        if self.contributions {
            header.extend(sensors.iter().map(|sensor| format!("contribution_{sensor}")));
        }
        if self.reasons {
            header.extend(
                ["sensor", "feature", "direction", "expected_low", "expected_high"].map(str::to_owned),
            );
        }
        header
    }

    /// The cells of a row after those that are kept.
    fn cells(&self, row: &Scored, sensors: &[String], row_cells: &mut Vec<Cell>) {
        let number = |number: Option<f64>| number.map_or(Cell::Missing, Cell::Number);
        row_cells.push(number(row.score));
        row_cells.push(number(row.severity));
        row_cells.push(row.anomalous.map_or(Cell::Missing, Cell::Flag));
        let judgement = row.judgement.as_ref();
        if self.contributions {
            let share = |sensor| judgement.and_then(|judgement| judgement.contributions.get(sensor)).copied();
            row_cells.extend((0..sensors.len()).map(|sensor| number(share(sensor))));
        }
        if self.reasons {
            row_cells.extend(
                judgement.map_or([const { Cell::Missing }; 5], |judgement| reason(judgement, sensors)),
            );
        }
    }
}

/// Scores alone, block by block; the inner result is that of writing.
fn scores(
    scorer: &mut TableScorer,
    table: &mut Table,
    mut output: impl Write,
) -> Result<io::Result<()>, ScoreError> {
    let mut written = writeln!(output, "score,severity,anomaly");
    while written.is_ok() {
        let Some(block) = block(table)? else { break };
        let block = scorer.scores(block)?;
        written = write_scores(&block, scorer.model().threshold(), &mut output);
    }
    Ok(written.and_then(|()| output.flush()))
}

fn write_scores(scores: &[Option<f64>], threshold: f64, output: &mut impl Write) -> io::Result<()> {
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

/// A row's score, and its judgement where more is wanted; nothing where its past is too short.
#[derive(Default)]
struct Scored {
    score: Option<f64>,
    severity: Option<f64>,
    anomalous: Option<bool>,
    judgement: Option<Judgement>,
}

impl Scored {
    fn by_score(score: Option<f64>, threshold: f64) -> Self {
        Self {
            score,
            severity: score.map(|score| severity(score, threshold)),
            anomalous: score.map(|score| score > threshold),
            judgement: None,
        }
    }
}

/// Rows with all that is wanted; the inner result is that of writing.
fn rows(
    args: &ScoreArgs,
    scorer: &mut TableScorer,
    table: &mut Table,
    output: impl Write,
    mut shown: Option<&mut Shown>,
) -> Result<io::Result<()>, ScoreError> {
    let sensors = scorer.model().sensors().to_vec();
    let mut writer = match RowWriter::new(args.format(), args.header(&sensors), output) {
        Ok(writer) => writer,
        Err(error) => return Ok(Err(error)),
    };
    let mut cells = Vec::new();
    while let Some(block) = block(table)? {
        let rows = scored(args, scorer, &block)?;
        let mut kept = table.take_kept().into_iter();
        for row in &rows {
            cells.clear();
            cells.extend(kept.by_ref().take(args.keep.len()).map(Cell::Kept));
            args.cells(row, &sensors, &mut cells);
            if let Err(error) = writer.write(&cells) {
                return Ok(Err(error));
            }
        }
        if let Some(shown) = &mut shown {
            shown.cells.extend(block);
            shown.judgements.extend(rows.into_iter().map(|row| row.judgement));
        }
    }
    Ok(writer.finish())
}

fn scored(args: &ScoreArgs, scorer: &mut TableScorer, block: &[f64]) -> Result<Vec<Scored>, ScoreError> {
    let threshold = scorer.model().threshold();
    let Some(explain) = args.explain() else {
        let by_row = scorer.scores(block.to_vec())?;
        return Ok(by_row.into_iter().map(|score| Scored::by_score(score, threshold)).collect());
    };
    let row = |judgement: Option<Judgement>| {
        let score = judgement.as_ref().map(|judgement| judgement.score);
        Scored { judgement, ..Scored::by_score(score, threshold) }
    };
    Ok(scorer.judgements(block, explain)?.into_iter().map(row).collect())
}

/// Sensor, feature, direction and expected range of what contributed most to an anomalous row.
fn reason(judgement: &Judgement, sensors: &[String]) -> [Cell; 5] {
    let top = judgement.top_contributor().filter(|_| judgement.anomalous);
    let Some((sensor, reason)) = top.and_then(|top| Some((top, judgement.reasons.get(top)?))) else {
        return [const { Cell::Missing }; 5];
    };
    let [low, high] = reason.expected.map_or([Cell::Missing, Cell::Missing], |ends| ends.map(Cell::Number));
    let word = |word: String| Cell::Word(word);
    [
        word(sensors[sensor].clone()),
        word(format!("{:?}", reason.feature)),
        word(format!("{:?}", reason.direction)),
        low,
        high,
    ]
}

/// What a report shows.
#[derive(Default)]
struct Shown {
    cells: Vec<f64>,
    judgements: Vec<Option<Judgement>>,
}

impl Shown {
    fn page(&self, args: &ScoreArgs, scorer: &TableScorer, table: &mut Table, columns: &[String]) -> String {
        // A column of times that are none shows rows by their number.
        let times = table.times().ok().flatten();
        let labels = table.labels();
        let recording =
            Recording::of_table(columns, &self.cells, &self.judgements, times.as_deref(), &labels);
        let model = scorer.model();
        let report = Report {
            title: &args.input.display().to_string(),
            recording: &recording,
            threshold: Some(model.threshold()),
            model: model_card::lines(model, None),
            warnings: model.metadata().training.warnings.clone(),
            figures: None,
        };
        report.html()
    }
}

fn writer(path: &Path) -> io::Result<Box<dyn Write>> {
    if path == Path::new("-") {
        Ok(Box::new(BufWriter::new(io::stdout())))
    } else {
        Ok(Box::new(BufWriter::new(File::create(path)?)))
    }
}
