//! What operator and detector agree on besides the spec: file names, ports, labels, and the report of a
//! running detector.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::status::{AlarmRate, Origin};

/// Where the operator mounts the manifest in the detector's pod.
pub const CONFIG_DIRECTORY: &str = "/etc/anomaly-detector";
/// The manifest's file name in that directory and key in the ConfigMap.
pub const CONFIG_FILE: &str = "detector.yaml";
/// Where the operator mounts the model that it has stored for a detector.
pub const MODEL_DIRECTORY: &str = "/etc/anomaly-detector-model";
/// The model's file name in that directory and key in the ConfigMaps.
pub const MODEL_FILE: &str = "model";
/// Where a pod keeps the state that must survive a restart of its container.
pub const STATE_DIRECTORY: &str = "/var/lib/anomaly-detector";
/// Where the ConfigMap or the claim of `model.load` is mounted.
pub const LOAD_DIRECTORY: &str = "/etc/anomaly-detector-load";
/// Where the Secret of `model.load.credentialsSecretRef` is mounted.
pub const CREDENTIALS_DIRECTORY: &str = "/etc/anomaly-detector-credentials";
/// Where the Secrets of sources are mounted, each in a folder with the source's name.
pub const SOURCE_CREDENTIALS_DIRECTORY: &str = "/etc/anomaly-detector-sources";
/// Where the signing keys of `notifications` are mounted, each as a file with the notification's name.
pub const SIGNING_DIRECTORY: &str = "/etc/anomaly-detector-signing";
/// Where the certificates of `pod.caBundle` are mounted.
pub const CA_DIRECTORY: &str = "/etc/anomaly-detector-ca";
/// The file with the certificates in that directory.
pub const CA_FILE: &str = "ca.crt";
/// Where the Secret of `serving.tls` is mounted.
pub const TLS_DIRECTORY: &str = "/etc/anomaly-detector-tls";
/// The certificate chain in that directory.
pub const TLS_CERTIFICATE_FILE: &str = "tls.crt";
/// The private key of that certificate, in the same directory.
pub const TLS_KEY_FILE: &str = "tls.key";
/// Where the authorities of `serving.tls.clientCA` are mounted; the file's name there is [`CA_FILE`].
pub const CLIENT_CA_DIRECTORY: &str = "/etc/anomaly-detector-client-ca";
/// Where the tokens of `serving.authentication` are mounted.
pub const TOKENS_DIRECTORY: &str = "/etc/anomaly-detector-tokens";
/// The file with the tokens in that directory, one a line.
pub const TOKENS_FILE: &str = "tokens";
/// Where csv sources find their files in a pod: a mount of `pod.volumeMounts`. They read nothing outside of it.
pub const DATA_DIRECTORY: &str = "/data";
/// The annotation that requests a retraining: each new value starts one.
pub const RETRAIN_ANNOTATION: &str = "anomaly.dev/retrain";
/// The largest artifact that the operator stores, in bytes: the API server accepts ConfigMaps of up to 1 MiB,
/// counted without base64.
pub const MAX_STORED_BYTES: usize = 900 * 1024;
/// The file with the time at which the training of the model ended, RFC 3339, beside the model in its
/// directory; and the key of this time in the pointer ConfigMap.
pub const TRAINED_AT_FILE: &str = "trained-at";
/// The key of an artifact's metadata in its safetensors header.
pub const ARTIFACT_METADATA: &str = "anomaly.dev/forest";
/// The port of predictions: `POST /predict` and the other routes of `serving/api`.
pub const PREDICT_PORT: u16 = 8080;
/// The port of `/metrics`, `/livez`, `/readyz`, `/startupz`, `/model` and `/status`. It is not the port of
/// predictions, so that probes and predictions do not wait for each other.
pub const METRICS_PORT: u16 = 8000;
/// The name of the predict port.
pub const PREDICT_PORT_NAME: &str = "http";
/// The name of the metrics port.
pub const METRICS_PORT_NAME: &str = "metrics";
/// The server-side apply field manager and the `app.kubernetes.io/managed-by` label.
pub const FIELD_MANAGER: &str = "anomaly-operator";
/// The `app.kubernetes.io/name` label of everything that belongs to a detector.
pub const DETECTOR_LABEL: &str = "anomaly-detector";

