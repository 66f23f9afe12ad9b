//! The program with a Prometheus server as its source: one with the answers that a test sets; and real ones,
//! Prometheus and VictoriaMetrics, which `tests/brokers` builds.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::brokers::{Process, Toxiproxy};
use crate::mqtt::{connected, is_one, message};
use crate::running::{Running, ask, ask_with, free_port, wait_for};

/// The answer of a server.
#[derive(Clone)]
enum Answer {
    /// The answer of Prometheus: a series that varies a little.
    Good,
    /// The answer of Prometheus if the request has this header, else 401.
    To(&'static str),
    /// This status, with these headers, each ending in CR LF, and this body.
    Fixed(&'static str, &'static str, &'static str),
    /// A gigabyte of spaces.
    Gigabyte,
    /// Less than the announced length.
    Half,
    /// Nothing, for as long as the client waits.
    Nothing,
}

struct Server {
    address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    tls: Arc<Mutex<Option<Arc<ServerConfig>>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (answer, tls) = (Arc::new(Mutex::new(Answer::Good)), Arc::new(Mutex::new(None)));
        let server = Self { address, answer, tls };
        let (answer, tls) = (server.answer.clone(), server.tls.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, tls) = (answer.lock().unwrap().clone(), tls.lock().unwrap().clone());
                std::thread::spawn(move || {
                    let stream = stream.unwrap();
                    // A client that disconnects early is not a failure of the server.
                    let _ = match tls {
                        None => answered(stream, &answer),
                        Some(config) => answered(
                            StreamOwned::new(ServerConnection::new(config).unwrap(), stream),
                            &answer,
                        ),
                    };
                });
            }
        });
        server
    }

    fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }
}

fn answered(stream: impl Read + Write, answer: &Answer) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body)?;
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
    let good = || ("200 OK", "content-type: application/json\r\n", prometheus(&head, &form));
    let (status, headers, body) = match answer {
        Answer::Good => good(),
        Answer::To(header) if head.contains(&format!("{header}\r\n")) => good(),
        Answer::To(_) => ("401 Unauthorized", "", "Unauthorized\n".to_owned()),
        Answer::Fixed(status, headers, body) => (*status, *headers, (*body).to_owned()),
        Answer::Gigabyte => {
            write!(stream.get_mut(), "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
            let piece = vec![b' '; 1 << 20];
            return (0..1024).try_for_each(|_| stream.get_mut().write_all(&piece));
        }
        Answer::Half => {
            write!(
                stream.get_mut(),
                "HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{{"
            )?;
            return stream.get_mut().flush();
        }
        Answer::Nothing => return stream.read_to_end(&mut Vec::new()).map(drop),
    };
    let length = body.len();
    write!(
        stream.get_mut(),
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    )?;
    stream.get_mut().flush()
}

/// The JSON of Prometheus with a reading at each requested second.
fn prometheus(head: &str, form: &[(String, String)]) -> String {
    let field =
        |name: &str| -> f64 { form.iter().find(|(field, _)| field == name).unwrap().1.parse().unwrap() };
    let value = |time: f64| (2.0 + (time as u64 * 7 % 5) as f64 / 10.0).to_string();
    let data = if head.starts_with("POST /api/v1/query_range ") {
        let (start, end, step) = (field("start"), field("end"), field("step"));
        let times = (0..).map(|i| start + f64::from(i) * step).take_while(|time| *time <= end + 1e-6);
        let values: Vec<Value> = times.map(|time| json!([time, value(time)])).collect();
        json!({"resultType": "matrix", "result": [{"metric": {}, "values": values}]})
    } else {
        let time = field("time");
        json!({"resultType": "vector", "result": [{"metric": {}, "value": [time, value(time)]}]})
    };
    json!({"status": "success", "data": data}).to_string()
}

