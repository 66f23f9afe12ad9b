//! TLS, client certificates and tokens on the predict port, each by the program and a TLS client.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

use crate::running::{Running, ask_with, wait_for};

const TOKEN: &str = "a-token-of-the-plant";
const OTHER_TOKEN: &str = "another-token-of-the-plant";

const MANIFEST: &str = "
apiVersion: anomaly.dev/v1alpha1
kind: AnomalyDetector
metadata: {name: boiler}
spec:
  sources:
  - {name: cellar, simulated: {sensors: [{name: heat, baseline: 0.5, noise: {uniform: {halfWidth: 0.5}}}]}}
  model: {train: {samples: 500}}
";

/// A private certificate authority.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a name and its key, in PEM.
    fn signed(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    /// Write the files that cert-manager writes.
    fn write_to(&self, folder: &Path) {
        let (certificate, key) = self.signed("localhost");
        std::fs::write(folder.join("tls.key"), key).unwrap();
        std::fs::write(folder.join("tls.crt"), certificate).unwrap();
    }
}

/// The answer to `POST /predict` by a client that trusts one authority, and perhaps has a certificate.
fn ask_by_tls(
    running: &Running,
    trusted: &Authority,
    own: Option<&(String, String)>,
) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.pem().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into());
    let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let config = match own {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => config
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(running.predict)?);
    stream.write_all(b"POST /predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 13\r\n\r\n{\"value\":0.5}")?;
    let mut answer = String::new();
    match stream.read_to_string(&mut answer) {
        Err(error) if answer.is_empty() => Err(error),
        _ => Ok(answer),
    }
}

fn folder(manifest: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("detector.yaml"), manifest).unwrap();
    folder
}

fn start(folder: &TempDir, arguments: &[&str]) -> Running {
    let running = Running::start(folder.path(), Path::new("detector.yaml"), arguments);
    running.until_serving();
    running
}

#[test]
fn predictions_come_by_tls_and_a_new_certificate_needs_no_restart() {
    let folder = folder(MANIFEST);
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    first.write_to(folder.path());
    let running = start(&folder, &["--tls", "."]);
    let answer = ask_by_tls(&running, &first, None).unwrap();
    assert!(answer.ends_with("{\"anomaly\":0}"), "{answer}");
    let plain = ask_with(running.predict, "POST /predict", "", "{\"value\":0.5}").unwrap();
    assert_eq!(plain, (400, "{\"error\":\"expected HTTPS on this port, got something else\"}\n".to_owned()));
    std::fs::write(folder.path().join("tls.crt"), "half of it").unwrap();
    assert!(ask_by_tls(&running, &first, None).is_ok(), "the old one stays while the new one is of no use");
    second.write_to(folder.path());
    wait_for("the new certificate", || ask_by_tls(&running, &second, None).is_ok().then_some(()));
    assert!(ask_by_tls(&running, &first, None).is_err());
}

#[test]
fn with_a_client_ca_clients_need_a_certificate_of_it() {
    let folder = folder(MANIFEST);
    let (plant, elsewhere) = (Authority::new("plant"), Authority::new("elsewhere"));
    plant.write_to(folder.path());
    std::fs::write(folder.path().join("ca.crt"), plant.pem()).unwrap();
    let running = start(&folder, &["--tls", ".", "--client-ca", "ca.crt"]);
    let of_plant = plant.signed("client");
    assert!(ask_by_tls(&running, &plant, Some(&of_plant)).unwrap().starts_with("HTTP/1.1 200"));
    assert!(ask_by_tls(&running, &plant, None).is_err());
    assert!(ask_by_tls(&running, &plant, Some(&elsewhere.signed("client"))).is_err());
}

#[test]
fn requests_need_a_token_of_the_file_as_it_is_now() {
    let folder = folder(MANIFEST);
    let tokens = folder.path().join("tokens");
    std::fs::write(&tokens, TOKEN).unwrap();
    let running = start(&folder, &["--tokens", "tokens", "--cors-origin", "https://example.org"]);
    let ask = |header: &str| ask_with(running.predict, "POST /predict", header, "{\"value\":0.5}").unwrap();
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let (code, error) = ask("");
    let expected = "{\"error\":\"expected the header Authorization: Bearer TOKEN with a valid token\"}";
    assert_eq!((code, &*error), (401, expected));
    assert_eq!(ask(&bearer(OTHER_TOKEN)).0, 401);
    assert_eq!(ask(&bearer(TOKEN)), (200, "{\"anomaly\":0}".to_owned()));
    let preflight = "Origin: https://example.org\r\nAccess-Control-Request-Method: POST\r\n";
    assert_eq!(ask_with(running.predict, "OPTIONS /predict", preflight, "").unwrap().0, 200);
    let metrics = ask_with(running.metrics, "GET /metrics", "", "").unwrap();
    assert_eq!(metrics.0, 200, "scrapes and probes need none");
    std::fs::write(&tokens, format!("{TOKEN}\n{OTHER_TOKEN}\n")).unwrap();
    wait_for("the second token", || (ask(&bearer(OTHER_TOKEN)).0 == 200).then_some(()));
    assert_eq!(ask(&bearer(TOKEN)).0, 200);
    std::fs::write(&tokens, OTHER_TOKEN).unwrap();
    wait_for("the first token to be gone", || (ask(&bearer(TOKEN)).0 == 401).then_some(()));
}

