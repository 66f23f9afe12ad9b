//! The reports of a detector's pods in, what they come to together out: which model serves, and which sources give
//! readings.

use std::collections::BTreeSet;

use crd::contract::{ModelReport, Phase, Report};
use crd::status::{ModelStatus, Reason};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::conditions::{Saying, Truth};
use crate::observe::{Observed, PodReport};
use crate::workload::deployment::CONFIG_DIGITS;

/// What the reports come to. Without a report nothing is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reported {
    /// The model that serves: of a pod with the newest manifest, where one serves already.
    pub model: Option<ModelStatus>,
    /// Whether every pod with the newest manifest serves a model.
    pub model_ready: Option<Saying>,
    /// Whether every source of those pods gives readings.
    pub sources_connected: Option<Saying>,
    /// A pod answers the kubelet's probes, though maybe not us.
    pub some_pod_is_ready: bool,
}

impl Reported {
    /// From what is seen.
    pub fn of(observed: &Observed) -> Self {
        let newest = newest_config(observed);
        let is_current = |pod: &PodReport| pod.pod.annotations().get(CONFIG_DIGITS) == newest.as_ref();
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
            model_ready: model_ready(&reports),
            sources_connected: sources_connected(&reports),
            some_pod_is_ready: current.iter().any(|pod| is_ready(&pod.pod)),
        }
    }
}

fn newest_config(observed: &Observed) -> Option<String> {
    let template = &observed.deployment.as_ref()?.spec.as_ref()?.template;
    template.metadata.as_ref()?.annotations.as_ref()?.get(CONFIG_DIGITS).cloned()
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn model_status(model: &ModelReport) -> ModelStatus {
    ModelStatus {
        digest: model.digest.clone(),
        revision: revision(&model.digest),
        trained_at: Some(model.trained_at),
        samples: i64::try_from(model.samples).unwrap_or(i64::MAX),
        threshold: model.threshold,
        origin: model.origin,
        columns: model.columns.clone(),
        expected_alerts_per_day: model.expected_alerts_per_day,
    }
}

/// The first ten digits: enough for people to tell models apart.
fn revision(digest: &str) -> String {
    digest.trim_start_matches("sha256:").chars().take(10).collect()
}

/// The least advanced report speaks for all.
fn model_ready(reports: &[&Report]) -> Option<Saying> {
    let failed = reports.iter().find_map(|report| match &report.phase {
        Phase::TrainingFailed { message } => Some(Saying::no(Reason::TrainingFailed, message.clone())),
        Phase::WarmingUp { .. } | Phase::Serving => None,
    });
    let warming = reports.iter().filter_map(|report| match report.phase {
        Phase::WarmingUp { have, need } => Some((have, need)),
        Phase::TrainingFailed { .. } | Phase::Serving => None,
    });
    let slowest = warming.min_by(|(a, n), (b, m)| (a * m).cmp(&(b * n)));
    let models: Vec<&ModelReport> = reports.iter().filter_map(|report| report.model.as_ref()).collect();
    failed.or_else(|| slowest.map(|(have, need)| warming_up(have, need))).or_else(|| serving(&models))
}

/// Told by the whole percent, so that the status changes a hundred times at most.
fn warming_up(have: usize, need: usize) -> Saying {
    let need = need.max(1);
    let percent = (have.min(need) as u128 * 100 / need as u128) as usize;
    let have = (percent as u128 * need as u128).div_ceil(100);
    Saying::no(Reason::WarmingUp, format!("{percent} %: {have} of {need} samples to learn from are gathered"))
}

fn serving(models: &[&ModelReport]) -> Option<Saying> {
    let first = models.first()?;
    let revisions: BTreeSet<String> = models.iter().map(|model| revision(&model.digest)).collect();
    let message = if revisions.len() == 1 {
        format!("model {} has learned from {} samples", revision(&first.digest), first.samples)
    } else {
        let revisions: Vec<_> = revisions.into_iter().collect();
        format!("replicas serve different models: {}", revisions.join(", "))
    };
    Some(Saying { status: Truth::True, reason: Reason::Trained, message })
}

fn sources_connected(reports: &[&Report]) -> Option<Saying> {
    let sources: Vec<_> = reports.iter().flat_map(|report| &report.sources).collect();
    let silent = sources.iter().filter(|source| !source.connected);
    let silent: BTreeSet<String> =
        silent.map(|source| format!("{}: {}", source.name, source.message)).collect();
    let silent: Vec<_> = silent.into_iter().collect();
    match (reports.first(), silent.is_empty()) {
        (None, _) => None,
        (Some(_), false) => Some(Saying::no(Reason::SourceDisconnected, silent.join("; "))),
        (Some(report), true) => {
            let message = match report.sources.len() {
                1 => "the source gives readings".to_owned(),
                count => format!("all {count} sources give readings"),
            };
            Some(Saying { status: Truth::True, reason: Reason::Connected, message })
        }
    }
}