/// The report of a detector at `GET :8000/status`. The operator turns it into conditions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The detector's name.
    pub detector: String,
    /// The version of the detector's program.
    pub version: String,
    /// The phase: gathering samples, training failed, or serving.
    pub phase: Phase,
    /// The model that serves, once there is one.
    pub model: Option<ModelReport>,
    /// One entry per source, in the spec's order.
    pub sources: Vec<SourceReport>,
    /// How many trainings this process has finished.
    #[serde(default)]
    pub trainings: u64,
    /// Why the requested model (loaded, stored or pinned) does not serve; the previous model keeps serving.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Rejected>,
    /// The rate of alarms compared with the rate that the threshold promises; none where it promises none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm_rate: Option<AlarmRate>,
    /// The newest events, newest first, at most [`REPORTED_EVENTS`] of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub newest_events: Vec<EventReport>,
    /// The newest faults of sensors, newest first, at most [`REPORTED_EVENTS`] of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub newest_sensor_events: Vec<SensorEventReport>,
}

impl Report {
    /// Shorten the report so that the operator can read it, however large the detector: keep the sensors that
    /// contributed most to each event, and the beginning of each sentence. `GET :8080/events` has the full
    /// events.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        for event in &mut self.newest_events {
            event.sensors.truncate(REPORTED_SENSORS);
        }
        self.newest_sensor_events.iter_mut().for_each(|event| shorten(&mut event.message));
        self.sources.iter_mut().for_each(|source| shorten(&mut source.message));
        if let Some(model) = &mut self.model {
            model.warnings.iter_mut().for_each(shorten);
        }
        if let Some(rejected) = &mut self.rejected {
            shorten(&mut rejected.message);
        }
        if let Phase::TrainingFailed { message } = &mut self.phase {
            shorten(message);
        }
        self
    }
}

fn shorten(sentence: &mut String) {
    if let Some((end, _)) = sentence.char_indices().nth(REPORTED_LETTERS) {
        sentence.truncate(end);
        sentence.push('…');
    }
}

/// The most sensors of an event that a report holds.
pub const REPORTED_SENSORS: usize = 10;
/// The most characters of a sentence that a report holds.
pub const REPORTED_LETTERS: usize = 500;
/// The most events that a report holds.
pub const REPORTED_EVENTS: usize = 10;

/// An event: anomalous verdicts without a normal one between them, as in `GET :8080/events`, notifications
/// and the report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventReport {
    /// The first anomalous instant.
    pub start: Timestamp,
    /// The first normal instant after it; none while the event goes on.
    pub end: Option<Timestamp>,
    /// The seconds from the start to the end, or to the newest anomalous instant while the event goes on.
    pub duration_seconds: f64,
    /// The most anomalous instant; the first one where several are equal.
    pub peak: Peak,
    /// How many verdicts were anomalous.
    pub verdicts: u64,
    /// Whether the event raised an alarm, or why not. While the event goes on, this is the outcome so far.
    pub outcome: EventOutcome,
    /// The reason of the mute window that suppressed the alarm, as the spec has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the event raised its alarm; none where it raised none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarmed_at: Option<Timestamp>,
    /// The sensors by their mean contribution, greatest first.
    pub sensors: Vec<SensorShare>,
}

/// A fault of a sensor: readings outside of the limits that the spec sets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SensorEventReport {
    /// `sensor`: distinguishes the events of sensors from those of the process.
    pub kind: String,
    /// The sensor's name.
    pub sensor: String,
    /// `out_of_range`, `too_fast` or `stuck`.
    pub fault: String,
    /// The first instant with the fault.
    pub start: Timestamp,
    /// The first good reading after it; none while the fault goes on.
    pub end: Option<Timestamp>,
    /// One sentence: the sensor, the rule and the value at the start.
    pub message: String,
}

/// The most anomalous instant of an event.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Peak {
    /// The time of the instant.
    pub time: Timestamp,
    /// The severity, over 1 and at most 2.
    pub severity: f64,
}

/// The contribution of a sensor to an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SensorShare {
    /// The sensor's name.
    pub name: String,
    /// The share, 0 to 1; the shares of all sensors add up to 1.
    pub share: f64,
}

/// The outcome of an event. Where its verdicts have different outcomes, the last of these variants counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventOutcome {
    /// No alarm: it did not last for `alarm.minimumDuration`.
    TooShort,
    /// No alarm: a verdict within `alarm.lookback` before it was as anomalous or more, or earlier alarms have raised the bar
    /// over it (`alarm.habituation`).
    NoPeak,
    /// No alarm: the previous event with an alarm ended less than `alarm.coolDown` ago.
    CoolingDown,
    /// No alarm: it was in one of the `muteWindows`.
    Muted,
    /// It raised an alarm.
    Alarmed,
}