/// A detector whose sensor `value` is a query, asked twice a second.
fn manifest(folder: &Path, url: &str, query: &str, rest: &str) -> PathBuf {
    let path = folder.join("metrics.yaml");
    let text = format!(
        "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {{name: metrics}}\nspec:\n  interval: 500ms\n  \
         sources:\n  - name: server\n    prometheus: {{url: '{url}', delay: 0s{rest}, sensors: [{{name: value, query: '{query}'}}]}}\n  \
         model: {{train: {{samples: 200, trees: 25, features: [Value]}}}}\n"
    );
    fs::write(&path, text).unwrap();
    path
}

fn started(folder: &Path, url: &str, query: &str) -> Running {
    Running::start_logged(folder, &manifest(folder, url, query, ""), &[])
}

#[test]
fn whatever_a_server_answers_is_one_sentence_and_nothing_is_restarted_when_it_is_mended() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let running = started(folder.path(), &format!("http://{}", server.address), "up");
    running.until_serving();
    let json = "content-type: application/json\r\n";
    for (answer, sentence) in [
        (
            Answer::Fixed("401 Unauthorized", "", "Unauthorized\n"),
            "HTTP 401 Unauthorized: expected Prometheus' JSON, got \"Unauthorized\"",
        ),
        (
            Answer::Fixed("403 Forbidden", json, r#"{"status":"error","error":"no tenant"}"#),
            "HTTP 403 Forbidden: no tenant",
        ),
        (
            Answer::Fixed("404 Not Found", "", "404 page not found"),
            "HTTP 404 Not Found: expected Prometheus' JSON, got \"404 page not found\"",
        ),
        (
            Answer::Fixed(
                "400 Bad Request",
                json,
                r#"{"status":"error","errorType":"bad_data","error":"1:3: parse error: unexpected \")\""}"#,
            ),
            "value: 1:3: parse error: unexpected \")\"",
        ),
        (
            Answer::Fixed(
                "422 Unprocessable Entity",
                json,
                r#"{"status":"error","errorType":"execution","error":"found duplicate series"}"#,
            ),
            "value: found duplicate series",
        ),
        (
            Answer::Fixed("500 Internal Server Error", "", ""),
            "HTTP 500 Internal Server Error: expected Prometheus' JSON, got \"\"",
        ),
        (
            Answer::Fixed("200 OK", "content-type: text/html\r\n", "<html>Sign in</html>"),
            "HTTP 200 OK: expected Prometheus' JSON, got \"<html>Sign in</html>\"",
        ),
        (
            Answer::Fixed("302 Found", "location: https://login.example/\r\n", ""),
            "HTTP 302 Found: it redirects to https://login.example/: use that url",
        ),
        (
            Answer::Fixed(
                "200 OK",
                json,
                r#"{"data":{"resultType":"vector","result":[{"metric":{"a":"1"}},{"metric":{"a":"2"}}]}}"#,
            ),
            "value: expected one series, got 2: {a=\"1\"}, {a=\"2\"}; narrow the selector or aggregate, as sum(...) does",
        ),
        (
            Answer::Fixed("200 OK", json, r#"{"data":{"resultType":"matrix","result":[]}}"#),
            "value: expected one number, got a range vector: leave out [...]",
        ),
        (
            Answer::Fixed("200 OK", json, r#"{"data":{"resultType":"string","result":[1,"x"]}}"#),
            "value: expected one number, got the string [1,\"x\"]",
        ),
        (Answer::Gigabyte, "an answer must have at most 8388608 bytes"),
        (Answer::Half, ": end of file before message length reached"),
        (Answer::Nothing, "no answer within 10s"),
    ] {
        server.answers(answer);
        let report = running.until(|report| message(report).ends_with(sentence));
        assert!(running.metric("anomaly_source_up{").abs() < f64::EPSILON, "{report}");
        server.answers(Answer::Good);
        running.until(connected);
    }
    let outcome = |outcome| running.metric(&format!("anomaly_readings_total{{outcome=\"{outcome}\""));
    running.until(|_| outcome("scored") >= 2.0);
    assert!(outcome("refused") >= 5.0 && is_one(running.metric("anomaly_source_up{")));
    running.until(|_| running.is_accounted(20));
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("it redirects to https://login.example/: use that url"), "{log}");
}

#[test]
fn a_key_of_the_secret_that_is_edited_needs_no_restart() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secrets/server");
    fs::create_dir_all(&secret).unwrap();
    let secret_ref = ", credentialsSecretRef: {name: server}";
    let path = manifest(folder.path(), &format!("http://{}", server.address), "up", secret_ref);
    server.answers(Answer::To("authorization: Bearer right"));
    fs::write(secret.join("token"), "wrong").unwrap();
    let running = Running::start(folder.path(), &path, &["--source-credentials", "secrets"]);
    running.until(|report| message(report).contains("HTTP 401 Unauthorized"));
    fs::write(secret.join("token"), "right\n").unwrap();
    running.until_serving();
    running.until(connected);
    server.answers(Answer::To("authorization: Basic cGx1bTpwdWRkaW5n"));
    running.until(|report| message(report).contains("HTTP 401 Unauthorized"));
    fs::remove_file(secret.join("token")).unwrap();
    fs::write(secret.join("username"), "plum").unwrap();
    fs::write(secret.join("password"), "pudding").unwrap();
    running.until(connected);
    server.answers(Answer::To("x-scope-orgid: tenant-a"));
    running.until(|report| message(report).contains("HTTP 401 Unauthorized"));
    fs::write(secret.join("headers"), "X-Scope-OrgID: tenant-a\n").unwrap();
    running.until(connected);
}

