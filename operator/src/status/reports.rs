//! The reports of a detector's pods in, their summary out: which model serves, and whether the sources give
//! readings.

use std::collections::BTreeSet;

use crd::contract::{ModelReport, Phase, Report};
use crd::status::{AlarmRate, ModelStatus, Origin, Reason};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::condition::{ConditionState, ConditionStatus};
use crate::models::model_sync::Concern;
use crate::observe::{Observed, PodReport};
use crate::resources::deployment::CONFIG_HASH;
use crate::resources::model::short;

/// The summary of the reports. Without a report, its fields are `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reported {
    /// The model that serves: from a pod with the newest manifest, if one of those serves already.
    pub model: Option<ModelStatus>,
    /// Whether every pod with the newest manifest serves a model.
    pub model_ready: Option<ConditionState>,
    /// Whether every source of those pods gives readings.
    pub sources_connected: Option<ConditionState>,
    /// The ratio of actual to promised alarms, from the pod where it is the highest.
    pub alarm_rate: Option<AlarmRate>,
    /// Whether a pod answers the kubelet's probes, even if it gave the operator no report.
    pub some_pod_is_ready: bool,
}

impl Reported {
    /// Summarise the observed reports. `concern` is what keeps a model from being stored or from serving.
    pub fn of(observed: &Observed, concern: Option<&Concern>) -> Self {
        let newest = newest_config(observed);
        let is_current = |pod: &PodReport| pod.pod.annotations().get(CONFIG_HASH) == newest.as_ref();
        let (current, old): (Vec<_>, Vec<_>) = observed.reports.iter().partition(|pod| is_current(pod));
        let reports: Vec<&Report> = current.iter().filter_map(|pod| pod.report.as_ref()).collect();
        let older = old.iter().filter_map(|pod| pod.report.as_ref());
        Self {
            model: reports
                .iter()
                .copied()
                .chain(older)
                .find_map(|report| report.model.as_ref())
                .map(model_status),
            model_ready: model_ready(&reports, concern).or_else(|| unusable(&current)),
            sources_connected: sources_connected(&reports).or_else(|| unusable(&current)),
            alarm_rate: highest(reports.iter().filter_map(|report| report.alarm_rate.as_ref())),
            some_pod_is_ready: current.iter().any(|pod| is_ready(&pod.pod)),
        }
    }
}

/// The highest rate: rates that have exceeded the promise for some time (`exceeded_since`) come first, then
/// the ratio counts.
fn highest<'a>(rates: impl Iterator<Item = &'a AlarmRate>) -> Option<AlarmRate> {
    let lasting = |rate: &AlarmRate| rate.exceeded_since.is_some();
    let by_excess = |a: &&AlarmRate, b: &&AlarmRate| {
        lasting(a).cmp(&lasting(b)).then(a.realised_to_promised.total_cmp(&b.realised_to_promised))
    };
    rates.max_by(by_excess).cloned()
}

/// The Unknown condition of a pod whose answer is not a valid report, with the error.
fn unusable(pods: &[&PodReport]) -> Option<ConditionState> {
    let (pod, why) = pods.iter().find_map(|pod| Some((pod.pod.name_any(), pod.unusable.as_ref()?)))?;
    let message = format!("pod {pod} has no readable report: {why}");
    Some(ConditionState { status: ConditionStatus::Unknown, reason: Reason::NoReport, message })
}

