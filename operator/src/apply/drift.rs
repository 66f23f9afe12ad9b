//! The desired object and the stored object in, whether a write is needed out.
//!
//! The API server fills in defaults, and users and other controllers add fields, so the stored object has
//! more fields than the desired one. Where the API merges field by field, the stored object matches when it
//! has every field of the desired one. Where the API replaces a field as a whole
//! (`x-kubernetes-map-type: atomic`, `x-kubernetes-list-type: atomic`), nothing may be added. The desired
//! object also carries a hash of itself in an annotation: it reveals a field that was applied earlier and is
//! no longer desired.

use std::collections::BTreeSet;

use crd::digest;
use serde_json::{Map, Value, json};

/// The annotation with the hash of the object that was applied last.
const APPLIED: &str = "anomaly.dev/applied";
/// The annotation with the hash of the pod template that was applied last.
const TEMPLATE: &str = "anomaly.dev/template";

/// Lists that the API merges item by item, so that other writers may add items, and the fields that identify
/// an item. The API identifies ports of Services and containers by number and protocol. Here the name
/// identifies them: it is as unique, and it stays the same when the number is edited.
const KEYED_LISTS: [(&str, &[&str]); 9] = [
    ("ownerReferences", &["uid"]),
    ("containers", &["name"]),
    ("env", &["name"]),
    ("ports", &["name"]),
    ("volumeMounts", &["mountPath"]),
    ("volumes", &["name"]),
    ("imagePullSecrets", &["name"]),
    ("topologySpreadConstraints", &["topologyKey", "whenUnsatisfiable"]),
    ("groups", &["name"]),
];

/// Fields that the API replaces as a whole, and to which it adds no defaults: one more label in a selector selects
/// other pods, one more rule of a policy lets others in.
const ATOMIC_FIELDS: [&str; 9] = [
    "selector",
    "podSelector",
    "labelSelector",
    "namespaceSelector",
    "nodeSelector",
    "tolerations",
    "ingress",
    "egress",
    "policyTypes",
];

/// Fields that the API server leaves out when they are false. For other fields, absent may mean true, or the
/// default.
const ABSENT_IS_FALSE: [&str; 5] =
    ["paused", "hostNetwork", "hostPID", "hostIPC", "publishNotReadyAddresses"];

/// Return the object with hashes of its content and of its pod template in annotations.
pub fn with_hashes(mut desired: Value) -> Value {
    let digits = digest::short(desired.to_string().as_bytes());
    if !desired["metadata"]["annotations"].is_object() {
        desired["metadata"]["annotations"] = json!({});
    }
    desired["metadata"]["annotations"][APPLIED] = json!(digits);
    if let Some(template) = desired["spec"].get("template").map(ToString::to_string) {
        desired["metadata"]["annotations"][TEMPLATE] = json!(digest::short(template.as_bytes()));
    }
    desired
}

/// Whether writing this Deployment, which has its hashes, replaces the pods of the stored one.
pub fn replaces_pods(stored: &Value, desired: &Value) -> bool {
    annotation(stored, TEMPLATE) != annotation(desired, TEMPLATE)
        || !matches(&stored["spec"]["template"], &desired["spec"]["template"])
}

/// Whether the stored object was last applied from this same desired object, so that a write only undoes
/// edits.
pub fn is_same_desired(stored: &Value, desired: &Value) -> bool {
    annotation(stored, APPLIED) == annotation(desired, APPLIED)
}

fn annotation<'a>(object: &'a Value, name: &str) -> &'a Value {
    &object["metadata"]["annotations"][name]
}

/// Whether the stored object has all that the desired one specifies, so that no write is needed.
pub fn matches(stored: &Value, desired: &Value) -> bool {
    match (stored, desired) {
        (_, Value::Null) => true,
        (Value::Object(stored), Value::Object(desired)) => {
            desired.iter().all(|(name, wanted)| matches_field(stored, name, wanted))
        }
        // An item of an atomic list: the API server fills in its defaults here too.
        (Value::Array(stored), Value::Array(desired)) => {
            stored.len() == desired.len() && stored.iter().zip(desired).all(|(a, b)| matches(a, b))
        }
        (Value::Null, desired) => is_empty(desired),
        _ => stored == desired,
    }
}

fn matches_field(stored: &Map<String, Value>, name: &str, desired: &Value) -> bool {
    let stored = stored.get(name).unwrap_or(&Value::Null);
    if ATOMIC_FIELDS.contains(&name) {
        return desired.is_null() || is_same(stored, desired);
    }
    match (name, stored, desired) {
        (_, Value::Null, Value::Bool(false)) => ABSENT_IS_FALSE.contains(&name),
        ("requests" | "limits", Value::Object(stored), Value::Object(desired)) => {
            desired.iter().all(|(name, amount)| same_amount(stored.get(name), amount))
        }
        (_, Value::Array(stored), Value::Array(desired)) => match keys_of(name, desired) {
            Some(keys) => matches_keyed(stored, desired, keys),
            None => stored.len() == desired.len() && stored.iter().zip(desired).all(|(a, b)| matches(a, b)),
        },
        _ => matches(stored, desired),
    }
}