/// `POST /predict` by HTTP/2 without a token; the status and the answer's body.
async fn ask_without_token(
    running: &Running,
    body: impl Stream<Item = Bytes> + Send + 'static,
) -> (u16, Bytes) {
    let stream = tokio::net::TcpStream::connect(running.predict).await.unwrap();
    let (mut sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let body = StreamBody::new(Box::pin(body.map(|piece| Ok::<_, Infallible>(Frame::data(piece)))));
    let request = Request::post(format!("http://{}/predict", running.predict)).body(body).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    (answer.status().as_u16(), answer.into_body().collect().await.unwrap().to_bytes())
}

/// Clients lose an answer if its stream is reset while they send (curl 7.88 says "Stream error in the HTTP/2
/// framing layer"): so a short rest of the request is read first, and an endless one is not waited for.
#[actix_web::test]
async fn a_refusal_by_http2_waits_for_a_short_rest_of_its_request() {
    let folder = folder(MANIFEST);
    std::fs::write(folder.path().join("tokens"), TOKEN).unwrap();
    let running = start(&folder, &["--tokens", "tokens"]);
    let first = stream::iter([Bytes::from_static(b"{\"value\":")]);
    let is_sent = Arc::new(AtomicBool::new(false));
    let flag = is_sent.clone();
    let rest = stream::once(async move {
        tokio::time::sleep(Duration::from_millis(100)).await; // a client that is slow
        flag.store(true, Ordering::Relaxed);
        Bytes::from_static(b"0.5}")
    });
    let (status, body) = ask_without_token(&running, first.clone().chain(rest)).await;
    assert_eq!((status, is_sent.load(Ordering::Relaxed)), (401, true));
    assert!(body.ends_with(b"with a valid token\"}"), "{body:?}");
    assert_eq!(ask_without_token(&running, first.chain(stream::pending())).await, (401, body));
}

#[test]
fn readings_are_pushed_by_the_token_of_their_source() {
    let pushed = "
apiVersion: anomaly.dev/v1alpha1
kind: AnomalyDetector
metadata: {name: boiler}
spec:
  sources: [{name: line, http: {tokenSecretRef: {name: push, key: token}, sensors: [{name: heat}]}}]
  model: {train: {samples: 64}}
";
    let folder = folder(pushed);
    std::fs::create_dir_all(folder.path().join("credentials/line")).unwrap();
    std::fs::write(folder.path().join("credentials/line/token"), OTHER_TOKEN).unwrap();
    std::fs::write(folder.path().join("tokens"), TOKEN).unwrap();
    let arguments = ["--tokens", "tokens", "--source-credentials", "credentials"];
    let running = Running::start(folder.path(), Path::new("detector.yaml"), &arguments);
    running.until(|report| !report.is_null());
    let push = |token: &str| {
        let header = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
        ask_with(running.predict, "POST /readings", &header, "{\"heat\":1}").unwrap().0
    };
    wait_for("the source", || (push(OTHER_TOKEN) != 503).then_some(()));
    assert_ne!(push(OTHER_TOKEN), 401);
    assert_eq!(push(TOKEN), 401);
}

#[test]
fn what_the_manifest_asks_for_and_is_not_there_ends_the_program_with_a_sentence() {
    let secured = |serving: &str| format!("{MANIFEST}  serving: {serving}\n");
    let refused = |manifest: &str, arguments: &[&str]| {
        let folder = folder(manifest);
        std::fs::write(folder.path().join("short"), "secret").unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_detector"))
            .args([
                "run",
                "detector.yaml",
                "--duration",
                "1s",
                "--predict-address",
                "127.0.0.1:0",
                "--metrics-address",
                "127.0.0.1:0",
            ])
            .args(arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let tls = refused(&secured("{tls: {secretRef: {name: boiler-tls}}}"), &[]);
    assert!(tls.contains("/etc/anomaly-detector-tls/tls.crt: No such file"), "{tls}");
    let tokens = refused(&secured("{authentication: {tokensSecretRef: {name: clients, key: tokens}}}"), &[]);
    assert!(tokens.contains("/etc/anomaly-detector-tokens/tokens: No such file"), "{tokens}");
    let short = refused(MANIFEST, &["--tokens", "short"]);
    assert!(short.contains("short: line 1: a token must have at least 16 characters, got 6"), "{short}");
    assert!(!short.contains("secret"), "{short}");
    let alone = refused(MANIFEST, &["--client-ca", "short"]);
    assert!(alone.contains("--client-ca: expected --tls too"), "{alone}");
}
