//! The threshold part of the spec: which scores are anomalous, by one of three rules.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;

/// The rule that chooses the threshold. Exactly one of `contamination`, `score`, `alertsPerDay`; without any,
/// `alertsPerDay: 5`, but no more than one reading in a hundred.
///
/// A reading is anomalous when its score is over the threshold. Scores are those of the isolation forest
/// paper, in (0, 1], higher is more anomalous.
//
// The messages are constants: the API server cannot bound the cost of turning a number into text, and refuses
// such a CRD. It shows the value beside the message, and so does `schema`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "(has(self.contamination) ? 1 : 0) + (has(self.score) ? 1 : 0) + (has(self.alertsPerDay) ? 1 : 0) == 1"
).message("exactly one of contamination, score, alertsPerDay must be set"))]
pub struct Threshold {
    /// The share of ordinary readings to call anomalous, over 0 and at most 0.5. With
    /// `adaptation.policy: Follow`, the threshold follows the scores so that this share holds. With `Fixed`,
    /// it is the share of the training readings: scikit-learn's `contamination`, to the digit. Example: 0.01.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self > 0.0 && self <= 0.5")
        .message("must be over 0 and at most 0.5"))]
    pub contamination: Option<f64>,

    /// A fixed score, over 0 and under 1. Ordinary readings score about 0.4 to 0.5, clear anomalies over 0.6.
    /// Example: 0.62.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self > 0.0 && self < 1.0")
        .message("must be over 0 and under 1"))]
    pub score: Option<f64>,

    /// The number of alerts a day that ordinary readings may cause, over 0 and at most 86400. With
    /// `adaptation.policy: Follow`, an alert is a run of anomalous readings, and the threshold follows the
    /// scores so that this rate holds. With `Fixed`, each anomalous reading counts as an alert, and the
    /// threshold is the lowest at which new readings, of the kind that was learned from, keep this rate on
    /// average (a conformal quantile): this takes 86400 s / (interval * alertsPerDay) samples or more; with
    /// fewer, status.model.expectedAlertsPerDay is the rate to expect instead. There are at most as many
    /// events and alarms as alerts. Example: 40.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self > 0.0 && self <= 86400.0")
        .message("must be over 0 and at most 86400"))]
    pub alerts_per_day: Option<f64>,
}

impl Threshold {
    /// The alerts a day of a spec without a threshold.
    pub const DEFAULT_ALERTS_PER_DAY: f64 = 5.0;
    /// The largest share of the readings that these alerts may be. It matters where readings are few, such as
    /// one a day.
    pub const DEFAULT_MAX_SHARE: f64 = 0.01;

    /// Return the chosen threshold, or the default one for readings that are `interval` apart.
    pub fn or_default(chosen: Option<Self>, interval: Duration) -> Self {
        const SECONDS_A_DAY: f64 = 86_400.0;
        let readings_a_day = SECONDS_A_DAY / std::time::Duration::from(interval).as_secs_f64();
        let alerts = Self::DEFAULT_ALERTS_PER_DAY.min(Self::DEFAULT_MAX_SHARE * readings_a_day);
        chosen.unwrap_or(Self { alerts_per_day: Some(alerts), ..Self::default() })
    }
}
