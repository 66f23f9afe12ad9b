//! A detector that serves by TLS and to clients with tokens, requested through its Service and by the plugin:
//! `tests/on-cluster serving`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Secret, Service};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::plugin::printed;
use crate::test_namespace::{TestNamespace, sample, until, until_within};

const NAME: &str = "pump";
const TOKEN: &str = "a-token-of-the-plant";
const OTHER_TOKEN: &str = "another-token-of-the-plant";
/// The longest time until the kubelet has written a changed Secret into the pods and the detector has read
/// it.
const MOUNTED: Duration = Duration::from_mins(3);

/// Clients that call a Service by its name, as a client in the cluster does.
struct Clients<'a> {
    folder: &'a Path,
    name: String,
    address: String,
}

impl Clients<'_> {
    /// Return `BODY VERSION STATUS` of HTTP, as curl prints it; status 000 where client and server do not
    /// trust each other.
    fn predict(&self, arguments: &[&str]) -> String {
        let Self { name, address, .. } = self;
        let mut curl = Command::new("curl");
        curl.current_dir(self.folder).args(["--silent", "--max-time", "10", "--data", r#"{"value":0.95}"#]);
        curl.args([
            "--write-out",
            " %{http_version} %{http_code}",
            "--resolve",
            &format!("{name}:443:{address}"),
        ]);
        let output = curl.args(arguments).arg(format!("https://{name}/predict")).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn with_token(&self, token: &str, more: &[&str]) -> String {
        let header = format!("Authorization: Bearer {token}");
        self.predict(&[&["--cacert", "ca.pem", "--header", &header], more].concat())
    }
}

/// The HTTP status in the output of [`Clients::predict`].
fn status(printed: &str) -> &str {
    printed.rsplit(' ').next().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/on-cluster serving"]
async fn predictions_need_tls_and_a_token_and_nothing_else_changes() {
    let namespace = TestNamespace::new("serving").await;
    let name = format!("{NAME}.{}.svc", namespace.name);
    let folder = tempfile::tempdir().unwrap();
    let certified = rcgen::generate_simple_self_signed(vec![name.clone()]).unwrap();
    std::fs::write(folder.path().join("ca.pem"), certified.cert.pem()).unwrap();
    let key = certified.signing_key.serialize_pem();
    namespace.create_secret("pump-tls", &[("tls.crt", &certified.cert.pem()), ("tls.key", &key)]).await;
    namespace.create_secret("pump-clients", &[("tokens", TOKEN)]).await;

    let mut manifest = sample("quickstart.yaml", NAME);
    manifest["spec"]["service"] = json!({"port": 443});
    manifest["spec"]["serving"] = json!({
        "tls": {"secretRef": {"name": "pump-tls"}},
        "authentication": {"tokensSecretRef": {"name": "pump-clients", "key": "tokens"}},
    });
    namespace.apply(&manifest).await.unwrap();
    let detector = namespace.ready(NAME).await; // probes, and the operator's look at the pod, by the other port
    assert_eq!(detector["status"]["endpoint"], format!("https://{name}"));

    let services: Api<Service> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let address = services.get(NAME).await.unwrap().spec.unwrap().cluster_ip.unwrap();
    let clients = Clients { folder: folder.path(), name, address };
    // kube-proxy makes a new Service's address known a moment after its pods are Ready.
    until("the Service's address", async || {
        (status(&clients.predict(&["--insecure"])) != "000").then_some(())
    })
    .await;
    assert_eq!(clients.with_token(TOKEN, &["--http1.1"]), "{\"anomaly\":0} 1.1 200");
    assert_eq!(clients.with_token(TOKEN, &["--http2"]), "{\"anomaly\":0} 2 200");
    assert_eq!(status(&clients.with_token(OTHER_TOKEN, &[])), "401");
    assert_eq!(status(&clients.predict(&["--cacert", "ca.pem"])), "401");
    assert_eq!(status(&clients.predict(&[])), "000", "nobody has signed the certificate");
    assert!(printed(&namespace, &["predict", NAME, "1.5"]).starts_with("anomalous, severity "));

    let pods = namespace.pod_uids(NAME).await;
    let both = json!({"stringData": {"tokens": format!("{TOKEN}\n{OTHER_TOKEN}\n")}});
    let secrets: Api<Secret> = Api::namespaced(namespace.client.clone(), &namespace.name);
    secrets.patch("pump-clients", &PatchParams::default(), &Patch::Merge(both)).await.unwrap();
    until_within(MOUNTED, "answer to the new token", async || {
        (status(&clients.with_token(OTHER_TOKEN, &[])) == "200").then_some(())
    })
    .await;
    assert_eq!(namespace.pod_uids(NAME).await, pods, "a new token needs no restart");
    namespace.delete().await;
}
