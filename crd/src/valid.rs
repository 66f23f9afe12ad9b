//! An AnomalyDetector in, a [`Valid`] one out: the spec after every rule has been checked, with its
//! exactly-one-of groups as enums.

use kube::ResourceExt;
use serde_json::json;
use thiserror::Error;

use crate::adaptation::AdaptationPolicy;
use crate::digest;
use crate::load::Load;
use crate::missing::MissingPolicy;
use crate::model;
use crate::rules::{Violation, spec_violations};
use crate::source::{Limits, Sensor, SourceKind};
use crate::threshold::Threshold;
use crate::training::Training;
use crate::{AnomalyDetector, AnomalyDetectorSpec, Duration};

/// A detector whose spec keeps every rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Valid {
    detector: AnomalyDetector,
    sources: Vec<ValidSource>,
    model: ModelKind,
    retrain: Option<Retrain>,
    missing: Missing,
    threshold_rule: ThresholdRule,
}

/// Where the model comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelKind {
    /// The model is trained.
    Train(Training),
    /// The model is loaded.
    Load(Load),
}

/// A source and its one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidSource {
    /// Its name.
    pub name: String,
    /// Its kind, with the fields of the kind.
    pub kind: SourceKind,
    /// For how long a sensor's last reading is used; an older one counts as missing.
    pub staleness: Duration,
    /// How long a verdict waits for late readings.
    pub lateness: Duration,
}

/// When a model is retrained.
#[derive(Clone, Debug, PartialEq)]
pub enum Retrain {
    /// At this interval.
    Interval(Duration),
    /// At these times.
    Schedule {
        /// Five fields of cron.
        schedule: String,
        /// A name of the IANA database; none: UTC.
        time_zone: Option<String>,
    },
}

/// What to do when a sensor gave no reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No verdict for that instant.
    Skip,
    /// The previous reading is used, while it is not older than this; then as Skip.
    Previous {
        /// The greatest age of the previous reading.
        max_staleness: Duration,
    },
    /// The forest judges the sensors that gave a reading.
    Impute,
    /// The verdict is anomalous.
    Anomaly,
}

/// Whether the detector follows slow change of its sensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adaptation {
    /// Slow change is followed.
    Follow {
        /// Changes slower than this are followed; none: the default time scale.
        time_scale: Option<Duration>,
    },
    /// Slow change is not followed: levels and threshold stay as they were trained.
    Fixed,
}

/// How the threshold is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ThresholdRule {
    /// The share of the training readings to call anomalous, in (0, 0.5].
    Contamination(f64),
    /// A fixed score in (0, 1).
    Score(f64),
    /// The number of alerts a day that ordinary readings may cause.
    AlertsPerDay {
        /// The number of alerts a day, over 0.
        alerts: f64,
        /// The largest share of the readings that these alerts may be. It matters where readings are few,
        /// such as one a day.
        max_share: f64,
    },
}

/// A sensor of a valid detector, and the source that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SensorRef<'a> {
    /// The source that it belongs to.
    pub source: &'a str,
    /// Its name, unique over all sources.
    pub name: &'a str,
    /// Its unit, if one was given.
    pub unit: Option<&'a str>,
    /// The limits of the sensor's values.
    pub limits: Limits,
}

/// All the rules that a detector breaks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", .0.iter().map(Violation::to_string).collect::<Vec<_>>().join("; "))]
pub struct Invalid(pub Vec<Violation>);

impl Valid {
    /// Check every rule that the CRD's schema cannot express. The schema's own rules must have been checked
    /// before, by the API server or by [`crate::manifest`].
    ///
    /// # Errors
    /// All the rules that the detector breaks.
    pub fn new(detector: AnomalyDetector) -> Result<Self, Invalid> {
        let violations = spec_violations(&detector.spec);
        if !violations.is_empty() {
            return Err(Invalid(violations));
        }
        let sources = detector.spec.sources.iter().map(|source| ValidSource {
            name: source.name.clone(),
            kind: source.kinds().pop().expect("a rule of the spec: exactly one kind is set"),
            staleness: source.staleness.unwrap_or_else(|| detector.spec.interval.times(5)),
            lateness: source.lateness.unwrap_or_else(|| Duration::from_secs(0)),
        });
        let model = match (&detector.spec.model.train, &detector.spec.model.load) {
            (_, Some(load)) => ModelKind::Load(load.clone()),
            (train, None) => ModelKind::Train(
                train.as_ref().map(|train| Training::of(train, detector.spec.interval)).unwrap_or_default(),
            ),
        };
        Ok(Self {
            sources: sources.collect(),
            model,
            retrain: detector.spec.model.retrain.as_ref().map(Retrain::new),
            missing: Missing::new(&detector.spec),
            threshold_rule: detector.spec.threshold.map_or(ThresholdRule::DEFAULT, ThresholdRule::new),
            detector,
        })
    }

    /// The detector's name.
    pub fn name(&self) -> String {
        self.detector.name_any()
    }

    /// The whole object as it was given.
    pub fn detector(&self) -> &AnomalyDetector {
        &self.detector
    }

