//! The object that should be and the object that is in, whether there is something to write out.
//!
//! The API server fills in defaults and other people add fields of their own, so the stored object is always larger
//! than ours. It is as it should be when it says everything that ours says, and carries the digits of ours: those
//! give away a field that was once applied and is no longer.

use crd::digest;
use serde_json::{Map, Value, json};

/// The annotation with the digits of what was applied last.
const APPLIED: &str = "anomaly.dev/applied";

/// Fields by which an item of a list is known, so that others may add items of their own.
const ITEM_KEYS: [&str; 3] = ["uid", "name", "topologyKey"];

/// The object with the digits of its own content in an annotation.
pub fn stamped(mut desired: Value) -> Value {
    let digits = digest::short(desired.to_string().as_bytes());
    if !desired["metadata"]["annotations"].is_object() {
        desired["metadata"]["annotations"] = json!({});
    }
    desired["metadata"]["annotations"][APPLIED] = json!(digits);
    desired
}

/// Whether the stored object says all that the desired one says.
pub fn says(stored: &Value, desired: &Value) -> bool {
    match (stored, desired) {
        (_, Value::Null) => true,
        (Value::Object(stored), Value::Object(desired)) => {
            desired.iter().all(|(key, wanted)| says_field(stored, key, wanted))
        }
        (Value::Array(stored), Value::Array(desired)) => says_list(stored, desired),
        (Value::Null, Value::Object(desired)) => desired.is_empty(),
        (Value::Null, Value::Array(desired)) => desired.is_empty(),
        _ => stored == desired,
    }
}

fn says_field(stored: &Map<String, Value>, key: &str, wanted: &Value) -> bool {
    let stored = stored.get(key).unwrap_or(&Value::Null);
    match (key, stored, wanted) {
        ("requests" | "limits", Value::Object(stored), Value::Object(wanted)) => {
            wanted.iter().all(|(name, amount)| same_amount(stored.get(name), amount))
        }
        _ => says(stored, wanted),
    }
}

fn says_list(stored: &[Value], desired: &[Value]) -> bool {
    let key = ITEM_KEYS.into_iter().find(|key| desired.iter().all(|item| item.get(key).is_some()));
    match key {
        Some(key) => desired.iter().all(|item| {
            stored.iter().find(|other| other.get(key) == item.get(key)).is_some_and(|other| says(other, item))
        }),
        None => {
            stored.len() == desired.len()
                && stored.iter().zip(desired).all(|(stored, item)| says(stored, item))
        }
    }
}

/// Quantities are the same amount though spelled differently: the API server turns `0.5` into `500m`.
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
        assert!(says(&stored, &desired));
        assert!(!says(&desired, &stored));
    }

    #[test]
    fn an_edited_field_a_lost_item_and_an_added_argument_are_drift() {
        let desired = json!({"containers": [{"name": "detector", "args": ["run", "file"]}]});
        let edited = json!({"containers": [{"name": "detector", "args": ["run", "other"]}]});
        let lost = json!({"containers": [{"name": "sidecar"}]});
        let longer = json!({"containers": [{"name": "detector", "args": ["run", "file", "--verbose"]}]});
        let beside =
            json!({"containers": [{"name": "sidecar"}, {"name": "detector", "args": ["run", "file"]}]});
        assert!(!says(&edited, &desired) && !says(&lost, &desired) && !says(&longer, &desired));
        assert!(says(&beside, &desired));
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
            assert!(says(&limits(stored), &limits(wanted)), "{stored} is {wanted}");
        }
        assert!(!says(&limits("1"), &limits("1001m")));
        assert!(!says(&limits("1M"), &limits("1Mi")));
        assert!(!says(&json!({"limits": {}}), &limits("1")));
    }

    #[test]
    fn the_digits_give_away_a_field_that_is_no_longer_asked_for() {
        let with = stamped(json!({"spec": {"nodeSelector": {"disk": "ssd"}}}));
        let without = stamped(json!({"spec": {}}));
        assert!(says(&with, &with) && says(&without, &without));
        assert!(!says(&with, &without), "the selector must go");
    }
}
