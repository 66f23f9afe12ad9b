//! The rows that were scored in, the page of `--report` out.

use super::args::ScoreArgs;
use crate::ingest::table::Table;
use crate::model::judge::Explain;
use crate::model::judgement::Judgement;
use crate::report::model_card;
use crate::report::page::Report;
use crate::report::recording::Recording;
use crate::scoring::table_scorer::TableScorer;

/// The rows that a report shows.
#[derive(Default)]
pub(super) struct ReportRows {
    pub(super) cells: Vec<f64>,
    pub(super) judgements: Vec<Option<Judgement>>,
}

impl ReportRows {
    /// The page of the report as HTML.
    pub(super) fn page(
        &self,
        args: &ScoreArgs,
        scorer: &TableScorer,
        table: &mut Table,
        columns: &[String],
    ) -> String {
        // Where the column of times is invalid, the report shows rows by their number.
        let times = table.times().ok().flatten();
        let labels = table.labels();
        let recording = Recording::of_table(
            columns,
            &self.cells,
            &self.judgements,
            times.as_deref(),
            &labels,
            Explain::Anomalies,
        );
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
