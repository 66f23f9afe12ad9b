//! Figures with their intervals in, a table for people or JSON for programs out.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::cli::figures::blocks::{COUNT, NAMES, is_delay};
use crate::cli::figures::bootstrap::{DRAWS, Estimate, Estimates, LEVEL};
use crate::cli::figures::instants::Evaluated;
use crate::report::page::Figures;

/// With fewer faults than this, the result has a warning: the intervals are too narrow.
const FEW_FAULTS: usize = 10;

/// How a threshold was chosen.
pub(super) struct Chosen {
    /// The goal that it meets.
    pub(super) goal: String,
    /// The number of rows on which it was chosen.
    pub(super) rows: usize,
}

/// The result of an evaluation, for printing.
pub(super) struct Printed<'a> {
    /// The name of the file.
    pub(super) name: &'a str,
    pub(super) evaluated: &'a Evaluated,
    pub(super) chosen: Option<Chosen>,
    pub(super) estimates: &'a Estimates,
}

impl Printed<'_> {
    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let faults = self.estimates.blocks.counts.faults;
        if faults < FEW_FAULTS {
            warnings.push(format!(
                "{faults} labelled spans are few: the intervals of fewer than {FEW_FAULTS} are too narrow"
            ));
        }
        warnings
    }

    fn unit(&self) -> &'static str {
        if self.evaluated.has_times { "s" } else { "rows" }
    }

    /// The result as JSON.
    pub(super) fn json(&self) -> String {
        let known = |at: usize| self.estimates.each[at].map(|estimate| (at, estimate));
        let figures: Map<String, Value> = (0..COUNT)
            .filter_map(known)
            .map(|(at, Estimate { value, interval })| {
                let [low, high] = interval.map_or([None; 2], |ends| ends.map(Some));
                (NAMES[at].0.to_owned(), json!({ "value": value, "low": low, "high": high }))
            })
            .collect();
        let chosen = self.chosen.as_ref();
        let chosen = chosen.map(|chosen| json!({ "goal": chosen.goal, "rows": chosen.rows }));
        let result = json!({
            "file": self.name,
            "counts": self.estimates.blocks.counts,
            "threshold": self.evaluated.threshold,
            "chosen": chosen,
            "figures": figures,
            "delayUnit": if self.evaluated.has_times { "seconds" } else { "rows" },
            "bootstrap": { "draws": DRAWS, "level": LEVEL, "rowsPerBlock": self.estimates.block, "isSeries": self.evaluated.is_series },
            "warnings": self.warnings(),
        });
        serde_json::to_string_pretty(&result).expect("numbers and strings are JSON")
    }

    /// Name, value and interval of each figure that is known.
    fn lines(&self) -> Vec<[String; 3]> {
        (0..COUNT).filter_map(|at| self.line(at)).collect()
    }

    fn line(&self, at: usize) -> Option<[String; 3]> {
        let Estimate { value, interval } = self.estimates.each[at]?;
        let shown = |value: f64| match NAMES[at].0 {
            _ if is_delay(at) => format!("{value:.0} {}", self.unit()),
            "nab" => format!("{value:.1}"),
            "alertRateRatio" => format!("{value:.2}"),
            _ => format!("{value:.3}"),
        };
        let ends = |[low, high]: [f64; 2]| format!("{} to {}", shown(low), shown(high));
        Some([NAMES[at].1.to_owned(), shown(value), interval.map_or("unknown".to_owned(), ends)])
    }

    fn method(&self) -> String {
        let drawn = match (self.evaluated.is_series, self.estimates.block) {
            (true, block) => format!("blocks of {block} rows"),
            (false, 1) => "rows".to_owned(),
            (false, block) => format!("groups of {block} rows"),
        };
        format!("intervals: bootstrap, {DRAWS} draws of {drawn}")
    }

    /// The figures as a report shows them.
    pub(super) fn figures(&self) -> Figures {
        let chosen = self.chosen.iter().map(|Chosen { goal, rows }| {
            format!("the threshold was chosen for {goal} on the {rows} rows before these")
        });
        let method: Vec<String> = chosen.chain([self.method()]).chain(self.warnings()).collect();
        Figures { lines: self.lines(), method: method.join("; ") }
    }
}

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.estimates.blocks.counts;
        writeln!(f, "{}: {} rows, {} with a verdict", self.name, counts.rows, counts.verdicts)?;
        writeln!(f, "truth: {} rows in {} labelled spans", counts.labelled, counts.faults)?;
        writeln!(
            f,
            "found: {} anomalous rows in {} events, {} alarms",
            counts.anomalous, counts.events, counts.alarms
        )?;
        match (self.evaluated.threshold, &self.chosen) {
            (Some(threshold), None) => writeln!(f, "threshold: {threshold:.4}")?,
            (Some(threshold), Some(chosen)) => writeln!(
                f,
                "threshold: {threshold} for {}, chosen on {} rows before these; in a manifest: threshold: {{score: {threshold}}}",
                chosen.goal, chosen.rows
            )?,
            (None, _) => writeln!(f, "threshold: follows the scores")?,
        }
        writeln!(f, "\n{:<21} {:>9}   95 % interval", "figure", "value")?;
        for [name, value, interval] in self.lines() {
            writeln!(f, "{name:<21} {value:>9}   {interval}")?;
        }
        write!(f, "\n{}", self.method())?;
        self.warnings().iter().try_for_each(|warning| write!(f, "\nwarning: {warning}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::figures::instants::Promised;
    use crate::cli::figures::spans::tests::series;

    #[test]
    fn the_table_is_for_people_and_the_json_for_programs() {
        let (verdicts, truth) = ("..x!....x...".repeat(60), "..FF........".repeat(60));
        let evaluated = Evaluated { promised: Some(Promised::Share(0.1)), ..series(&verdicts, &truth) };
        let estimates = Estimates::new(&evaluated);
        let printed =
            Printed { name: "pump.yaml", evaluated: &evaluated, chosen: None, estimates: &estimates };
        insta::assert_snapshot!("table", printed.to_string());
        insta::assert_snapshot!("json", printed.json());
    }

    #[test]
    fn a_few_faults_are_warned_of_and_what_is_unknown_is_left_out() {
        let evaluated = Evaluated { has_times: false, ..series(&".".repeat(40), &"F".repeat(2).repeat(20)) };
        let estimates = Estimates::new(&evaluated);
        let chosen = Some(Chosen { goal: "f1".to_owned(), rows: 40 });
        let printed =
            Printed { name: "a.csv", evaluated: &evaluated, chosen, estimates: &estimates }.to_string();
        assert!(printed.contains("warning: 1 labelled spans are few"), "{printed}");
        assert!(
            !printed.contains("delay") && printed.contains("threshold: 0.6 for f1, chosen on 40 rows"),
            "{printed}"
        );
    }
}
