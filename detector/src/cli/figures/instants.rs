//! Verdicts and the faults that were active in; the judged instants that figures are computed from out.

use jiff::Timestamp;

use crate::ingest::reading::ActiveFault;

/// One instant, or one row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Instant {
    /// The time of the instant. Rows without times are a second apart, from 1970 on.
    pub time: Timestamp,
    /// The verdict; `None` where a reading was missing, or the past was too short.
    pub verdict: Option<Judged>,
    /// The faults that were active: empty where all was normal.
    pub truth: Vec<ActiveFault>,
}

/// The verdict on an instant, as far as figures need it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// The score, over 0 and at most 1.
    pub score: f64,
    /// Whether the score was over the threshold.
    pub anomalous: bool,
    /// Whether an alarm was raised, or was ongoing.
    pub alarmed: bool,
}

impl Instant {
    /// Whether a fault was active.
    pub fn is_labelled(&self) -> bool {
        !self.truth.is_empty()
    }

    /// The score, and whether a fault was active; `None` without a verdict.
    pub fn scored(&self) -> Option<(f64, bool)> {
        self.verdict.map(|verdict| (verdict.score, self.is_labelled()))
    }
}

/// The alert rate that a threshold promises for ordinary readings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Promised {
    /// This many events a day.
    EventsPerDay(f64),
    /// This share of the readings is anomalous.
    Share(f64),
}

/// The judged instants, and the properties of them that figures depend on.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// The instants, in the order of time.
    pub instants: Vec<Instant>,
    /// Whether neighbours depend on each other: the bootstrap then draws blocks of instants, else single
    /// rows.
    pub is_series: bool,
    /// Whether the times are those of the data: then delays are in seconds, else in rows.
    pub has_times: bool,
    /// The alert rate that the threshold promises for ordinary readings, where it promises one.
    pub promised: Option<Promised>,
    /// The threshold, where it was the same for all instants.
    pub threshold: Option<f64>,
}

impl Judged {
    /// The verdict on a row of a table. Tables have no alarm rule: each event raises an alarm.
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
        // Rows without times are one second apart, so that a delay in seconds is one in rows.
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

    /// Check that the figures can be computed: some instants with a verdict are labelled, and some are not.
    ///
    /// # Errors
    /// One of the two kinds is missing: a sentence, without the name of the file.
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

    /// Split the instants into the earlier half and the later half.
    #[must_use]
    pub fn halves(mut self) -> (Self, Self) {
        let later = self.instants.split_off(self.instants.len() / 2);
        let Self { is_series, has_times, promised, threshold, .. } = self;
        (self, Self { instants: later, is_series, has_times, promised, threshold })
    }

    /// The duration of all instants in seconds, including the interval of the last one.
    pub fn seconds(&self) -> f64 {
        let (Some(first), Some(last)) = (self.instants.first(), self.instants.last()) else { return 0.0 };
        let between = last.time.duration_since(first.time).as_secs_f64();
        let count = self.instants.len() as f64;
        if count < 2.0 { 0.0 } else { between * count / (count - 1.0) }
    }
}