    /// The spec as it was given.
    pub fn spec(&self) -> &AnomalyDetectorSpec {
        &self.detector.spec
    }

    /// The sources, in order.
    pub fn sources(&self) -> &[ValidSource] {
        &self.sources
    }

    /// Where the model comes from.
    pub fn model(&self) -> &ModelKind {
        &self.model
    }

    /// How the model is trained; none where it is loaded.
    pub fn train(&self) -> Option<&Training> {
        match &self.model {
            ModelKind::Train(train) => Some(train),
            ModelKind::Load(_) => None,
        }
    }

    /// When a model is retrained; none: never.
    pub fn retrain(&self) -> Option<&Retrain> {
        self.retrain.as_ref()
    }

    /// How many of the oldest trees a retraining replaces; none: all of them.
    pub fn renewed_trees(&self) -> Option<u32> {
        let trees = self.detector.spec.model.retrain.as_ref()?.trees?;
        Some(trees.max(1).cast_unsigned())
    }

    /// What to do when a sensor gave no reading.
    pub fn missing(&self) -> Missing {
        self.missing
    }

    /// The SHA-256, in hexadecimal, of everything that shapes a trained model: sources, interval, training
    /// and adaptation, but not the time of the training. A stored model fits the spec where its digest is the
    /// same. None where the model is loaded.
    ///
    /// Training fields and an adaptation at their defaults are left out, so that an upgrade that adds fields
    /// does not retrain.
    pub fn recipe_digest(&self) -> Option<String> {
        let spec = &self.detector.spec;
        let mut recipe = json!({
            "sources": spec.sources, "interval": spec.interval, "train": self.train()?.changed_fields(),
        });
        if self.adaptation() != (Adaptation::Follow { time_scale: None }) {
            recipe["adaptation"] = json!(spec.adaptation);
        }
        recipe.sort_all_objects(); // the digest must not depend on the order that serde_json keeps
        Some(digest::sha256(recipe.to_string().as_bytes()))
    }

    /// Whether the detector follows slow change of its sensors.
    pub fn adaptation(&self) -> Adaptation {
        let spec = self.detector.spec.adaptation.unwrap_or_default();
        match spec.policy {
            AdaptationPolicy::Follow => Adaptation::Follow { time_scale: spec.time_scale },
            AdaptationPolicy::Fixed => Adaptation::Fixed,
        }
    }

    /// How the threshold is chosen.
    pub fn threshold_rule(&self) -> ThresholdRule {
        self.threshold_rule
    }

    /// The sensors of all sources, in order: what the model sees.
    pub fn sensors(&self) -> impl Iterator<Item = SensorRef<'_>> {
        self.sources.iter().flat_map(ValidSource::sensors)
    }
}

impl Retrain {
    fn new(spec: &model::Retrain) -> Self {
        match (spec.interval, &spec.schedule) {
            (Some(interval), _) => Self::Interval(interval),
            (None, Some(schedule)) => {
                Self::Schedule { schedule: schedule.clone(), time_zone: spec.time_zone.clone() }
            }
            (None, None) => unreachable!("a rule of the spec: exactly one of interval, schedule"),
        }
    }
}

impl Missing {
    fn new(spec: &AnomalyDetectorSpec) -> Self {
        let Some(missing) = &spec.missing else { return Self::Skip };
        match (missing.policy, missing.max_staleness) {
            (MissingPolicy::Skip, _) => Self::Skip,
            (MissingPolicy::Impute, _) => Self::Impute,
            (MissingPolicy::Anomaly, _) => Self::Anomaly,
            (MissingPolicy::Previous, Some(max_staleness)) => Self::Previous { max_staleness },
            (MissingPolicy::Previous, None) => unreachable!("a rule of the spec: maxStaleness for Previous"),
        }
    }
}

impl ThresholdRule {
    /// The choice for a spec without a threshold.
    pub const DEFAULT: Self = Self::AlertsPerDay {
        alerts: Threshold::DEFAULT_ALERTS_PER_DAY,
        max_share: Threshold::DEFAULT_MAX_SHARE,
    };

    /// Choose the threshold by alerts a day, which may be at most half of the readings.
    pub fn alerts_per_day(alerts: f64) -> Self {
        Self::AlertsPerDay { alerts, max_share: 0.5 }
    }

    fn new(threshold: Threshold) -> Self {
        match (threshold.contamination, threshold.score, threshold.alerts_per_day) {
            (Some(share), _, _) => Self::Contamination(share),
            (_, Some(score), _) => Self::Score(score),
            (_, _, Some(alerts)) => Self::alerts_per_day(alerts),
            (None, None, None) => unreachable!("a rule of the spec: exactly one way to choose the threshold"),
        }
    }
}

impl ValidSource {
    /// The source's sensors, in order.
    pub fn sensors(&self) -> Vec<SensorRef<'_>> {
        let sensor = |Sensor { name, unit, limits }| SensorRef { source: &self.name, name, unit, limits };
        self.kind.sensors().into_iter().map(sensor).collect()
    }
}