/// A certificate authority, which configures servers with certificates that end in a given year.
struct Authority {
    pem: String,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: rcgen::Issuer::new(params, key) }
    }

    fn server(&self, last_year: i32) -> Arc<ServerConfig> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(last_year, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into());
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        Arc::new(config.with_single_cert(vec![certificate], key).unwrap())
    }
}

#[test]
fn a_certificate_of_another_authority_or_of_last_year_is_refused_until_it_is_replaced() {
    let server = Server::start();
    let (authority, other) = (Authority::new("the plant's"), Authority::new("another"));
    *server.tls.lock().unwrap() = Some(authority.server(4000));
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secrets/server");
    fs::create_dir_all(&secret).unwrap();
    fs::write(secret.join("ca.crt"), &other.pem).unwrap();
    let url = format!("https://localhost:{}", server.address.port());
    let path = manifest(folder.path(), &url, "up", ", credentialsSecretRef: {name: server}");
    let running = Running::start(folder.path(), &path, &["--source-credentials", "secrets"]);
    running.until(|report| message(report).contains("invalid peer certificate: UnknownIssuer"));
    *server.tls.lock().unwrap() = Some(authority.server(2021));
    fs::write(secret.join("ca.crt"), &authority.pem).unwrap();
    running.until(|report| message(report).contains("invalid peer certificate: certificate expired"));
    *server.tls.lock().unwrap() = Some(authority.server(4000));
    // The pauses between the retries have grown meanwhile.
    running.until_within(Duration::from_mins(2), |report| report["phase"]["name"] == "serving");
    running.until(connected);
}

/// This many seconds of a series with a label, one reading a second, the newest at this moment.
fn history(seconds: u64) -> String {
    let now = jiff::Timestamp::now().as_second() as u64;
    let line = |time: u64| format!("plant_level{{room=\"a\"}} {} {time}000\n", 2 + time * 7 % 5);
    (now - seconds..=now).map(line).collect()
}