fn newest_config(observed: &Observed) -> Option<String> {
    let template = &observed.deployment.as_ref()?.spec.as_ref()?.template;
    template.metadata.as_ref()?.annotations.as_ref()?.get(CONFIG_HASH).cloned()
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn model_status(model: &ModelReport) -> ModelStatus {
    ModelStatus {
        digest: model.digest.clone(),
        revision: short(&model.digest),
        trained_at: model.trained_at,
        // An imported model has no such time: its file has the Unix epoch.
        data_end_time: Some(model.data_end_time).filter(|time| *time != jiff::Timestamp::UNIX_EPOCH),
        samples: i64::try_from(model.samples).unwrap_or(i64::MAX),
        threshold: model.threshold,
        origin: model.origin,
        columns: model.columns.clone(),
        expected_alerts_per_day: model.expected_alerts_per_day,
        warnings: model.warnings.clone(),
    }
}

/// ModelReady: of all reports, the one with the most serious problem or the least progress decides.
fn model_ready(reports: &[&Report], concern: Option<&Concern>) -> Option<ConditionState> {
    let models: Vec<&ModelReport> = reports.iter().filter_map(|report| report.model.as_ref()).collect();
    let rejected = reports.iter().find_map(|report| report.rejected.as_ref());
    let rejected = rejected.map(|rejected| ConditionState::no(rejected.reason, rejected.message.clone()));
    not_found(concern)
        .or(rejected)
        .or_else(|| failed(reports))
        .or_else(|| slowest(reports))
        .or_else(|| serving(&models, concern))
}

fn not_found(concern: Option<&Concern>) -> Option<ConditionState> {
    match concern? {
        Concern::PinNotFound(not_found) => {
            Some(ConditionState::no(Reason::PinNotFound, not_found.to_string()))
        }
        Concern::TooLarge | Concern::NotFetched { .. } => None,
    }
}

fn failed(reports: &[&Report]) -> Option<ConditionState> {
    reports.iter().find_map(|report| match &report.phase {
        Phase::TrainingFailed { message } => {
            Some(ConditionState::no(Reason::TrainingFailed, message.clone()))
        }
        Phase::WarmingUp { .. } | Phase::Serving => None,
    })
}

fn slowest(reports: &[&Report]) -> Option<ConditionState> {
    let warming = reports.iter().filter_map(|report| match report.phase {
        Phase::WarmingUp { have, need, seconds_left } => Some((have, need, seconds_left)),
        Phase::TrainingFailed { .. } | Phase::Serving => None,
    });
    let slowest = warming.min_by(|(a, n, _), (b, m, _)| (a * m).cmp(&(b * n)));
    slowest.map(|(have, need, seconds_left)| warming_up(have, need, seconds_left))
}

/// In whole percent, so that the status changes a hundred times at most.
fn warming_up(have: usize, need: usize, seconds_left: Option<u64>) -> ConditionState {
    let each = seconds_left.map(|left| left as f64 / need.saturating_sub(have).max(1) as f64);
    let need = need.max(1);
    let percent = (have.min(need) as u128 * 100 / need as u128) as usize;
    let have = (percent as u128 * need as u128).div_ceil(100);
    let left = each.map_or(String::new(), |each| {
        format!(", {:.0} min left", ((need as f64 - have as f64) * each / 60.0).ceil())
    });
    let message = format!("{percent} %: {have} of {need} training samples are collected{left}");
    ConditionState::no(Reason::WarmingUp, message)
}

fn serving(models: &[&ModelReport], concern: Option<&Concern>) -> Option<ConditionState> {
    let first = models.first()?;
    let revisions: BTreeSet<String> = models.iter().map(|model| short(&model.digest)).collect();
    let message = match (revisions.len(), first.origin) {
        (1, Some(Origin::Loaded)) => format!("model {} was loaded", short(&first.digest)),
        (1, _) => format!("model {} was trained on {} samples", short(&first.digest), first.samples),
        _ => {
            let revisions: Vec<_> = revisions.into_iter().collect();
            format!("replicas serve different models: {}", revisions.join(", "))
        }
    };
    let reason = match (concern, first.origin) {
        (Some(Concern::TooLarge), _) => Reason::ModelTooLarge,
        (_, Some(Origin::Loaded)) => Reason::Loaded,
        _ => Reason::Trained,
    };
    let concern = concern.map(ToString::to_string);
    let afterthoughts = concern.into_iter().chain(first.warnings.iter().cloned());
    let message = afterthoughts.fold(message, |message, thought| format!("{message}; {thought}"));
    Some(ConditionState { status: ConditionStatus::True, reason, message })
}

fn sources_connected(reports: &[&Report]) -> Option<ConditionState> {
    let sources: Vec<_> = reports.iter().flat_map(|report| &report.sources).collect();
    let messages = |connected: bool| -> Vec<String> {
        let with_message =
            sources.iter().filter(|source| source.connected == connected && !source.message.is_empty());
        let messages: BTreeSet<String> =
            with_message.map(|source| format!("{}: {}", source.name, source.message)).collect();
        messages.into_iter().collect()
    };
    let silent = sources.iter().any(|source| !source.connected).then(|| messages(false));
    match (reports.first(), silent) {
        (None, _) => None,
        (Some(_), Some(silent)) => Some(ConditionState::no(Reason::SourceDisconnected, silent.join("; "))),
        (Some(report), None) => {
            let message = match report.sources.len() {
                1 => "the source gives readings".to_owned(),
                count => format!("all {count} sources give readings"),
            };
            let message = std::iter::once(message).chain(messages(true)).collect::<Vec<_>>().join("; ");
            Some(ConditionState { status: ConditionStatus::True, reason: Reason::Connected, message })
        }
    }
}
