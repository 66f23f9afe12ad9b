//! A spec in; the rules that it breaks out, of those that no schema can express. The operator and the
//! detector refuse such a spec.

use std::collections::HashMap;

use crate::AnomalyDetectorSpec;
use crate::memory::{self, Memory};
use crate::missing::MissingPolicy;
use crate::schedule::{Schedule, ScheduleError};
use crate::source::{MqttSensor, Source, SourceKind};
use crate::training::Training;
pub use crate::violation::Violation;

/// Return the violations of the rules that no schema can express. Some rules of the schema are checked again,
/// because a stored object may be older than they are.
pub fn spec_violations(spec: &AnomalyDetectorSpec) -> Vec<Violation> {
    let mut found = Vec::new();
    let train = spec.model.train.as_ref();
    let train = train.map(|train| Training::of(train, spec.interval)).unwrap_or_default();
    found.extend(bad_choices(spec));
    let mut seen: HashMap<String, &str> = HashMap::new();
    let mut count = 0;
    for (source, path, name) in sensors(&spec.sources) {
        count += 1;
        // A name that comes twice in one source is refused by the list's type.
        if let Some(other) = seen.insert(name.clone(), source).filter(|other| *other != source) {
            found.push(Violation::new(
                path,
                format!("must be unique over all sources, got {name:?}, which source {other:?} has too"),
            ));
        }
    }
    found.extend(history_violations(spec, train.samples));
    found.extend(too_many_renewed(spec, train.trees));
    found.extend(mqtt_violations(spec));
    found.extend(schedule_violations(spec));
    for (i, source) in spec.sources.iter().enumerate() {
        found.extend(source.csv.iter().flat_map(|csv| csv.violations(&format!("spec.sources[{i}].csv"))));
    }
    found.extend(memory_limit(spec));
    let columns = train.columns(count);
    if columns > MAX_COLUMNS {
        found.push(Violation::new(
            "spec.model.train",
            format!("sensors * features * (1 + lags) must be at most {MAX_COLUMNS}, got {columns}"),
        ));
    }
    let level = train.extension_level;
    if level as usize >= columns.max(1) {
        let message = format!("must be less than the number of columns, {columns}, got {level}");
        found.push(Violation::new("spec.model.train.extensionLevel", message));
    }
    found
}

/// A memory limit of the spec that is less than its detector needs.
fn memory_limit(spec: &AnomalyDetectorSpec) -> Option<Violation> {
    let limits = &spec.pod.resources.as_ref()?.limits;
    let limit = limits.get("memory").and_then(memory::bytes)?;
    let needed = Memory::of_spec(spec).peak;
    (limit < needed).then(|| {
        let message = format!(
            "must be at least {}, which its sensors, samples and trees need, got {}",
            memory::quantity(needed),
            memory::quantity(limit)
        );
        Violation::new("spec.pod.resources.limits.memory", message)
    })
}

