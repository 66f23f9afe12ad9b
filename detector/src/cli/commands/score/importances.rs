//! The contributions of many rows in; how important each column is over all of them, and over the anomalous ones, out.

use std::fmt;
use std::io::{self, Write};

use crate::cli::cell::{Cell, Column};
use crate::cli::score_output::{RowFormat, RowWriter};
use crate::ingest::parquet::column_type::ColumnType;
use crate::model::judgement::Judgement;

/// The sums of the contributions over the rows so far. The importance of a column is its mean absolute
/// contribution, as SHAP's global importance is the mean absolute SHAP value (Lundberg and others, 2020). A
/// contribution is a share, so that its mean over the rows is a share, too.
#[derive(Debug)]
pub(super) struct Importances {
    columns: Vec<String>,
    all: Mean,
    anomalies: Mean,
}

#[derive(Debug)]
struct Mean {
    sums: Vec<f64>,
    rows: usize,
}

/// The importance of a column.
struct Importance<'a> {
    column: &'a str,
    all: f64,
    /// The importance over the anomalous rows; `None` where no row is anomalous.
    anomalies: Option<f64>,
}

impl Mean {
    fn add(&mut self, contributions: &[f64]) {
        self.rows += 1;
        self.sums.iter_mut().zip(contributions).for_each(|(sum, share)| *sum += share);
    }

    fn of(&self, column: usize) -> Option<f64> {
        (self.rows > 0).then(|| self.sums[column] / self.rows as f64)
    }
}

impl Importances {
    /// The sums for these columns, over no rows yet.
    pub(super) fn new(columns: &[String]) -> Self {
        let none = || Mean { sums: vec![0.0; columns.len()], rows: 0 };
        Self { columns: columns.to_vec(), all: none(), anomalies: none() }
    }

    /// Add the contributions of a row.
    pub(super) fn add(&mut self, judgement: &Judgement) {
        self.all.add(&judgement.contributions);
        if judgement.anomalous {
            self.anomalies.add(&judgement.contributions);
        }
    }

    /// Whether no row was added.
    pub(super) fn is_empty(&self) -> bool {
        self.all.rows == 0
    }

    /// The importances, the highest first; equal ones in the order of the columns.
    fn sorted<'a>(&'a self) -> Vec<Importance<'a>> {
        let importance = |(at, column): (usize, &'a String)| {
            let all = self.all.of(at)?;
            Some(Importance { column, all, anomalies: self.anomalies.of(at) })
        };
        let mut sorted: Vec<Importance> = self.columns.iter().enumerate().filter_map(importance).collect();
        sorted.sort_by(|a, b| b.all.total_cmp(&a.all));
        sorted
    }

    /// Write a row for each column.
    ///
    /// # Errors
    /// They cannot be written.
    pub(super) fn write(&self, format: RowFormat, output: impl Write + Send) -> io::Result<()> {
        let header = [
            Column::new("column", ColumnType::Text),
            Column::new("importance", ColumnType::Real),
            Column::new("importance_anomalies", ColumnType::Real),
        ];
        let header = header.to_vec();
        let mut writer = RowWriter::new(format, header, output)?;
        for Importance { column, all, anomalies } in self.sorted() {
            let anomalies = anomalies.map_or(Cell::Missing, Cell::Number);
            writer.write(&[Cell::Word(column.to_owned()), Cell::Number(all), anomalies])?;
        }
        writer.finish()
    }
}

impl fmt::Display for Importances {
    /// A table for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = self.columns.iter().map(|column| column.chars().count()).max().unwrap_or_default();
        let width = widest.max("column".len());
        writeln!(f, "{:<width$}  importance  of anomalies", "column")?;
        for Importance { column, all, anomalies } in self.sorted() {
            let anomalies = anomalies.map_or("n/a".to_owned(), |share| format!("{share:.3}"));
            writeln!(f, "{column:<width$}  {all:>10.3}  {anomalies:>12}")?;
        }
        write!(
            f,
            "\nmean contributions over {} rows, {} of them anomalous",
            self.all.rows, self.anomalies.rows
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn importances(rows: &[([f64; 2], bool)]) -> Importances {
        let mut importances = Importances::new(&["heat".to_owned(), "flow".to_owned()]);
        for (contributions, anomalous) in rows {
            importances.add(&Judgement {
                score: 0.5,
                severity: 1.0,
                anomalous: *anomalous,
                contributions: contributions.to_vec(),
                reasons: Vec::new(),
                model: "sha256:1".into(),
            });
        }
        importances
    }

    #[test]
    fn they_are_mean_contributions_and_the_greatest_comes_first() {
        let importances = importances(&[([0.5, 0.5], false), ([0.25, 0.75], false), ([0.0, 1.0], true)]);
        insta::assert_snapshot!(importances.to_string(), @r"
        column  importance  of anomalies
        flow         0.750         1.000
        heat         0.250         0.000

        mean contributions over 3 rows, 1 of them anomalous
        ");
        let mut text = Vec::new();
        importances.write(RowFormat::Csv, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text, "column,importance,importance_anomalies\nflow,0.75,1\nheat,0.25,0\n");
    }

    #[test]
    fn without_anomalies_theirs_are_unknown() {
        let importances = importances(&[([0.5, 0.5], false)]);
        assert!(importances.to_string().contains("heat         0.500           n/a"), "{importances}");
        let mut text = Vec::new();
        importances.write(RowFormat::Ndjson, &mut text).unwrap();
        let first = "{\"column\":\"heat\",\"importance\":0.5,\"importance_anomalies\":null}\n";
        assert!(String::from_utf8(text).unwrap().starts_with(first));
    }
}
