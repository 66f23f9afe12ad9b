//! `anomalydetectors.yaml` in; the schema of its one version out, as JSON without documentation: a detector that starts has
//! nothing to generate, and little to read.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use serde_json::Value;

const CRD: &str = "anomalydetectors.yaml";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={CRD}");
    println!("cargo::rerun-if-changed=build.rs");
    let crd: Value = serde_saphyr::from_str(&fs::read_to_string(CRD)?)?;
    let mut schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
    undocument(&mut schema);
    fs::write(Path::new(&env::var("OUT_DIR")?).join("schema.json"), schema.to_string())?;
    Ok(())
}

/// Leave out what says nothing of which documents are valid, at every level.
fn undocument(schema: &mut Value) {
    let Value::Object(node) = schema else { return };
    if node.get("description").is_some_and(Value::is_string) {
        node.remove("description");
    }
    for (key, child) in node.iter_mut() {
        match (key.as_str(), child) {
            ("properties", Value::Object(fields)) => fields.values_mut().for_each(undocument),
            ("items" | "additionalProperties", child) => undocument(child),
            _ => {}
        }
    }
}