/// Groups of fields of which more than one is set, or none where one is required. The API server checks them
/// too, but an object may be older than its rules.
fn bad_choices(spec: &AnomalyDetectorSpec) -> Vec<Violation> {
    let set = |fields: &[bool]| fields.iter().filter(|field| **field).count();
    let (train, load) = (spec.model.train.as_ref(), spec.model.load.as_ref());
    let retrain = spec.model.retrain.as_ref();
    let times = retrain.map_or(1, |retrain| set(&[retrain.interval.is_some(), retrain.schedule.is_some()]));
    let modes = train.map_or(0, |train| set(&[train.mode.is_some(), train.experimental.is_some()]));
    let places = load.map_or(1, |load| {
        set(&[load.config_map.is_some(), load.persistent_volume_claim.is_some(), load.url.is_some()])
    });
    let thresholds = spec.threshold.as_ref().map_or(1, |threshold| {
        set(&[
            threshold.contamination.is_some(),
            threshold.score.is_some(),
            threshold.alerts_per_day.is_some(),
        ])
    });
    let groups = [
        (train.is_some() && load.is_some(), "model", "at most one of train, load"),
        (times != 1, "model.retrain", "exactly one of interval, schedule"),
        (modes > 1, "model.train", "at most one of mode, experimental"),
        (places != 1, "model.load", "exactly one of configMap, persistentVolumeClaim, url"),
        (thresholds != 1, "threshold", "exactly one of contamination, score, alertsPerDay"),
    ];
    let sources = spec.sources.iter().enumerate().map(|(i, source)| {
        (
            source.kinds().len() != 1,
            format!("sources[{i}]"),
            "exactly one of simulated, csv, prometheus, mqtt, http",
        )
    });
    let groups = groups.into_iter().map(|(broken, path, rule)| (broken, path.to_owned(), rule));
    let broken = sources.chain(groups).filter(|(broken, ..)| *broken);
    let broken =
        broken.map(|(_, path, rule)| Violation::new(format!("spec.{path}"), format!("{rule} must be set")));
    broken.chain(no_staleness(spec)).collect()
}

/// A retraining that replaces more trees than the forest has.
fn too_many_renewed(spec: &AnomalyDetectorSpec, trees: u32) -> Option<Violation> {
    let renewed = spec.model.retrain.as_ref()?.trees?;
    (i64::from(renewed) > i64::from(trees)).then(|| {
        let message = format!("must be at most {trees}, the number of trees, got {renewed}");
        Violation::new("spec.model.retrain.trees", message)
    })
}

/// A `missing` with the policy Previous and no `maxStaleness`, or with another policy and a `maxStaleness`.
fn no_staleness(spec: &AnomalyDetectorSpec) -> Option<Violation> {
    let missing = spec.missing.as_ref()?;
    let is_previous = missing.policy == MissingPolicy::Previous;
    (is_previous != missing.max_staleness.is_some()).then(|| {
        let message = "maxStaleness must be set for Previous, and for no other policy";
        Violation::new("spec.missing.maxStaleness", message)
    })
}

/// A history that is too short or too long to learn from, or that a source does not have.
fn history_violations(spec: &AnomalyDetectorSpec, samples: usize) -> Vec<Violation> {
    const PATH: &str = "spec.model.train.history";
    let train = spec.model.train.as_ref();
    let Some(history) = train.filter(|train| train.samples.is_none()).and_then(|train| train.history) else {
        return Vec::new();
    };
    let is_bounded = (2..=1_000_000).contains(&samples);
    let length = (!is_bounded).then(|| {
        let message = format!(
            "must be 2 to 1000000 intervals, got {history}, {samples} intervals of {}",
            spec.interval
        );
        Violation::new(PATH, message)
    });
    let forgetful = spec.sources.iter().find(|source| !source.kinds().iter().all(SourceKind::has_history));
    let forgotten = forgetful.map(|source| {
        let message =
            format!("must be left out where a source has no history, such as {:?}: set samples", source.name);
        Violation::new(PATH, message)
    });
    length.into_iter().chain(forgotten).collect()
}

/// Sensors of mqtt sources that would get the same readings, and client identifiers that several replicas would share.
fn mqtt_violations(spec: &AnomalyDetectorSpec) -> Vec<Violation> {
    let mut found = Vec::new();
    for (i, mqtt) in
        spec.sources.iter().enumerate().filter_map(|(i, source)| Some((i, source.mqtt.as_ref()?)))
    {
        let path = format!("spec.sources[{i}].mqtt");
        for (j, sensor) in mqtt.sensors.iter().enumerate() {
            let is_same =
                |other: &&MqttSensor| (&other.topic, &other.value) == (&sensor.topic, &sensor.value);
            if let Some(first) = mqtt.sensors[..j].iter().find(is_same) {
                let message = format!(
                    "must differ from sensor {:?} in topic or value: both are {:?}",
                    first.name, sensor.topic
                );
                found.push(Violation::new(format!("{path}.sensors[{j}].topic"), message));
            }
        }
        if mqtt.client_id.is_some() && spec.replicas > 1 {
            let message =
                format!("must be left out where replicas is over 1, got {} replicas", spec.replicas);
            found.push(Violation::new(format!("{path}.clientId"), message));
        }
    }
    found
}

