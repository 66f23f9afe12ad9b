//! The monitoring objects in, the condition MonitoringConfigured out: whether they are written, and accepted
//! by every Prometheus that reports on them.
//!
//! A Prometheus reports in `status.bindings` of the object, if its operator is configured to write it
//! (`--feature-gates=StatusForConfigurationResources=true`; since 0.85 for ServiceMonitors).

use crd::status::Reason;
use serde_json::Value;

use super::condition::{ConditionState, ConditionStatus};
use crate::apply::MonitoringError;
use crate::resources::Kind;

/// Return the condition: the first object that is not as specified, or True.
pub fn of(objects: &[(Kind, Result<Value, MonitoringError>)]) -> ConditionState {
    if objects.is_empty() {
        return ConditionState::yes(Reason::NotRequested, "the spec asks for no monitoring objects");
    }
    not_written(objects).or_else(|| not_accepted(objects)).unwrap_or_else(|| {
        let names = objects.iter().map(|(kind, _)| label(*kind));
        ConditionState::yes(
            Reason::AsSpecified,
            format!("as specified: {}{}", list(names), accepted(objects)),
        )
    })
}

fn not_written(objects: &[(Kind, Result<Value, MonitoringError>)]) -> Option<ConditionState> {
    let absent = objects.iter().filter(|(_, written)| *written == Err(MonitoringError::Absent));
    let absent: Vec<_> = absent.map(|(kind, _)| label(*kind)).collect();
    let other = objects.iter().find_map(|(_, written)| match written {
        Err(MonitoringError::NameTaken(taken)) => {
            Some(ConditionState::no(Reason::NameTaken, taken.to_string()))
        }
        Err(MonitoringError::Failed(message)) => {
            Some(ConditionState::no(Reason::ApplyFailed, message.clone()))
        }
        Ok(_) | Err(MonitoringError::Absent) => None,
    });
    other.or_else(|| {
        (!absent.is_empty()).then(|| {
            let message = format!(
                "the cluster does not serve {}: install the Prometheus Operator, or disable these objects in spec.monitoring; the detector runs without them",
                list(absent)
            );
            ConditionState::no(Reason::PrometheusOperatorNotInstalled, message)
        })
    })
}

fn not_accepted(objects: &[(Kind, Result<Value, MonitoringError>)]) -> Option<ConditionState> {
    bindings(objects).find_map(|(kind, binding)| {
        let verdict = verdict(binding).filter(|verdict| verdict["status"] == "False")?;
        let details = verdict["message"].as_str().filter(|message| !message.is_empty());
        let details = details.or(verdict["reason"].as_str()).unwrap_or("no details");
        let message = format!("{} has refused the {}: {details}", workload(binding), label(kind));
        Some(ConditionState::no(Reason::RefusedByPrometheus, message))
    })
}

/// Which Prometheus has accepted which object, where that is reported.
fn accepted(objects: &[(Kind, Result<Value, MonitoringError>)]) -> String {
    let accepted = bindings(objects).filter(|(_, binding)| {
        verdict(binding).is_some_and(|verdict| verdict["status"] == ConditionStatus::True.name())
    });
    accepted
        .map(|(kind, binding)| format!("; {} has accepted the {}", workload(binding), label(kind)))
        .collect::<Vec<_>>()
        .concat()
}

fn bindings(objects: &[(Kind, Result<Value, MonitoringError>)]) -> impl Iterator<Item = (Kind, &Value)> {
    objects.iter().flat_map(|(kind, written)| {
        let bindings = written.as_ref().ok().and_then(|object| object["status"]["bindings"].as_array());
        bindings.into_iter().flatten().map(|binding| (*kind, binding))
    })
}

fn verdict(binding: &Value) -> Option<&Value> {
    binding["conditions"].as_array()?.iter().find(|condition| condition["type"] == "Accepted")
}

/// The name of the Prometheus in a binding, such as `prometheuses monitoring/k8s`.
fn workload(binding: &Value) -> String {
    let field = |name: &str| binding[name].as_str().unwrap_or_default();
    format!("{} {}/{}", field("resource"), field("namespace"), field("name"))
}

fn label(kind: Kind) -> String {
    match kind {
        Kind::Dashboard => "dashboard".to_owned(),
        kind => kind.name(),
    }
}

fn list(names: impl IntoIterator<Item = String>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}
