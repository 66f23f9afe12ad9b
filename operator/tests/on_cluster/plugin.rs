//! `kubectl anomaly` on a real cluster, as kubectl runs it: `tests/on-cluster plugin`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::test_namespace::{TestNamespace, sample};

/// `kubectl anomaly` with these arguments, on the cluster of the tests.
fn kubectl(namespace: &TestNamespace, arguments: &[&str]) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // `tests/on-cluster` has built the plugin into the same folder as this test.
    let built = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
    let mut command = Command::new("bash");
    let script = r#"eval "$(tests/cluster/env)"; PATH="$0:$PATH" exec kubectl anomaly "$@""#;
    command.current_dir(root).args(["-c", script]).arg(built);
    command.args(arguments).args(["--namespace", &namespace.name]);
    command
}

/// The output of a run that succeeds.
pub fn printed(namespace: &TestNamespace, arguments: &[&str]) -> String {
    let output = kubectl(namespace, arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/on-cluster plugin"]
async fn detectors_are_asked_through_the_api_server() {
    let namespace = TestNamespace::new("plugin").await;
    namespace.apply(&sample("quickstart.yaml", "pump")).await.unwrap();
    namespace.ready("pump").await;

    assert!(printed(&namespace, &["predict", "pump", "0.95"]).starts_with("normal, severity "));
    assert!(printed(&namespace, &["predict", "pump", "1.5"]).starts_with("anomalous, severity "));
    assert!(printed(&namespace, &["explain", "pump", "1.5"]).contains("value    100 %   Value     high"));
    assert!(printed(&namespace, &["top"]).lines().nth(1).unwrap().starts_with("pump"));
    assert!(printed(&namespace, &["verdicts", "pump"]).starts_with("TIME"));
    kubectl(&namespace, &["events", "pump"]).status().unwrap();

    let mut following = kubectl(&namespace, &["verdicts", "pump", "-f", "-o", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(following.stdout.take().unwrap()).lines();
    assert_eq!(lines.take(25).filter(|line| line.as_ref().unwrap().contains("severity")).count(), 25);
    following.kill().unwrap();
    following.wait().unwrap();

    let mut open =
        kubectl(&namespace, &["open", "pump", "--no-browser"]).stdout(Stdio::piped()).spawn().unwrap();
    let address = BufReader::new(open.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    let page = reqwest::Client::new().get(&address).header("accept", "text/html").send().await.unwrap();
    assert!(page.text().await.unwrap().contains("<title>Detector</title>"));
    open.kill().unwrap();
    open.wait().unwrap();

    let unknown = kubectl(&namespace, &["verdicts", "other"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no such detector"));
    namespace.delete().await;
}
