//! Verdicts in, the rows of a CSV file out: time, every sensor, score, severity, anomaly, the top contributor, truth.

use std::fs::File;
use std::io;
use std::path::Path;

use crd::Valid;

use crate::scoring::verdict::Verdict;

/// The columns after the sensors. `feature`, `direction` and the expected range belong to the sensor that
/// contributed most.
const COLUMNS: [&str; 9] = [
    "score",
    "severity",
    "anomaly",
    "sensor",
    "feature",
    "direction",
    "expected_low",
    "expected_high",
    "truth",
];

/// The file that `--output` names. Numbers are written so that they read back as the same number.
pub struct Output {
    writer: csv::Writer<File>,
    sensors: Vec<String>,
}

impl Output {
    /// Create the file, or empty it, and write the header.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn create(path: &Path, detector: &Valid) -> io::Result<Self> {
        let sensors: Vec<String> = detector.sensors().map(|sensor| sensor.name.to_owned()).collect();
        let mut writer = csv::Writer::from_writer(File::create(path)?);
        let columns = sensors.iter().map(String::as_str);
        let header = ["time"].into_iter().chain(columns).chain(COLUMNS);
        writer.write_record(header)?;
        Ok(Self { writer, sensors })
    }

    /// Write the row of a verdict.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self, verdict: &Verdict) -> io::Result<()> {
        let judgement = &verdict.judgement;
        let mut row = vec![verdict.time.to_string()];
        row.extend(verdict.values.iter().map(|value| value.map_or(String::new(), |value| value.to_string())));
        row.push(judgement.score.to_string());
        row.push(judgement.severity.to_string());
        row.push(u8::from(judgement.anomalous).to_string());
        row.push(judgement.top_contributor().map_or(String::new(), |sensor| self.sensors[sensor].clone()));
        row.extend(reason(verdict));
        row.push(
            verdict.truth.as_ref().map_or(String::new(), |faults| u8::from(!faults.is_empty()).to_string()),
        );
        Ok(self.writer.write_record(&row)?)
    }

    /// Flush all rows to the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Feature, direction and expected range of the top contributor, in the sensor's unit; empty where they are not known.
fn reason(verdict: &Verdict) -> [String; 4] {
    let judgement = &verdict.judgement;
    let Some(reason) = judgement.top_contributor().and_then(|sensor| judgement.reasons.get(sensor)) else {
        return Default::default();
    };
    let [low, high] =
        reason.expected.map_or_else(Default::default, |range: [f64; 2]| range.map(|end| end.to_string()));
    [format!("{:?}", reason.feature), format!("{:?}", reason.direction), low, high]
}
