//! One instant after another in; what was judged of each, and what was really so, out.

use jiff::Timestamp;

use crate::ingest::reading::ActiveFault;

/// One instant, or one row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Instant {
    /// When; of rows without times, a second apart from 1970 on.
    pub time: Timestamp,
    /// None where there was no verdict: a reading was missing, or the past too short.
    pub verdict: Option<Judged>,
    /// The faults that were active: empty where all was normal.
    pub truth: Vec<ActiveFault>,
}

/// What was judged of an instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// Over 0, at most 1.
    pub score: f64,
    /// Whether it was over the threshold.
    pub anomalous: bool,
    /// Whether an alarm was raised, or went on.
    pub alarmed: bool,
}

impl Instant {
    /// Whether a fault was active.
    pub fn is_labelled(&self) -> bool {
        !self.truth.is_empty()
    }

    /// The score and whether it is labelled; none without a verdict.
    pub fn scored(&self) -> Option<(f64, bool)> {
        self.verdict.map(|verdict| (verdict.score, self.is_labelled()))
    }
}

/// What a threshold promises of ordinary readings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Promised {
    /// So many events a day.
    EventsPerDay(f64),
    /// This share of the readings.
    Share(f64),
}

/// What was judged, and what figures need to know of it.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// In the order of time.
    pub instants: Vec<Instant>,
    /// Whether neighbours depend on each other: then blocks of them are drawn, else single rows.
    pub is_series: bool,
    /// Whether the times are those of the data: then delays are in seconds, else in rows.
    pub has_times: bool,
    /// What the threshold promises of ordinary readings, where it promises anything.
    pub promised: Option<Promised>,
    /// The threshold, where one held for all instants.
    pub threshold: Option<f64>,
}

impl Judged {
    /// Of a row of a table. Rows have no rule that makes alarms: each event is one.
    pub fn of_row(score: f64, threshold: f64) -> Self {
        let anomalous = score > threshold;
        Self { score, anomalous, alarmed: anomalous }
    }
}

impl Evaluated {
    /// The rows of a table with their labels, and their times where they are known. Labelled rows that follow each other are one
    /// fault.
    pub fn of_rows(
        scores: &[Option<f64>],
        labels: &[bool],
        times: Option<&[Timestamp]>,
        threshold: f64,
    ) -> Self {
        // Rows without times are as far apart as their delays are counted in.
        let by_row = |row: usize| {
            Timestamp::from_second(i64::try_from(row).unwrap_or(i64::MAX)).unwrap_or(Timestamp::MAX)
        };
        let mut start = None;
        let instant = |(row, (score, label)): (usize, (&Option<f64>, &bool))| {
            let time = times.map_or_else(|| by_row(row), |times| times[row]);
            start = label.then(|| start.unwrap_or(time));
            let truth = start.map(|start| ActiveFault { sensor: None, type_: None, start });
            let verdict = score.map(|score| Judged::of_row(score, threshold));
            Instant { time, verdict, truth: truth.into_iter().collect() }
        };
        let instants = scores.iter().zip(labels).enumerate().map(instant).collect();
        let is_series = times.is_some();
        Self { instants, is_series, has_times: is_series, promised: None, threshold: Some(threshold) }
    }

    /// Check that there is something to compare: instants with a verdict that are labelled, and others.
    ///
    /// # Errors
    /// There is one kind only: the sentence, without the file.
    pub fn check(&self) -> Result<(), String> {
        let kinds = self.instants.iter().filter_map(Instant::scored);
        let (mut labelled, mut ordinary) = (0_usize, 0_usize);
        kinds.for_each(|(_, is_labelled)| if is_labelled { labelled += 1 } else { ordinary += 1 });
        match (labelled, ordinary) {
            (0, 0) => Err("expected rows with a verdict, got none".to_owned()),
            (0, all) => Err(format!("expected labels of both classes, got 0 (normal) in all of {all} rows")),
            (all, 0) => {
                Err(format!("expected labels of both classes, got 1 (anomalous) in all of {all} rows"))
            }
            _ => Ok(()),
        }
    }

    /// The earlier instants and the later ones.
    #[must_use]
    pub fn halves(mut self) -> (Self, Self) {
        let later = self.instants.split_off(self.instants.len() / 2);
        let Self { is_series, has_times, promised, threshold, .. } = self;
        (self, Self { instants: later, is_series, has_times, promised, threshold })
    }

    /// How many seconds the instants take, the last one's own included.
    pub fn seconds(&self) -> f64 {
        let (Some(first), Some(last)) = (self.instants.first(), self.instants.last()) else { return 0.0 };
        let between = last.time.duration_since(first.time).as_secs_f64();
        let count = self.instants.len() as f64;
        if count < 2.0 { 0.0 } else { between * count / (count - 1.0) }
    }
}