/// Return the key fields of a list that is merged item by item, or `None` where the list is atomic. Lists
/// with the same field name are distinguished by their items: the ports of a NetworkPolicy have no names.
fn keys_of(name: &str, items: &[Value]) -> Option<&'static [&'static str]> {
    let (_, keys) = KEYED_LISTS.iter().find(|(list, _)| *list == name)?;
    items.iter().all(|item| keys.iter().all(|key| item.get(key).is_some())).then_some(*keys)
}

fn matches_keyed(stored: &[Value], desired: &[Value], keys: &[&str]) -> bool {
    let is_it = |a: &Value, b: &Value| keys.iter().all(|key| a.get(key) == b.get(key));
    desired.iter().all(|item| stored.iter().any(|other| is_it(other, item) && matches(other, item)))
        && (keys != ["mountPath"] || extra_mounts(stored, desired).is_empty())
}

/// Return the mounts of our volumes at paths that we did not ask for: there the detector's state or
/// credentials would be visible where nobody expects them. Mounts of volumes that other writers have added
/// stay.
fn extra_mounts<'a>(stored: &'a [Value], desired: &[Value]) -> Vec<&'a Value> {
    let has = |mount: &Value, field: &str| desired.iter().any(|ours| ours[field] == mount[field]);
    stored.iter().filter(|mount| has(mount, "name") && !has(mount, "mountPath")).collect()
}

/// Return a strategic merge patch that removes the extra mounts, or `None` where there are none. Server-side
/// apply would keep them, because another field manager owns them.
pub fn without_extra_mounts(stored: &Value, desired: &Value) -> Option<Value> {
    let containers = |object: &Value| {
        object["spec"]["template"]["spec"]["containers"].as_array().cloned().unwrap_or_default()
    };
    let mounts = |container: &Value| container["volumeMounts"].as_array().cloned().unwrap_or_default();
    let desired = containers(desired);
    let mut removed = Vec::new();
    for container in containers(stored) {
        let Some(ours) = desired.iter().find(|ours| ours["name"] == container["name"]) else { continue };
        let (stored, ours) = (mounts(&container), mounts(ours));
        let extra = extra_mounts(&stored, &ours);
        let gone = extra.iter().map(|mount| json!({ "mountPath": mount["mountPath"], "$patch": "delete" }));
        let gone: Vec<Value> = gone.collect();
        if !gone.is_empty() {
            removed.push(json!({ "name": container["name"], "volumeMounts": gone }));
        }
    }
    (!removed.is_empty()).then(|| json!({ "spec": { "template": { "spec": { "containers": removed } } } }))
}

/// Whether two values are equal, where an empty value equals an absent one.
fn is_same(stored: &Value, desired: &Value) -> bool {
    match (stored, desired) {
        (Value::Object(stored), Value::Object(desired)) => {
            let names: BTreeSet<&String> = stored.keys().chain(desired.keys()).collect();
            let field =
                |object: &Map<String, Value>, name: &String| object.get(name).cloned().unwrap_or_default();
            names.into_iter().all(|name| is_same(&field(stored, name), &field(desired, name)))
        }
        (Value::Array(stored), Value::Array(desired)) => {
            stored.len() == desired.len() && stored.iter().zip(desired).all(|(a, b)| is_same(a, b))
        }
        (Value::Null, other) | (other, Value::Null) => is_empty(other),
        _ => stored == desired,
    }
}

/// Whether the value is null, an empty object or an empty list, which the API server may leave out.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whether two quantities are the same amount, even if they are spelled differently: the API server turns
/// `0.5` into `500m`.
fn same_amount(stored: Option<&Value>, wanted: &Value) -> bool {
    let amount = |value: &Value| value.as_str().and_then(amount);
    match (stored.and_then(amount), amount(wanted)) {
        (Some(stored), Some(wanted)) => (stored - wanted).abs() <= 1e-9 * wanted.abs(),
        _ => stored == Some(wanted),
    }
}