impl EventOutcome {
    /// All outcomes.
    pub const ALL: [Self; 5] = [Self::TooShort, Self::NoPeak, Self::CoolingDown, Self::Muted, Self::Alarmed];

    /// The value of the `outcome` label.
    pub fn label(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::NoPeak => "no_peak",
            Self::CoolingDown => "cooling_down",
            Self::Muted => "muted",
            Self::Alarmed => "alarmed",
        }
    }
}

/// Why the requested model does not serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejected {
    /// The reason, for programs.
    pub reason: crate::status::Reason,
    /// One sentence.
    pub message: String,
}

/// The phase that a detector is in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "name")]
pub enum Phase {
    /// Gathering samples to train on.
    #[serde(rename_all = "camelCase")]
    WarmingUp {
        /// The number of samples gathered.
        have: usize,
        /// The number of samples needed.
        need: usize,
        /// The estimated seconds until the last sample has arrived, at one sample per interval. Set only
        /// where samples are live readings, because not every source has a history.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds_left: Option<u64>,
    },
    /// Training failed or could not start; it is retried.
    TrainingFailed {
        /// One sentence.
        message: String,
    },
    /// A model serves.
    Serving,
}

/// The model that serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelReport {
    /// The digest: `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// When its training ended, where that is known. The artifact does not contain this time, so that it
    /// depends on its data alone. The operator keeps it in the annotation `anomaly.dev/trained-at` of the
    /// model's ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_at: Option<Timestamp>,
    /// The time of the newest reading that it has learned from.
    pub data_end_time: Timestamp,
    /// The number of samples that it has learned from.
    pub samples: usize,
    /// The threshold: a score over it is anomalous.
    pub threshold: f64,
    /// Where the model came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The digest of the recipe that it was trained by, see [`crate::Valid::recipe_digest`]; none where it
    /// was loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// The names of its columns, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The size of the artifact, in bytes.
    #[serde(default)]
    pub bytes: usize,
    /// The number of anomalous verdicts a day to expect on readings like the training readings, estimated
    /// from these. Events and alarms are at most as many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_alerts_per_day: Option<f64>,
    /// Reasons why its verdicts may not be reliable, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A source's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceReport {
    /// Its name in the spec.
    pub name: String,
    /// Whether it gives readings.
    pub connected: bool,
    /// Why the source gives no readings, in one sentence. While it gives readings: the last reading that was
    /// refused in the last five minutes, else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_report_is_a_quarter_of_what_the_operator_reads() {
        let name = "s".repeat(63);
        let sensors = vec![SensorShare { name: name.clone(), share: 0.1 + 0.2 }; 2048];
        let event = EventReport {
            start: Timestamp::UNIX_EPOCH,
            end: Some(Timestamp::UNIX_EPOCH),
            duration_seconds: 1.0,
            peak: Peak { time: Timestamp::UNIX_EPOCH, severity: 1.5 },
            verdicts: 1,
            outcome: EventOutcome::Muted,
            reason: Some("r".repeat(128)),
            alarmed_at: None,
            sensors,
        };
        let sentence = "größer ".repeat(10_000);
        let source = SourceReport { name: name.clone(), connected: false, message: sentence.clone() };
        let model = ModelReport {
            digest: "sha256:".to_owned() + &"0".repeat(64),
            trained_at: None,
            data_end_time: Timestamp::UNIX_EPOCH,
            samples: 1_000_000,
            threshold: 0.1 + 0.2,
            origin: None,
            recipe: None,
            columns: vec![name.clone(); 2048],
            bytes: 1 << 28,
            expected_alerts_per_day: None,
            warnings: vec![sentence.clone(); 8],
        };
        let report = Report {
            detector: name,
            version: "0.1.0".to_owned(),
            phase: Phase::TrainingFailed { message: sentence.clone() },
            model: Some(model),
            sources: vec![source; 16],
            trainings: 1,
            rejected: Some(Rejected { reason: crate::status::Reason::LoadFailed, message: sentence }),
            alarm_rate: None,
            newest_events: vec![event; REPORTED_EVENTS],
            newest_sensor_events: Vec::new(),
        };
        let bytes = serde_json::to_vec(&report.bounded()).unwrap().len();
        assert!(bytes < 256 * 1024, "{bytes}");
    }
}
