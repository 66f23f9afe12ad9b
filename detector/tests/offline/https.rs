//! HTTPS with a server on this machine whose certificate only the environment trusts (`SSL_CERT_FILE`), for
//! models that are loaded and for webhooks that are called.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use detector::ingest::reading::Readings;
use detector::model::training::{TrainingSet, learn};
use jiff::Timestamp;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const PATIENCE: Duration = Duration::from_mins(1);

/// A TLS server that gives all clients the same answer. It lives as long as the test program.
struct Server {
    url: String,
    certificate: PathBuf,
    /// Each request, or the error instead.
    received: Receiver<io::Result<String>>,
}

impl Server {
    fn start(folder: &Path, answer: Vec<u8>) -> Self {
        let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let certificate = folder.join("tls.crt");
        std::fs::write(&certificate, certified.cert.pem()).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into());
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = Arc::new(config.with_single_cert(vec![certified.cert.der().clone()], key).unwrap());
        let listener = TcpListener::bind("localhost:0").unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let (sender, received) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(config.clone()).unwrap();
                let request = served(StreamOwned::new(connection, stream.unwrap()), &answer);
                if sender.send(request).is_err() {
                    return;
                }
            }
        });
        Self { url, certificate, received }
    }

    fn next(&self) -> io::Result<String> {
        self.received.recv_timeout(PATIENCE).expect("the detector asks in time")
    }
}

/// Read a request, answer it, and return its head and body.
fn served(stream: impl Read + Write, answer: &[u8]) -> io::Result<String> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        if stream.read_line(&mut request)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let length = request.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body)?;
    request += std::str::from_utf8(&body).unwrap();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", answer.len());
    stream.get_mut().write_all(head.as_bytes())?;
    stream.get_mut().write_all(answer)?;
    stream.get_mut().flush()?;
    Ok(request)
}

/// A detector; killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Running {
    /// Run this spec with the system's certificate authorities, or with those in the file.
    fn start(folder: &Path, spec: &str, authorities: Option<&Path>) -> Self {
        let manifest = folder.join("fan.yaml");
        let head = "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {name: fan}\nspec:\n  interval: 100ms\n  \
            sources: [{name: s, simulated: {sensors: [{name: speed, noise: {gaussian: {standardDeviation: 1}}}]}}]\n";
        std::fs::write(&manifest, format!("{head}  {spec}\n")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_detector"));
        command.arg("run").arg(manifest).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.args(["--predict-address", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0"]);
        command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
        command.envs(authorities.map(|file| ("SSL_CERT_FILE", file)));
        Self(command.spawn().unwrap())
    }

    /// The first line of the output that contains the words.
    fn until(&mut self, words: &str) -> String {
        first(self.0.stdout.as_mut().unwrap(), words)
    }

    /// The first line of the log that contains the words.
    fn logged(&mut self, words: &str) -> String {
        first(self.0.stderr.as_mut().unwrap(), words)
    }
}

fn first(output: impl io::Read, words: &str) -> String {
    let mut lines = BufReader::new(output).lines().map(Result::unwrap);
    lines
        .find(|line| line.contains(words))
        .unwrap_or_else(|| panic!("it ended without a line with {words:?}"))
}

#[test]
fn a_model_is_loaded_from_a_server_that_is_vouched_for_and_from_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let readings = (0..300).map(|second: i32| Readings {
        time: Timestamp::from_second(second.into()).unwrap(),
        values: vec![Some(f64::from(second).sin())],
        truth: None,
    });
    let text = "{apiVersion: anomaly.dev/v1alpha1, kind: AnomalyDetector, metadata: {name: fan}, spec: \
        {sources: [{name: s, simulated: {sensors: [{name: speed}]}}]}}";
    let training_set = TrainingSet {
        readings: &readings.collect::<Vec<_>>(),
        until: None,
        serving: None,
        renewed_trees: None,
    };
    let model = learn(&crd::manifest::one_detector(text).unwrap(), training_set, &|_| ()).unwrap();
    let server = Server::start(folder.path(), model.bytes().to_vec());
    let spec = format!("model: {{load: {{url: '{}/fan.model'}}}}", server.url);

    let mut unknown = Running::start(folder.path(), &spec, None);
    let note = unknown.logged("model.load: ");
    assert!(note.contains("invalid peer certificate: UnknownIssuer"), "{note}");
    assert!(server.next().unwrap_err().to_string().contains("UnknownCA"));
    drop(unknown);

    let mut known = Running::start(folder.path(), &spec, Some(&server.certificate));
    assert_eq!(known.until("model sha256:"), format!("model {}", model.digest()));
    let request = std::iter::repeat_with(|| server.next()).find_map(Result::ok).unwrap();
    assert!(request.starts_with("GET /fan.model HTTP/1.1\r\n"), "{request}");
}

#[test]
fn a_webhook_is_called_where_it_is_vouched_for_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), Vec::new());
    let spec = format!(
        "model: {{train: {{samples: 300, trees: 10}}}}\n  threshold: {{score: 0.001}}\n  notifications: [{{name: chat, webhook: {{url: '{}/hook'}}}}]",
        server.url
    );
    let unknown = Running::start(folder.path(), &spec, None);
    assert!(
        server.next().unwrap_err().to_string().contains("UnknownCA"),
        "nothing is sent to an unknown server"
    );
    drop(unknown);

    let _known = Running::start(folder.path(), &spec, Some(&server.certificate));
    let request = std::iter::repeat_with(|| server.next()).find_map(Result::ok).unwrap();
    assert!(request.starts_with("POST /hook HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(r#""type":"dev.anomaly."#), "{request}");
}
