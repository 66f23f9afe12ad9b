//! Kubernetes' own types for the placement of pods in; their schemas out, with the rules that the API server
//! applies to pods. It refuses in an AnomalyDetector what it would refuse in a Deployment.

use k8s_openapi::api::core::v1::{Affinity, Toleration, TopologySpreadConstraint};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use crate::names::{LABEL_VALUE, QUALIFIED, schema};

/// The most items of a list that has no limit of its own.
const MAX_ITEMS: usize = 16;
/// The most items of a requirement's `values`.
const MAX_VALUES: usize = 64;

/// The schema of tolerations.
pub fn tolerations(generator: &mut SchemaGenerator) -> Schema {
    let mut list = Vec::<Toleration>::json_schema(generator).to_value();
    list["maxItems"] = json!(64);
    let item = &mut list["items"];
    add(item, "key", json!({ "pattern": optional(QUALIFIED) }));
    add(item, "value", json!({ "pattern": LABEL_VALUE }));
    add(item, "operator", json!({ "enum": ["", "Equal", "Exists"] }));
    add(item, "effect", json!({ "enum": ["", "NoSchedule", "PreferNoSchedule", "NoExecute"] }));
    item["x-kubernetes-validations"] = json!([
        {
            "rule": "(has(self.key) && self.key != '') || (has(self.operator) && self.operator == 'Exists')",
            "message": "operator must be Exists where key is empty",
        },
        {
            "rule": "!has(self.operator) || self.operator != 'Exists' || !has(self.value) || self.value == ''",
            "message": "value must be empty where operator is Exists",
        },
        {
            "rule": "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            "message": "tolerationSeconds is allowed with the effect NoExecute only",
        },
    ]);
    schema(list)
}

/// The schema of topology spread constraints.
pub fn topology_spread_constraints(generator: &mut SchemaGenerator) -> Schema {
    let mut list = Vec::<TopologySpreadConstraint>::json_schema(generator).to_value();
    list["maxItems"] = json!(8);
    list["x-kubernetes-list-type"] = json!("map");
    list["x-kubernetes-list-map-keys"] = json!(["topologyKey", "whenUnsatisfiable"]);
    let item = &mut list["items"];
    add(item, "maxSkew", json!({ "minimum": 1 }));
    add(item, "minDomains", json!({ "minimum": 1 }));
    add(item, "whenUnsatisfiable", json!({ "enum": ["DoNotSchedule", "ScheduleAnyway"] }));
    for policy in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
        add(item, policy, json!({ "enum": ["Honor", "Ignore"] }));
    }
    item["x-kubernetes-validations"] = json!([{
        "rule": "!has(self.minDomains) || self.whenUnsatisfiable == 'DoNotSchedule'",
        "message": "minDomains is allowed with whenUnsatisfiable DoNotSchedule only",
    }]);
    refine(item, "");
    schema(list)
}

/// The schema of an affinity, which may be null.
pub fn affinity(generator: &mut SchemaGenerator) -> Schema {
    let mut affinity = Affinity::json_schema(generator).to_value();
    affinity["nullable"] = json!(true);
    refine(&mut affinity, "");
    schema(affinity)
}

/// Add the rules to every field inside of a node: terms, selectors, requirements.
fn refine(node: &mut Value, field: &str) {
    if node["type"] == "array" {
        let most = if field == "values" { MAX_VALUES } else { MAX_ITEMS };
        node.as_object_mut().map(|node| node.entry("maxItems").or_insert(json!(most)));
        refine(&mut node["items"], field);
        return;
    }
    let Some(fields) = node.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (name, child) in fields.iter_mut() {
        refine(child, name);
    }
    let is_requirement = ["key", "operator", "values"].iter().all(|name| fields.contains_key(*name));
    for (name, rules) in [
        ("topologyKey", json!({ "pattern": QUALIFIED })),
        ("weight", json!({ "minimum": 1, "maximum": 100 })),
        ("nodeSelectorTerms", json!({ "minItems": 1 })),
        ("matchLabels", json!({ "additionalProperties": { "type": "string", "pattern": LABEL_VALUE } })),
        ("matchLabelKeys", json!({ "x-kubernetes-list-type": "set" })),
        ("mismatchLabelKeys", json!({ "x-kubernetes-list-type": "set" })),
    ] {
        add(node, name, rules);
    }
    if is_requirement {
        requirement(node, field);
    }
}

/// Add the rules of a selector's requirement, for labels or for nodes.
fn requirement(node: &mut Value, field: &str) {
    let of_node =
        node["properties"]["operator"]["description"].as_str().is_some_and(|text| text.contains("Gt"));
    let operators = if of_node {
        json!(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"])
    } else {
        json!(["In", "NotIn", "Exists", "DoesNotExist"])
    };
    add(node, "operator", json!({ "enum": operators }));
    if field == "matchFields" {
        add(node, "key", json!({ "enum": ["metadata.name"] }));
    } else {
        add(node, "key", json!({ "pattern": QUALIFIED }));
    }
    node["x-kubernetes-validations"] = json!([{
        "rule": "self.operator in ['In', 'NotIn'] ? has(self.values) && self.values.size() > 0 : self.operator in ['Gt', 'Lt'] ? has(self.values) && self.values.size() == 1 : !has(self.values) || self.values.size() == 0",
        "message": "values must be set for In and NotIn, one value for Gt and Lt, none for Exists and DoesNotExist",
    }]);
}

/// Add rules to a field of an object.
fn add(object: &mut Value, field: &str, rules: Value) {
    let Value::Object(rules) = rules else { return };
    let field = object["properties"].get_mut(field).and_then(Value::as_object_mut);
    if let Some(field) = field {
        field.extend(rules);
    }
}

/// Extend a pattern so that it matches the empty text too.
fn optional(pattern: &str) -> String {
    format!("^$|{pattern}")
}
