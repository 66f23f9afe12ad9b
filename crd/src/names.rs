//! The syntax of names, labels and addresses, as patterns and CEL rules of the schema: the same for the API
//! server and offline.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

/// The pattern of a DNS subdomain (RFC 1123): the name of most objects.
pub const SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// The pattern of a qualified name: the key of a label, an annotation, a taint, a topology. It has an
/// optional subdomain, `/`, and at most 63 characters.
pub const QUALIFIED: &str = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";

/// The pattern of a label's value.
pub const LABEL_VALUE: &str = r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$";

/// The pattern of a host with an optional port. The last part of a host name does not start with a digit, so
/// that an IPv4 address with too many numbers is not taken for a name.
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

/// CEL: the URL of a server with an optional path, without user, query and fragment.
pub const IS_SERVER: &str = concat!("self.matches(r'^https?://", host_and_port!(), r"(/[^\s?#]*)?$')");

/// CEL: an http or https URL with optional user, path, query and fragment.
pub const IS_PAGE: &str =
    concat!("self.matches(r'^https?://([^\\s/?#@]+@)?", host_and_port!(), r"([/?#]\S*)?$')");

/// CEL: as [`IS_PAGE`], or any `s3://` URL.
pub const IS_FILE: &str = concat!(
    "self.startsWith('s3://') || self.matches(r'^https?://([^\\s/?#@]+@)?",
    host_and_port!(),
    r"([/?#]\S*)?$')"
);

/// The message of [`IS_SERVER`], [`IS_PAGE`] and [`IS_FILE`].
pub const NO_HOST: &str = "must have a host that is a name or an address, and a port of at most 65535 if any";

/// CEL: a host in brackets is an IPv6 address.
pub const BRACKETS_HOLD_IPV6: &str =
    r"!self.matches('^[a-z0-9]+://([^/]*@)?\\[') || isIP(self.split('[')[1].split(']')[0])";

/// The schema of labels: qualified names and values, at most 64.
pub fn labels(_: &mut SchemaGenerator) -> Schema {
    schema(json!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": { "type": "string", "maxLength": 63, "pattern": LABEL_VALUE },
        "x-kubernetes-validations": [keys()],
    }))
}

/// The schema of labels that may be null: an absent field has another meaning than an empty one.
pub fn optional_labels(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = labels(generator);
    schema.insert("nullable".to_owned(), json!(true));
    schema
}

/// The schema of annotations: qualified names and any text, at most 64.
pub fn annotations(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = BTreeMap::<String, String>::json_schema(generator);
    schema.insert("maxProperties".to_owned(), json!(64));
    schema.insert("x-kubernetes-validations".to_owned(), json!([keys()]));
    schema
}

/// The CEL rule that the keys of a map are qualified names.
fn keys() -> Value {
    json!({
        "rule": format!("self.all(key, key.matches('{}'))", QUALIFIED.replace('\\', r"\\")),
        "message": "each key must be a qualified name, such as team or example.com/team",
    })
}

/// Turn a JSON object into a schema.
pub(crate) fn schema(schema: Value) -> Schema {
    Schema::try_from(schema).expect("an object is a schema")
}
