//! The syntax of what Kubernetes calls names, labels and addresses, as schemas say it: the same patterns and rules for the API
//! server and offline.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

/// A DNS subdomain (RFC 1123), as most objects are called.
pub const SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// A qualified name: the key of a label, an annotation, a taint, a topology. An optional subdomain, `/`, at most 63 characters.
pub const QUALIFIED: &str = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";

/// The value of a label.
pub const LABEL_VALUE: &str = r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$";

/// A host and perhaps a port, as patterns of addresses hold it. The last part of a name starts with no digit, so that it
/// is no address with too many numbers.
macro_rules! host_and_port {
    () => {
        concat!(
            r"(([A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?\.)*[A-Za-z_]([A-Za-z0-9_-]*[A-Za-z0-9_])?\.?",
            r"|((25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])",
            r"|\[[0-9A-Fa-f:.]+\])",
            r"(:([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?",
        )
    };
}

/// CEL: a server and perhaps a path, without user, query and fragment.
pub const IS_SERVER: &str = concat!("self.matches(r'^https?://", host_and_port!(), r"(/[^\s?#]*)?$')");

/// CEL: a page of a server.
pub const IS_PAGE: &str =
    concat!("self.matches(r'^https?://([^\\s/?#@]+@)?", host_and_port!(), r"([/?#]\S*)?$')");

/// CEL: a page of a server, or an object of a bucket.
pub const IS_FILE: &str = concat!(
    "self.startsWith('s3://') || self.matches(r'^https?://([^\\s/?#@]+@)?",
    host_and_port!(),
    r"([/?#]\S*)?$')"
);

/// What those rules say.
pub const NO_HOST: &str = "must have a host that is a name or an address, and a port of at most 65535 if any";

/// CEL: what stands in brackets is an address of IPv6.
pub const BRACKETS_HOLD_IPV6: &str =
    r"!self.matches('^[a-z0-9]+://([^/]*@)?\\[') || isIP(self.split('[')[1].split(']')[0])";

/// Labels: qualified names and values, at most 64.
pub fn labels(_: &mut SchemaGenerator) -> Schema {
    schema(json!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": { "type": "string", "maxLength": 63, "pattern": LABEL_VALUE },
        "x-kubernetes-validations": [keys()],
    }))
}

/// The same, where an absent field means something else than an empty one.
pub fn optional_labels(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = labels(generator);
    schema.insert("nullable".to_owned(), json!(true));
    schema
}

/// Annotations: qualified names and any text, at most 64.
pub fn annotations(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = BTreeMap::<String, String>::json_schema(generator);
    schema.insert("maxProperties".to_owned(), json!(64));
    schema.insert("x-kubernetes-validations".to_owned(), json!([keys()]));
    schema
}

/// CEL: the keys of a map are qualified names.
fn keys() -> Value {
    json!({
        "rule": format!("self.all(key, key.matches('{}'))", QUALIFIED.replace('\\', r"\\")),
        "message": "each key must be a qualified name, such as team or example.com/team",
    })
}

/// A schema of an object that is one.
pub(crate) fn schema(schema: Value) -> Schema {
    Schema::try_from(schema).expect("an object is a schema")
}
