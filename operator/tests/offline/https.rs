//! /metrics by HTTPS, for clients that the cluster allows: the real server, a self-signed certificate, a
//! scripted API server.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use operator::client::cache::Caches;
use operator::client::health::{Health, Phase};
use operator::client::lease::Leadership;
use operator::serving::authorization::Authorization;
use operator::serving::http::{State, serve};
use operator::serving::tls;
use operator::settings::TlsFiles;
use operator::telemetry::metrics::Metrics;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

/// An API server that knows two tokens: `prometheus`, which may read the metrics, and `visitor`, which may
/// not.
fn api_server() -> Client {
    let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    tokio::spawn(async move {
        while let Some((request, send)) = handle.next_request().await {
            let path = request.uri().path().to_owned();
            let body = request.into_body().collect_bytes().await.unwrap();
            let mut review: Value = serde_json::from_slice(&body).unwrap();
            review["status"] = match path.as_str() {
                "/apis/authentication.k8s.io/v1/tokenreviews" => {
                    let token = review["spec"]["token"].as_str().unwrap().to_owned();
                    let known = ["prometheus", "visitor"].contains(&token.as_str());
                    json!({"authenticated": known, "user": {"username": token, "groups": ["system:authenticated"]}})
                }
                "/apis/authorization.k8s.io/v1/subjectaccessreviews" => {
                    let asked = json!({"path": "/metrics", "verb": "get"});
                    assert_eq!(review["spec"]["nonResourceAttributes"], asked);
                    assert_eq!(review["spec"]["groups"], json!(["system:authenticated"]));
                    json!({"allowed": review["spec"]["user"] == "prometheus"})
                }
                other => panic!("nobody should ask for {other}"),
            };
            send.send_response(Response::new(Body::from(review.to_string().into_bytes())));
        }
    });
    Client::new(service, "default")
}

/// Write a certificate for localhost and its key into the folder.
fn certified(folder: &Path) -> TlsFiles {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let files = TlsFiles { certificate: folder.join("tls.crt"), key: folder.join("tls.key") };
    std::fs::write(&files.key, certified.signing_key.serialize_pem()).unwrap();
    std::fs::write(&files.certificate, certified.cert.pem()).unwrap();
    files
}

fn free_port() -> u16 {
    TcpListener::bind("[::]:0").unwrap().local_addr().unwrap().port()
}

/// Return (status line, body) of a request: by TLS that trusts the certificate in the file `trusted`, or
/// without TLS.
fn get(port: u16, path: &str, token: Option<&str>, trusted: Option<&Path>) -> Option<(String, String)> {
    let authorization = token.map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"));
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}Connection: close\r\n\r\n");
    let mut stream = TcpStream::connect(("localhost", port)).unwrap();
    let mut answer = String::new();
    if let Some(certificate) = trusted {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into());
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        stream.write_all(request.as_bytes()).ok()?;
        stream.read_to_string(&mut answer).ok()?;
    } else {
        stream.write_all(request.as_bytes()).ok()?;
        stream.read_to_string(&mut answer).ok()?;
    }
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.lines().next()?.to_owned(), body.to_owned()))
}

async fn ask(
    port: u16,
    path: &'static str,
    token: Option<&'static str>,
    trusted: Option<&Path>,
) -> Option<(String, String)> {
    let trusted = trusted.map(Path::to_owned);
    tokio::task::spawn_blocking(move || get(port, path, token, trusted.as_deref())).await.unwrap()
}

/// Start a server that runs until the test ends. Return (HTTP port, HTTPS port, certificate files).
fn started(guard: Option<Authorization>, folder: &Path) -> (u16, u16, TlsFiles) {
    let (http, https, files) = (free_port(), free_port(), certified(folder));
    let health = Health::default();
    health.enter(Phase::Running);
    let state = State {
        metrics: Metrics::new(),
        leadership: Leadership::without_election(),
        caches: Caches::default(),
        health,
        metrics_by_tls_only: true,
        authorization: guard,
    };
    let config = tls::config(files.clone()).unwrap();
    tokio::spawn(serve(state, http, Some((https, config))).unwrap());
    (http, https, files)
}

#[tokio::test]
async fn metrics_are_for_those_whom_the_cluster_lets() {
    let folder = tempfile::tempdir().unwrap();
    let (_, https, files) = started(Some(Authorization::new(api_server())), folder.path());
    for (token, status, words) in [
        (None, "HTTP/1.1 401 Unauthorized", "expected the header Authorization: Bearer TOKEN"),
        (Some("nobody"), "HTTP/1.1 401 Unauthorized", "the cluster does not accept the token"),
        (Some("visitor"), "HTTP/1.1 403 Forbidden", "visitor may not get /metrics"),
        (Some("prometheus"), "HTTP/1.1 200 OK", "anomaly_operator_leader 1"),
    ] {
        let (said, body) = ask(https, "/metrics", token, Some(&files.certificate)).await.unwrap();
        assert_eq!(said, status, "{token:?}");
        assert!(body.contains(words), "{body}");
    }
}

#[tokio::test]
async fn without_tls_there_are_probes_and_no_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let (http, https, files) = started(None, folder.path());
    let status = async |port, path, trusted| ask(port, path, None, trusted).await.unwrap().0;
    assert_eq!(status(http, "/metrics", None).await, "HTTP/1.1 404 Not Found");
    assert_eq!(status(http, "/readyz", None).await, "HTTP/1.1 200 OK");
    assert_eq!(status(https, "/metrics", Some(&files.certificate)).await, "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_certificate_that_is_replaced_is_served_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (_, https, files) = started(None, folder.path());
    assert!(ask(https, "/metrics", None, Some(&files.certificate)).await.is_some());
    let old = folder.path().join("old.crt");
    std::fs::copy(&files.certificate, &old).unwrap();
    let later = std::fs::metadata(&files.certificate).unwrap().modified().unwrap()
        + std::time::Duration::from_secs(9);
    certified(folder.path());
    std::fs::File::options().append(true).open(&files.certificate).unwrap().set_modified(later).unwrap();
    assert!(ask(https, "/metrics", None, Some(&files.certificate)).await.is_some());
    assert!(ask(https, "/metrics", None, Some(&old)).await.is_none());
}

#[test]
fn a_certificate_that_is_none_is_refused_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let files = TlsFiles { certificate: folder.path().join("tls.crt"), key: folder.path().join("tls.key") };
    let said = tls::config(files).unwrap_err().to_string();
    assert!(said.contains("tls.crt: "), "{said}");
}
