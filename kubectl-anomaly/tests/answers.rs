//! The built plugin against a server that answers as a detector does: its output and its exit codes.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

const VERDICT: &str = r#"{"alarm":1,"anomaly":1,"contributions":{"flow":0.18,"pressure":0.82},"model":"sha256:0","reasons":{"flow":{"feature":"Value","lag":0,"direction":"Low","value":6.5},"pressure":{"feature":"Value","lag":2,"direction":"High","value":9.1,"expected":[2.4,3.6]}},"score":0.71,"severity":1.42,"time":"2026-01-31T12:00:01Z","values":{"flow":6.5,"pressure":9.1}}"#;
const NORMAL: &str = r#"{"alarm":0,"anomaly":0,"contributions":{},"model":"sha256:0","reasons":{},"score":0.4,"severity":0.61,"time":"2026-01-31T12:00:02Z","values":{"flow":7,"pressure":null}}"#;
const EVENTS: &str = r#"{"events":[{"start":"2026-01-31T12:00:01Z","end":null,"durationSeconds":2,"peak":{"time":"2026-01-31T12:00:01Z","severity":1.42},"verdicts":2,"outcome":"alarmed","sensors":[{"name":"pressure","share":0.8}]},{"kind":"sensor","sensor":"flow","fault":"stuck","start":"2026-01-31T11:00:00Z","end":"2026-01-31T11:30:00Z","message":"flow has not moved"}]}"#;

/// What the server answers to a request: the status and the body.
fn answer(path: &str, body: &str) -> (u16, String) {
    match path {
        "/verdicts?limit=20" | "/verdicts?limit=1000" => {
            (200, format!(r#"{{"verdicts":[{NORMAL},{VERDICT}]}}"#))
        }
        "/events?limit=20" => (200, EVENTS.to_owned()),
        "/predict?detail=true" if body == r#"{"values":{"flow":7.0,"pressure":9.1}}"# => {
            (200, VERDICT.to_owned())
        }
        "/predict" if body == r#"{"instances":[[1,2]]}"# => {
            (200, r#"{"predictions":[{"anomaly":0}]}"#.to_owned())
        }
        _ => (422, format!(r#"{{"error":"value: not for {path}"}}"#)),
    }
}

/// Start a server on loopback that answers as a detector, and return its address. `stream` turns each
/// connection into a stream.
fn serve_by<S: Read + Write>(
    stream: impl Fn(TcpStream) -> S + Send + 'static,
    token: &'static str,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            // This fails where the client does not trust the server, and that is expected.
            let _ = converse(stream(connection.unwrap()), token);
        }
    });
    address
}