/// Schedules that are invalid or never occur.
fn schedule_violations(spec: &AnomalyDetectorSpec) -> Vec<Violation> {
    let retrain = spec.model.retrain.as_ref();
    let retrain =
        retrain.and_then(|retrain| Some((retrain.schedule.as_deref()?, retrain.time_zone.as_deref())));
    let retrain = retrain.map(|(schedule, zone)| ("spec.model.retrain".to_owned(), schedule, zone));
    let windows = spec.mute_windows.iter().enumerate();
    let windows = windows.map(|(i, window)| {
        (format!("spec.muteWindows[{i}]"), window.schedule.as_str(), window.time_zone.as_deref())
    });
    let schedules = retrain.into_iter().chain(windows);
    schedules.filter_map(|(path, schedule, zone)| schedule_violation(&path, schedule, zone)).collect()
}

fn schedule_violation(path: &str, schedule: &str, zone: Option<&str>) -> Option<Violation> {
    let error = Schedule::new(schedule, zone).err()?;
    let field = match error {
        ScheduleError::Expression { .. } | ScheduleError::Never(_) => "schedule",
        ScheduleError::Zone(_) => "timeZone",
    };
    Some(Violation::new(format!("{path}.{field}"), error.to_string()))
}

/// The most columns of the vector that a model sees.
const MAX_COLUMNS: usize = 4096;

/// (source, path of the name, name) of every sensor.
fn sensors(sources: &[Source]) -> Vec<(&str, String, String)> {
    let of_source = |(i, source): (usize, &'_ Source)| {
        let of_kind = |kind: SourceKind| {
            let path = |j| format!("spec.sources[{i}].{}.sensors[{j}].name", kind.field());
            let names = kind.sensors().into_iter().enumerate();
            names.map(|(j, sensor)| (path(j), sensor.name.to_owned())).collect::<Vec<_>>()
        };
        source.kinds().into_iter().flat_map(of_kind).collect::<Vec<_>>()
    };
    let named = |(i, source)| {
        of_source((i, source)).into_iter().map(|(path, name)| (source.name.as_str(), path, name))
    };
    sources.iter().enumerate().flat_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stored object may have been written before the API server knew the rules.
    #[test]
    fn an_object_older_than_the_rules_is_refused_with_every_group_that_it_breaks() {
        let spec: AnomalyDetectorSpec = serde_json::from_value(serde_json::json!({
            "sources": [{"name": "none"}],
            "missing": {"policy": "Previous"},
            "model": {
                "train": {"mode": "Auto", "experimental": {"mode": "Density"}},
                "retrain": {"interval": "1h", "schedule": "0 3 * * *"},
                "load": {},
            },
            "threshold": {"score": 0.6, "contamination": 0.1},
        }))
        .unwrap();
        let broken: Vec<String> = spec_violations(&spec).iter().map(ToString::to_string).collect();
        assert_eq!(
            broken,
            [
                "spec.sources[0]: exactly one of simulated, csv, prometheus, mqtt, http must be set",
                "spec.model: at most one of train, load must be set",
                "spec.model.retrain: exactly one of interval, schedule must be set",
                "spec.model.train: at most one of mode, experimental must be set",
                "spec.model.load: exactly one of configMap, persistentVolumeClaim, url must be set",
                "spec.threshold: exactly one of contamination, score, alertsPerDay must be set",
                "spec.missing.maxStaleness: maxStaleness must be set for Previous, and for no other policy",
            ]
        );
    }
}
