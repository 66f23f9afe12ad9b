//! Every spec of crd's table, applied as a user does: kubectl, the API server, and the objects that the
//! operator builds accept the specs that `detector validate` accepts, and refuse those that it refuses.
//! `tests/on-cluster verdicts`.

use std::io::Write;
use std::process::{Command, Stdio};

use clap::Parser;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use kube::api::PostParams;
use operator::plan::{CurrentState, Plan};
use operator::resources;
use operator::settings::Settings;

use crate::test_namespace::TestNamespace;

#[path = "../../../crd/tests/specs/table.rs"]
mod table;

#[derive(clap::Parser)]
struct Program {
    #[command(flatten)]
    settings: Settings,
}

/// The operator's own defaults.
fn settings() -> Settings {
    Program::parse_from(["operator"]).settings
}

/// The number of specs that are tried at the same time.
const AT_ONCE: usize = 3;

/// Send a document by kubectl to the API server, which checks it without storing it.
fn kubectl(document: &str, namespace: &str) -> Result<(), String> {
    let arguments =
        ["--namespace", namespace, "apply", "--dry-run=server", "--validate=strict", "--filename", "-"];
    let piped = || Stdio::piped();
    let mut kubectl = Command::new("kubectl")
        .args(arguments)
        .stdin(piped())
        .stdout(piped())
        .stderr(piped())
        .spawn()
        .unwrap();
    kubectl.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    let output = kubectl.wait_with_output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// Send the objects that the operator builds of an accepted detector to the API server, which checks them
/// without storing them.
async fn objects(namespace: &TestNamespace, document: &str) -> Result<(), String> {
    let mut detector =
        crd::manifest::one_detector(document).map_err(|error| error.to_string())?.detector().clone();
    detector.metadata.namespace = Some(namespace.name.clone());
    detector.metadata.uid = Some("00000000-0000-0000-0000-000000000000".to_owned());
    let plan = Plan::new(&detector, &CurrentState::default(), &settings(), Timestamp::now())
        .map_err(|error| error.to_string())?;
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    for (kind, object) in resources::build(&plan).into_objects() {
        let Some(object) = object.filter(|_| !kind.is_monitoring()) else { continue };
        let object = serde_json::from_value(object).unwrap();
        namespace.api(kind).create(&dry_run, &object).await.map_err(|error| format!("{kind:?}: {error}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/on-cluster verdicts"]
async fn the_api_server_and_validate_agree_on_every_spec() {
    let own_namespace = TestNamespace::new("verdicts").await;
    let namespace = &own_namespace;
    let verdicts = stream::iter(table::cases()).map(|case| async move {
        let validated =
            crd::manifest::one_detector(&case.document).map(|_| ()).map_err(|error| error.to_string());
        let (document, name) = (case.document.clone(), namespace.name.clone());
        let mut served = tokio::task::spawn_blocking(move || kubectl(&document, &name)).await.unwrap();
        if served.is_ok() && validated.is_ok() {
            served = objects(namespace, &case.document).await;
        }
        let agree = validated.is_ok() == served.is_ok() && served.is_ok() == case.accepted;
        (!agree).then(|| format!("{}\n    validate: {validated:?}\n    cluster: {served:?}", case.line))
    });
    let verdicts: Vec<Option<String>> = verdicts.buffer_unordered(AT_ONCE).collect().await;
    let differ: Vec<&String> = verdicts.iter().flatten().collect();
    println!(
        "figures: spec_verdicts_agree={} spec_verdicts={}",
        verdicts.len() - differ.len(),
        verdicts.len()
    );
    assert!(differ.is_empty(), "{differ:#?}");
    own_namespace.delete().await;
}