fn converse(stream: impl Read + Write, token: &str) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? <= 2 {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let path = head.split(' ').nth(1).unwrap();
    let is_admitted = token.is_empty() || head.contains(&format!("authorization: Bearer {token}\r\n"));
    let (status, text) = if is_admitted {
        answer(path, std::str::from_utf8(&body).unwrap())
    } else {
        (401, r#"{"error":"expected a token"}"#.to_owned())
    };
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", text.len());
    stream.get_mut().write_all((head + &text).as_bytes())?;
    stream.get_mut().flush()
}

fn serve() -> String {
    serve_by(|stream| stream, "")
}

/// Start the same server with TLS. It requires the server's own certificate from clients, and a token. Both
/// are written to files in the folder.
fn serve_by_tls(folder: &Path) -> String {
    const TOKEN: &str = "a-token-of-the-plant";
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.join("ca.pem"), cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("token"), format!("# the plant's\n{TOKEN}\n")).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let provider = Arc::new(default_provider());
    let clients =
        WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build().unwrap();
    let key = PrivateKeyDer::from_pem_slice(signing_key.serialize_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config =
        config.with_client_cert_verifier(clients).with_single_cert(vec![cert.der().clone()], key).unwrap();
    let config = Arc::new(config);
    let secured = move |stream| StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
    format!("https://{}", serve_by(secured, TOKEN))
}

fn run(arguments: &[&str]) -> Output {
    let address = serve();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-anomaly"));
    command.args(arguments).args(["--address", &address]).output().unwrap()
}

/// Run the plugin, which must succeed, and return its output.
fn printed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

const EXPLAINED: &str = "\
2026-01-31T12:00:01Z: anomalous, severity 1.42 (score 0.71)
SENSOR     SHARE   FEATURE         DIRECTION   VALUE   EXPECTED
pressure   82 %    Value, 2 back   high        9.1     2.4 to 3.6
flow       18 %    Value           low         6.5     -
";

#[test]
fn verdicts_are_a_table_oldest_first() {
    let expected = "\
TIME                   VERDICT   SEVERITY   SENSOR     SHARE   READING
2026-01-31T12:00:01Z   alarm     1.42       pressure   82 %    9.1
2026-01-31T12:00:02Z   normal    0.61
";
    assert_eq!(printed(&["verdicts", "press"]), expected);
    let lines = printed(&["verdicts", "press", "--anomalous", "-o", "json"]);
    assert_eq!(lines.lines().count(), 1);
    assert!(lines.contains(r#""severity":1.42"#));
}

#[test]
fn events_of_the_process_and_of_sensors_are_a_table() {
    let expected = "\
START                  DURATION   SEVERITY   SENSOR     OUTCOME
2026-01-31T12:00:01Z   ongoing    1.42       pressure   alarmed
2026-01-31T11:00:00Z   ended      -          flow       stuck
";
    assert_eq!(printed(&["events", "press"]), expected);
    assert_eq!(printed(&["events", "press", "-o", "json"]).trim_end().len(), EVENTS.len());
}

#[test]
fn a_verdict_and_readings_are_explained() {
    assert_eq!(printed(&["explain", "press"]), EXPLAINED);
    assert_eq!(printed(&["explain", "press", "flow=7", "pressure=9.1"]), EXPLAINED);
    assert_eq!(printed(&["predict", "press", "flow=7", "pressure=9.1"]), EXPLAINED);
}

#[test]
fn a_request_of_a_file_is_answered_as_json() {
    let file = std::env::temp_dir().join(format!("kubectl-anomaly-{}.json", std::process::id()));
    std::fs::write(&file, r#"{"instances":[[1,2]]}"#).unwrap();
    let printed = printed(&["predict", "press", "-f", file.to_str().unwrap()]);
    std::fs::remove_file(file).unwrap();
    assert_eq!(printed, "{\"predictions\":[{\"anomaly\":0}]}\n");
}

#[test]
fn what_is_refused_is_one_sentence_and_exit_code_1() {
    for (arguments, sentence) in [
        (&["predict", "press", "7"][..], "error: value: not for /predict?detail=true (HTTP 422)\n"),
        (&["predict", "press", "flow=high"], "error: expected VALUE or SENSOR=VALUE, got flow=high\n"),
    ] {
        let output = run(arguments);
        assert_eq!(
            (output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()),
            (Some(1), sentence)
        );
    }
    assert_eq!(run(&["predict", "press"]).status.code(), Some(2));
}

#[test]
fn detectors_that_serve_by_tls_are_asked_with_certificates_and_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let address = serve_by_tls(folder.path());
    let ask = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-anomaly"));
        command.current_dir(folder.path()).args(["explain", "press", "--address", &address]);
        let output = command.args(arguments).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let own = ["--cert", "ca.pem", "--key", "key.pem"];
    let all = [&["--ca", "ca.pem", "--token-file", "token"][..], &own].concat();
    assert_eq!(ask(&all), EXPLAINED);
    assert_eq!(ask(&[&["--ca", "ca.pem"][..], &own].concat()), "error: expected a token (HTTP 401)\n");
    let untrusted = ask(&all[2..]);
    assert!(untrusted.starts_with("error: the detector's TLS: invalid peer certificate: "), "{untrusted}");
    let nobody = ask(&all[..4]);
    assert!(nobody.starts_with("error: the connection to the detector: "), "{nobody}");
    assert_eq!(
        ask(&["--ca", "none.pem"]),
        "error: none.pem: I/O error: No such file or directory (os error 2)\n"
    );
    assert_eq!(ask(&["--token-file", "none"]), "error: none: No such file or directory (os error 2)\n");
}

#[test]
fn completions_name_every_command() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-anomaly"));
    let script = command.args(["completions", "bash"]).output().unwrap().stdout;
    let script = String::from_utf8(script).unwrap();
    for name in ["predict", "verdicts", "events", "explain", "open", "top"] {
        assert!(script.contains(name), "{name}");
    }
}
