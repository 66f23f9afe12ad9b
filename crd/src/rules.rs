//! A spec in; every rule that it breaks and that no schema can say out. These are the operator's to refuse.

use std::collections::HashMap;
use std::fmt;

use crate::AnomalyDetectorSpec;
use crate::schedule::{Schedule, ScheduleError};
use crate::source::Source;

/// A rule that a manifest breaks: where, and one sentence with the rule and the value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Violation {
    /// The field, as users of `kubectl` know it: `spec.sources[0].name`. Empty for the document itself.
    pub path: String,
    /// What was expected and what was there.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

impl Violation {
    /// A violation at a path.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

/// Every rule that the schema cannot say and the spec breaks. The operator alone can refuse these.
pub fn spec_violations(spec: &AnomalyDetectorSpec) -> Vec<Violation> {
    let mut found = Vec::new();
    let names: Vec<&str> = spec.sources.iter().map(|source| source.name.as_str()).collect();
    found.extend(twice("spec.sources", ".name", &names));
    let train = spec.model.train.clone().unwrap_or_default();
    let features: Vec<String> = train.features.iter().map(|feature| format!("{feature:?}")).collect();
    found.extend(twice("spec.model.train.features", "", &features));
    found.extend(bad_choices(spec));
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for (source, path, name) in sensors(&spec.sources) {
        if let Some(other) = seen.insert(name, source) {
            found.push(Violation::new(
                path,
                format!("must be unique over all sources, got {name:?}, which source {other:?} has too"),
            ));
        }
    }
    found.extend(no_schedules(spec));
    let columns = train.columns(seen.len());
    if columns > MOST_COLUMNS {
        found.push(Violation::new(
            "spec.model.train",
            format!("sensors * features * (1 + lags) must be at most {MOST_COLUMNS}, got {columns}"),
        ));
    }
    if train.extension as usize >= columns.max(1) {
        let message = format!("must be less than the number of columns, {columns}, got {}", train.extension);
        found.push(Violation::new("spec.model.train.extension", message));
    }
    found
}

/// Groups of fields of which one may be set, or must be. The API server checks them too; but an object may be older than
/// its rules.
fn bad_choices(spec: &AnomalyDetectorSpec) -> Vec<Violation> {
    let set = |fields: &[bool]| fields.iter().filter(|field| **field).count();
    let (train, load) = (spec.model.train.as_ref(), spec.model.load.as_ref());
    let renewals = train.map_or(0, |train| set(&[train.every.is_some(), train.schedule.is_some()]));
    let places = load.map_or(1, |load| {
        set(&[load.config_map.is_some(), load.persistent_volume_claim.is_some(), load.url.is_some()])
    });
    let cut = &spec.threshold;
    let cuts = set(&[cut.contamination.is_some(), cut.score.is_some(), cut.alerts_per_day.is_some()]);
    let groups = [
        (train.is_some() && load.is_some(), "model", "at most one of train, load"),
        (renewals > 1, "model.train", "at most one of every, schedule"),
        (places != 1, "model.load", "exactly one of configMap, persistentVolumeClaim, url"),
        (cuts != 1, "threshold", "exactly one of contamination, score, alertsPerDay"),
    ];
    let sources = spec.sources.iter().enumerate().map(|(i, source)| {
        let kinds = set(&[source.simulated.is_some(), source.csv.is_some()]);
        (kinds != 1, format!("sources[{i}]"), "exactly one of simulated, csv")
    });
    let groups = groups.into_iter().map(|(broken, path, rule)| (broken, path.to_owned(), rule));
    let broken = sources.chain(groups).filter(|(broken, ..)| *broken);
    broken
        .map(|(_, path, rule)| Violation::new(format!("spec.{path}"), format!("{rule} must be set")))
        .collect()
}

/// Schedules that name no times.
fn no_schedules(spec: &AnomalyDetectorSpec) -> Vec<Violation> {
    let train = spec.model.train.as_ref();
    let train = train.and_then(|train| Some((train.schedule.as_deref()?, train.time_zone.as_deref())));
    let train = train.map(|(schedule, zone)| ("spec.model.train".to_owned(), schedule, zone));
    let quiet = spec.quiet.iter().enumerate();
    let quiet = quiet
        .map(|(i, quiet)| (format!("spec.quiet[{i}]"), quiet.schedule.as_str(), quiet.time_zone.as_deref()));
    let schedules = train.into_iter().chain(quiet);
    schedules.filter_map(|(path, schedule, zone)| no_schedule(&path, schedule, zone)).collect()
}

fn no_schedule(path: &str, schedule: &str, zone: Option<&str>) -> Option<Violation> {
    let error = Schedule::new(schedule, zone).err()?;
    let field = match error {
        ScheduleError::Expression { .. } => "schedule",
        ScheduleError::Zone(_) => "timeZone",
    };
    Some(Violation::new(format!("{path}.{field}"), error.to_string()))
}

/// The entries of a list that is a set, or a map by `key`, that stand there already. The API server refuses them by
/// the list's type.
fn twice<T: PartialEq + fmt::Debug>(list: &str, key: &str, entries: &[T]) -> Option<Violation> {
    entries.iter().enumerate().find_map(|(i, entry)| {
        let first = entries[..i].iter().position(|earlier| earlier == entry)?;
        let message = format!("must be unique, got {entry:?}, which {list}[{first}] has too");
        Some(Violation::new(format!("{list}[{i}]{key}"), message))
    })
}

/// The widest vector that a model may see.
const MOST_COLUMNS: usize = 4096;

/// (source, path of the name, name) of every sensor.
fn sensors(sources: &[Source]) -> impl Iterator<Item = (&str, String, &str)> {
    sources.iter().enumerate().flat_map(|(i, source)| {
        let simulated = source.simulated.iter().flat_map(|kind| &kind.sensors).map(|sensor| &sensor.name);
        let csv = source.csv.iter().flat_map(|kind| &kind.sensors).map(|sensor| &sensor.name);
        let simulated = simulated.enumerate().map(|(j, name)| ("simulated", j, name));
        let csv = csv.enumerate().map(|(j, name)| ("csv", j, name));
        simulated.chain(csv).map(move |(kind, j, name)| {
            (source.name.as_str(), format!("spec.sources[{i}].{kind}.sensors[{j}].name"), name.as_str())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stored object may have been written before the API server knew the rules.
    #[test]
    fn an_object_older_than_the_rules_is_told_of_every_group_that_it_breaks() {
        let spec: AnomalyDetectorSpec = serde_json::from_value(serde_json::json!({
            "sources": [{"name": "none"}],
            "model": {"train": {"every": "1h", "schedule": "0 3 * * *"}, "load": {}},
            "threshold": {"score": 0.6, "contamination": 0.1},
        }))
        .unwrap();
        let broken: Vec<String> = spec_violations(&spec).iter().map(ToString::to_string).collect();
        assert_eq!(
            broken,
            [
                "spec.sources[0]: exactly one of simulated, csv must be set",
                "spec.model: at most one of train, load must be set",
                "spec.model.train: at most one of every, schedule must be set",
                "spec.model.load: exactly one of configMap, persistentVolumeClaim, url must be set",
                "spec.threshold: exactly one of contamination, score, alertsPerDay must be set",
            ]
        );
    }
}
