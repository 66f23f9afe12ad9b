//! `kubectl anomaly` on a real cluster, as kubectl runs it: `tests/on-cluster plugin`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::place::{Place, sample};

/// `kubectl anomaly` with these arguments, on the cluster of the tests.
fn kubectl(place: &Place, arguments: &[&str]) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // `tests/on-cluster` has built the plugin into the same folder as this test.
    let built = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
    let mut command = Command::new("bash");
    let script = r#"eval "$(tests/cluster/env)"; PATH="$0:$PATH" exec kubectl anomaly "$@""#;
    command.current_dir(root).args(["-c", script]).arg(built);
    command.args(arguments).args(["--namespace", &place.namespace]);
    command
}

/// The output of a run that succeeds.
pub fn printed(place: &Place, arguments: &[&str]) -> String {
    let output = kubectl(place, arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/on-cluster plugin"]
async fn detectors_are_asked_through_the_api_server() {
    let place = Place::new("plugin").await;
    place.apply(&sample("quickstart.yaml", "pump")).await.unwrap();
    place.ready("pump").await;

    assert!(printed(&place, &["predict", "pump", "0.95"]).starts_with("normal, severity "));
    assert!(printed(&place, &["predict", "pump", "1.5"]).starts_with("anomalous, severity "));
    assert!(printed(&place, &["explain", "pump", "1.5"]).contains("value    100 %   Value     high"));
    assert!(printed(&place, &["top"]).lines().nth(1).unwrap().starts_with("pump"));
    assert!(printed(&place, &["verdicts", "pump"]).starts_with("TIME"));
    kubectl(&place, &["events", "pump"]).status().unwrap();

    let mut following =
        kubectl(&place, &["verdicts", "pump", "-f", "-o", "json"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(following.stdout.take().unwrap()).lines();
    assert_eq!(lines.take(25).filter(|line| line.as_ref().unwrap().contains("severity")).count(), 25);
    following.kill().unwrap();
    following.wait().unwrap();

    let mut open = kubectl(&place, &["open", "pump", "--no-browser"]).stdout(Stdio::piped()).spawn().unwrap();
    let address = BufReader::new(open.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    let page = reqwest::Client::new().get(&address).header("accept", "text/html").send().await.unwrap();
    assert!(page.text().await.unwrap().contains("<title>Detector</title>"));
    open.kill().unwrap();
    open.wait().unwrap();

    let unknown = kubectl(&place, &["verdicts", "other"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no such detector"));
    place.leave().await;
}