#[test]
#[ignore = "needs VictoriaMetrics: tests/brokers"]
fn victoria_metrics_is_asked_as_prometheus_is_and_may_be_killed() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_port();
    let (data, listen) = (folder.path().join("data"), format!("-httpListenAddr={address}"));
    let data = format!("-storageDataPath={}", data.display());
    // By default it answers no query about the last 30 s: `delay: 30s` has the same effect from the other end.
    let arguments =
        [&*listen, &*data, "-search.latencyOffset=0s", "-search.disableCache", "-retentionPeriod=1d"];
    let server = Process::start("victoria-metrics", &arguments, address);
    let import =
        |seconds| ask_with(address, "POST /api/v1/import/prometheus", "", &history(seconds)).unwrap();
    assert_eq!(import(600).0, 204);
    // Imported readings can be queried once they are flushed.
    wait_for("the history", || {
        ask(address, "GET /internal/force_flush", "");
        ask(address, "GET /api/v1/query?query=count_over_time(plant_level[10m])", "")
            .filter(|answer| answer.contains("\"value\""))
    });
    let running = started(folder.path(), &format!("http://{address}"), "plant_level{room=\"a\"}");
    running.until_serving();
    running.until(connected);
    running.until(|_| running.metric("anomaly_readings_total{outcome=\"scored\"") >= 3.0);
    drop(server);
    running.until(|report| message(report).contains("Connection refused"));
    let _server = Process::start("victoria-metrics", &arguments, address);
    running.until(connected);
    running.until(|_| running.is_accounted(10));
    let wrong = started(folder.path(), &format!("http://{address}"), "sum(");
    wrong.until(|report| message(report).contains("value: ") && message(report).contains("sum("));
}

#[test]
#[ignore = "needs Prometheus and toxiproxy: tests/brokers"]
fn a_prometheus_behind_a_connection_that_is_slow_cut_or_half_open_is_missed_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_port();
    let config = json!({"global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"}, "scrape_configs": [
        {"job_name": "itself", "static_configs": [{"targets": [address.to_string()]}]},
    ]});
    fs::write(folder.path().join("prometheus.yml"), config.to_string()).unwrap();
    let config = format!("--config.file={}", folder.path().join("prometheus.yml").display());
    let data = format!("--storage.tsdb.path={}", folder.path().join("data").display());
    let listen = format!("--web.listen-address={address}");
    let arguments = [&*config, &*data, &*listen];
    let server = Process::start("prometheus", &arguments, address);
    let scraped = "GET /api/v1/query?query=count_over_time(scrape_duration_seconds[1m])>60";
    wait_for("a history", || ask(address, scraped, "").filter(|answer| answer.contains("\"value\"")));
    let proxy = Toxiproxy::before(address);
    let url = format!("http://{}", proxy.address);
    let path = manifest(folder.path(), &url, "scrape_duration_seconds{job=\"itself\"}", "");
    let few = ["--set", "spec.model.train.samples=20"];
    let running = Running::start_logged(folder.path(), &path, &few);
    running.until_serving();
    running.until(connected);

    proxy.add("latency", "downstream", &json!({"latency": 800}));
    running.until(|_| running.metric("anomaly_readings_total{outcome=\"scored\"") >= 3.0);
    assert!(connected(&running.report()), "slow is not away");
    proxy.remove("latency", "downstream");

    proxy.add("limit_data", "downstream", &json!({"bytes": 20}));
    running.until(|report| !connected(report) && !message(report).is_empty());
    proxy.remove("limit_data", "downstream");
    running.until(connected);

    proxy.add("timeout", "downstream", &json!({"timeout": 0}));
    running.until_within(Duration::from_mins(1), |report| message(report).contains("no answer within 10s"));
    proxy.remove("timeout", "downstream");
    running.until_within(Duration::from_mins(1), connected);

    drop(server);
    running.until(|report| !connected(report));
    let _server = Process::start("prometheus", &arguments, address);
    running.until_within(Duration::from_mins(1), connected);
    running.until(|_| running.is_accounted(20));

    for (query, sentence) in [
        ("sum(", "parse error: "),
        ("rate(up[5m]", "parse error: unclosed left parenthesis"),
        ("prometheus_http_requests_total", "value: expected one series, got "),
        ("up[5m]", "range vector"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let wrong = started(folder.path(), &format!("http://{address}"), query);
        wrong.until(|report| message(report).contains(sentence));
    }
}
