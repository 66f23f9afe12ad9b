//! An API server that restarts or stops for a while, on the cluster that `tests/cluster/up` started:
//! `tests/on-cluster outages`. The operator may be a single replica.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use http::Request;
use kube::Client;
use operator::resources::Kind;
use serde_json::json;

use crate::test_namespace::{TestNamespace, sample, until_within};

/// The longest time from the first answer of the API server to the first status of a new detector.
const MAX_DEAF: Duration = Duration::from_secs(15);
/// How long the API server is stopped: longer than the duration of the Lease.
const AWAY: Duration = Duration::from_secs(40);

/// A script of `tests/cluster`.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cluster").join(name)
}

async fn answers(client: &Client) -> bool {
    client.request_text(Request::get("/readyz").body(Vec::new()).unwrap()).await.is_ok()
}

/// Seconds from the first answer of the API server until a new detector has a status and objects.
async fn first_status(namespace: &TestNamespace, name: &str) -> f64 {
    until_within(Duration::from_mins(2), "answer of the API server", async || {
        answers(&namespace.client).await.then_some(())
    })
    .await;
    let began = Instant::now();
    until_within(Duration::from_mins(1), "new detector", async || {
        namespace.apply(&sample("quickstart.yaml", name)).await.ok()
    })
    .await;
    until_within(Duration::from_mins(8), "status of a new detector", async || {
        let detector = json!(namespace.detectors().get(name).await.ok()?);
        detector["status"]["conditions"].is_array().then_some(())
    })
    .await;
    let elapsed = began.elapsed();
    assert!(namespace.find(Kind::Deployment, name).await.is_some());
    elapsed.as_secs_f64()
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster outages"]
async fn an_api_server_that_restarts_or_was_away_is_followed_within_seconds() {
    let namespace = TestNamespace::alone("outages").await;
    namespace.apply(&sample("quickstart.yaml", "before")).await.unwrap();
    namespace.ready("before").await;

    assert!(Command::new(script("restart")).arg("apiserver").status().unwrap().success());
    let deaf = first_status(&namespace, "after-restart").await;

    let away = Command::new(script("restart")).args(["apiserver", &AWAY.as_secs().to_string()]).status();
    assert!(away.unwrap().success());
    let recovery = first_status(&namespace, "after-outage").await;
    println!("figures: deaf_after_api_restart_s={deaf:.1} api_away_recovery_s={recovery:.1}");
    assert!(deaf < MAX_DEAF.as_secs_f64(), "{deaf} s after a restart");
    assert!(recovery < MAX_DEAF.as_secs_f64(), "{recovery} s after {AWAY:?} without an API server");
    namespace.delete().await;
}
