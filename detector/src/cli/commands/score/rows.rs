//! A model and a table in; an output row with the requested columns for each row of the table out.

use std::io::{self, Write};

use super::args::ScoreArgs;
use super::error::ScoreError;
use super::shown::ReportRows;
use crate::cli::cell::{Cell, Column};
use crate::cli::score_output::RowWriter;
use crate::ingest::parquet::column_type::ColumnType;
use crate::ingest::table::Table;
use crate::model::judgement::{Judgement, severity};
use crate::scoring::table_scorer::{TableScorer, block};

impl ScoreArgs {
    fn header(&self, sensors: &[String], kept: &[ColumnType]) -> Vec<Column> {
        let named = |(name, column_type): (&String, &ColumnType)| Column::new(name, *column_type);
        let mut header: Vec<Column> = self.keep.iter().zip(kept).map(named).collect();
        let real = |name: &str| Column::new(name, ColumnType::Real);
        header.extend([real("score"), real("severity"), Column::new("anomaly", ColumnType::Integer)]);
        if self.contributions {
            header.extend(sensors.iter().map(|sensor| real(&format!("contribution_{sensor}"))));
        }
        if self.reasons {
            header.extend(["sensor", "feature", "direction"].map(|name| Column::new(name, ColumnType::Text)));
            header.extend([real("expected_low"), real("expected_high")]);
        }
        header
    }

    /// Append the cells of a row that come after the kept ones.
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

/// Write score, severity and anomaly of each row as CSV, block by block. The inner result is that of writing.
///
/// # Errors
/// The rows cannot be read or scored.
pub(super) fn scores(
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

/// A row's score, and its judgement where contributions or reasons are needed. All are `None` where the row's
/// past is too short.
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

/// Write each row with all requested columns, and add it to `shown` for the report. The inner result is that
/// of writing.
///
/// # Errors
/// The rows cannot be read or scored.
pub(super) fn rows(
    args: &ScoreArgs,
    scorer: &mut TableScorer,
    table: &mut Table,
    output: impl Write + Send,
    mut shown: Option<&mut ReportRows>,
) -> Result<io::Result<()>, ScoreError> {
    let sensors = scorer.model().sensors().to_vec();
    let mut writer = match RowWriter::new(args.format(), args.header(&sensors, &table.kept_types()), output) {
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

/// Sensor, feature, direction and expected range of an anomalous row's top contributor; else missing cells.
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