/// A quantity in its base unit: `500m` is 0.5, `1Ki` is 1024. `None` where it is no quantity.
fn amount(text: &str) -> Option<f64> {
    const SUFFIXES: [(&str, f64); 14] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
    ];
    let scaled = SUFFIXES.iter().find_map(|(suffix, unit)| {
        let number: f64 = text.strip_suffix(suffix)?.parse().ok()?;
        Some(number * unit)
    });
    // Without a suffix, or with an exponent; `E` alone is a suffix too.
    scaled.or_else(|| text.parse().ok()).or_else(|| Some(text.strip_suffix('E')?.parse::<f64>().ok()? * 1e18))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_fills_in_and_others_add_is_no_drift() {
        let desired =
            json!({"metadata": {"labels": {"a": "1"}}, "spec": {"ports": [{"name": "http", "port": 80}]}});
        let stored = json!({
            "metadata": {"labels": {"a": "1", "team": "plant"}, "uid": "7"},
            "spec": {"ports": [{"name": "http", "port": 80, "protocol": "TCP"}], "clusterIP": "10.0.0.1"},
        });
        assert!(matches(&stored, &desired));
        assert!(!matches(&desired, &stored));
    }

    #[test]
    fn an_edited_field_a_lost_item_and_an_added_argument_are_drift() {
        let desired = json!({"containers": [{"name": "detector", "args": ["run", "file"]}]});
        let edited = json!({"containers": [{"name": "detector", "args": ["run", "other"]}]});
        let lost = json!({"containers": [{"name": "sidecar"}]});
        let longer = json!({"containers": [{"name": "detector", "args": ["run", "file", "--verbose"]}]});
        let beside =
            json!({"containers": [{"name": "sidecar"}, {"name": "detector", "args": ["run", "file"]}]});
        assert!(!matches(&edited, &desired) && !matches(&lost, &desired) && !matches(&longer, &desired));
        assert!(matches(&beside, &desired));
    }

    #[test]
    fn a_second_path_of_a_volume_of_ours_is_drift_and_one_of_another_volume_is_none() {
        let object = |mounts: Value| {
            let containers = json!([{"name": "detector", "volumeMounts": mounts}]);
            json!({"spec": {"template": {"spec": {"containers": containers}}}})
        };
        let (ours, theirs) =
            (json!({"name": "state", "mountPath": "/s"}), json!({"name": "x", "mountPath": "/x"}));
        let second = json!({"name": "state", "mountPath": "/other"});
        let desired = object(json!([ours]));
        let beside = object(json!([ours, theirs]));
        assert!(matches(&beside, &desired) && without_extra_mounts(&beside, &desired).is_none());
        let drifted = object(json!([ours, second, theirs]));
        assert!(!matches(&drifted, &desired));
        assert_eq!(
            without_extra_mounts(&drifted, &desired),
            Some(object(json!([{"mountPath": "/other", "$patch": "delete"}])))
        );
    }

    #[test]
    fn amounts_are_compared_by_value() {
        let limits = |amount: &str| json!({"limits": {"cpu": amount}});
        for (stored, wanted) in [
            ("500m", "0.5"),
            ("1", "1000m"),
            ("1Gi", "1024Mi"),
            ("100m", "0.1"),
            ("1k", "1e3"),
            ("2E", "2e18"),
        ] {
            assert!(matches(&limits(stored), &limits(wanted)), "{stored} is {wanted}");
        }
        assert!(!matches(&limits("1"), &limits("1001m")));
        assert!(!matches(&limits("1M"), &limits("1Mi")));
        assert!(!matches(&json!({"limits": {}}), &limits("1")));
    }

    #[test]
    fn what_is_added_to_an_atomic_map_or_list_is_drift() {
        for (desired, stored) in [
            (json!({"selector": {"app": "a"}}), json!({"selector": {"app": "a", "x": "y"}})),
            (
                json!({"selector": {"matchLabels": {"app": "a"}}}),
                json!({"selector": {"matchLabels": {"app": "a", "x": "y"}}}),
            ),
            (json!({"egress": []}), json!({"egress": [{}]})),
            (
                json!({"ingress": [{"ports": [{"port": 80}]}]}),
                json!({"ingress": [{"ports": [{"port": 80}]}, {}]}),
            ),
            (
                json!({"ingress": [{"ports": [{"port": 80}]}]}),
                json!({"ingress": [{"from": [{}], "ports": [{"port": 80}]}]}),
            ),
            (json!({"nodeSelector": {}}), json!({"nodeSelector": {"disk": "ssd"}})),
            (json!({"tolerations": []}), json!({"tolerations": [{"operator": "Exists"}]})),
            (json!({"paused": false}), json!({"paused": true})),
            (json!({"command": []}), json!({"command": ["sh"]})),
        ] {
            assert!(!matches(&stored, &desired), "{stored} is not {desired}");
            assert!(matches(&desired, &desired), "{desired}");
        }
    }

    #[test]
    fn what_is_empty_may_be_left_out() {
        let desired =
            json!({"egress": [], "nodeSelector": {}, "paused": false, "selector": {"matchLabels": {}}});
        assert!(matches(&json!({"selector": {}}), &desired));
        let token = json!({"automountServiceAccountToken": false});
        assert!(!matches(&json!({}), &token), "without it there would be one");
    }

    #[test]
    fn terms_of_one_topology_key_are_compared_in_order() {
        let term = |app: &str| json!({"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": "zone"});
        let terms =
            |apps: [&str; 2]| json!({"requiredDuringSchedulingIgnoredDuringExecution": apps.map(term)});
        assert!(matches(&terms(["a", "b"]), &terms(["a", "b"])));
        assert!(!matches(&terms(["b", "a"]), &terms(["a", "b"])));
    }

    #[test]
    fn the_digits_give_away_a_field_that_is_no_longer_asked_for() {
        let with = with_hashes(json!({"spec": {"nodeSelector": {"disk": "ssd"}}}));
        let without = with_hashes(json!({"spec": {}}));
        assert!(matches(&with, &with) && matches(&without, &without));
        assert!(!matches(&with, &without), "the selector must go");
    }
}
