//! The program with a real MQTT broker as its source: Mosquitto, started on free ports of this machine.
//! `tests/brokers` installs it and runs these tests.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::brokers::Mosquitto;
use crate::running::{Running, free_port};

/// The time of the first reading, in seconds since the Unix epoch.
pub const FIRST: usize = 1_700_000_000;
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/mqtt.yaml");

/// Readings of `count` seconds, the first at second `from`, one message each: two sensors that vary a little.
pub fn messages(from: usize, count: usize) -> String {
    let message = |second: usize| {
        json!({"ts": FIRST + second, "rms": 2.0 + (second * 7 % 5) as f64 / 10.0, "temperature": 60 + second * 3 % 4})
            .to_string()
    };
    (from..from + count).map(message).collect::<Vec<_>>().join("\n")
}

pub fn fault(second: usize) -> String {
    json!({"ts": FIRST + second, "rms": 90.0, "temperature": 300}).to_string()
}

pub fn manifest(folder: &Path, mqtt: &Value, rest: &str) -> PathBuf {
    let path = folder.join("plant.yaml");
    let text = format!(
        "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {{name: plant}}\nspec:\n  interval: 1s\n  \
         sources:\n  - name: plant\n    mqtt: {mqtt}\n{rest}  model: {{train: {{samples: 300, trees: 25}}}}\n"
    );
    fs::write(&path, text).unwrap();
    path
}

pub fn state_sensors() -> Value {
    json!([
        {"name": "rms", "topic": "plant/pump", "value": "/rms", "time": "/ts"},
        {"name": "temperature", "topic": "plant/+", "value": "/temperature", "time": "/ts"},
    ])
}

pub fn connected(report: &Value) -> bool {
    report["sources"][0]["connected"] == true
}

pub fn message(report: &Value) -> String {
    report["sources"][0]["message"].as_str().unwrap_or_default().to_owned()
}

pub fn is_one(number: f64) -> bool {
    (number - 1.0).abs() < f64::EPSILON
}

#[test]
#[ignore = "needs Mosquitto: tests/brokers"]
fn the_sample_is_trained_by_what_the_broker_delivers_and_finds_a_fault() {
    let broker = Mosquitto::start("allow_anonymous true");
    let folder = tempfile::tempdir().unwrap();
    let url = format!("spec.sources[0].mqtt.url={}", broker.url());
    let running = Running::start(folder.path(), Path::new(SAMPLE), &["--set", &url]);
    running.until(connected);
    assert!(is_one(running.metric("anomaly_source_up{")));
    broker.publish("plant/pump", &messages(0, 310), &[]);
    running.until_serving();
    broker.publish("plant/pump", &fault(310), &[]);
    running.until(|_| is_one(running.metric("anomaly_score{")));
    running.until(|_| running.is_accounted(2 * 311));
}

#[test]
#[ignore = "needs Mosquitto: tests/brokers"]
fn a_broker_that_was_killed_loses_nothing_of_a_persistent_session() {
    for version in ["3.1.1", "5"] {
        let mut broker = Mosquitto::start(
            "allow_anonymous true\npersistence true\npersistence_location FOLDER/\nautosave_interval 1\nautosave_on_changes true\nmax_queued_messages 0",
        );
        let folder = tempfile::tempdir().unwrap();
        let mqtt = json!({"url": broker.url(), "protocolVersion": version, "clientId": "plant", "session": "Persistent",
            "qos": 1, "sensors": state_sensors()});
        let running = Running::start(folder.path(), &manifest(folder.path(), &mqtt, ""), &[]);
        running.until(connected);
        broker.publish("plant/pump", &messages(0, 310), &["-q", "1"]);
        running.until_serving();
        broker.kill();
        let report = running.until(|report| !connected(report));
        assert!(message(&report).starts_with(&broker.url()), "{report}");
        assert!(running.metric("anomaly_source_up{").abs() < f64::EPSILON);
        broker.restart();
        // If this is sent before the detector is connected again, the broker keeps it.
        broker.publish("plant/pump", &messages(310, 50), &["-q", "1"]);
        running.until(connected);
        // The last instant is over a second later. Readings that the broker delivers again are dropped.
        running.until(|_| running.metric("anomaly_readings_total{outcome=\"scored\"") >= 2.0 * 50.0);
        running.until(|_| running.is_accounted(2 * 360));
    }
}

#[test]
#[ignore = "needs Mosquitto: tests/brokers"]
fn each_message_that_is_no_reading_is_refused_in_a_sentence_and_the_others_count() {
    let broker = Mosquitto::start("allow_anonymous true");
    let folder = tempfile::tempdir().unwrap();
    let mqtt = json!({"url": broker.url(), "sensors": [
        {"name": "rms", "topic": "plant/pump", "value": "/rms", "time": "/ts"},
        {"name": "level", "unit": "m", "topic": "plant/level"},
    ]});
    broker.publish("plant/level", "7", &["-r"]);
    let running = Running::start(folder.path(), &manifest(folder.path(), &mqtt, ""), &[]);
    running.until(connected);
    for (topic, payload) in [
        ("plant/pump", "garbage"),
        ("plant/pump", r#"{"rms":{"x":1}}"#),
        ("plant/pump", r#"{"rms":"high","ts":1}"#),
        ("plant/pump", r#"{"rms":1,"ts":"4000-01-01T00:00:00Z"}"#),
        ("plant/level", "true"),
    ] {
        broker.publish(topic, payload, &[]);
    }
    broker.publish("plant/level", "2.5 m", &[]);
    let outcome = |outcome| running.metric(&format!("anomaly_readings_total{{outcome=\"{outcome}\""));
    running.until(|_| (outcome("refused") - 5.0).abs() < 0.5);
    // A retained message does not tell the time of its reading.
    running.until(|_| outcome("dropped") >= 1.0);
    running.until(|_| running.is_accounted(5 + 1));
}

#[test]
#[ignore = "needs Mosquitto: tests/brokers"]
fn a_message_of_100_megabytes_is_not_read_and_the_next_ones_are() {
    for version in ["3.1.1", "5"] {
        let broker = Mosquitto::start("allow_anonymous true");
        let folder = tempfile::tempdir().unwrap();
        let mqtt = json!({"url": broker.url(), "protocolVersion": version, "sensors": state_sensors()});
        let running = Running::start(folder.path(), &manifest(folder.path(), &mqtt, ""), &[]);
        running.until(connected);
        let before = running.resident_kib();
        let large = folder.path().join("large");
        fs::write(&large, vec![b'1'; 100 << 20]).unwrap();
        let mut command = Command::new("mosquitto_pub");
        let port = broker.address.port().to_string();
        command.args(["-h", "127.0.0.1", "-p", &port, "-t", "plant/pump", "-f"]).arg(&large);
        assert!(command.status().unwrap().success());
        running.until(|_| {
            broker.publish("plant/pump", &messages(0, 1), &[]);
            running.metric("anomaly_readings_arrived_total") >= 2.0
        });
        let grown = running.resident_kib().saturating_sub(before);
        assert!(grown < 32 << 10, "{grown} KiB more for a message that is not read");
    }
}

#[test]
#[ignore = "needs Mosquitto: tests/brokers"]
fn a_broker_that_is_away_or_refuses_says_why_and_no_restart_is_needed() {
    let nobody = free_port();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap(); // it never answers
    let of_broker = tempfile::tempdir().unwrap();
    let passwords = of_broker.path().join("passwords");
    let added = Command::new("mosquitto_passwd")
        .args(["-b", "-c"])
        .arg(&passwords)
        .args(["plum", "pudding"])
        .status();
    assert!(added.unwrap().success());
    let broker = Mosquitto::start_in(of_broker, "allow_anonymous false\npassword_file FOLDER/passwords");

    let sentences: Vec<String> = [
        (format!("mqtt://{nobody}"), "3.1.1"),
        (format!("mqtt://{}", silent.local_addr().unwrap()), "3.1.1"),
        (format!("mqtts://{}", broker.address), "3.1.1"),
        (broker.url(), "3.1.1"),
        (broker.url(), "5"),
        ("mqtt://nobody.invalid".to_owned(), "5"),
    ]
    .into_iter()
    .map(|(url, version)| {
        let folder = tempfile::tempdir().unwrap();
        let mqtt = json!({"url": url, "protocolVersion": version, "sensors": state_sensors()});
        let running = Running::start(folder.path(), &manifest(folder.path(), &mqtt, ""), &[]);
        let report = running.until(|report| message(report).len() > "not opened yet".len());
        message(&report).replacen(&url, "URL", 1)
    })
    .collect();
    let expected = [
        "URL: Connection refused (os error 111)",
        "URL: no answer within 5s",
        "URL: ",
        "URL: the broker refuses the connection: not authorized",
        "URL: the broker refuses the connection: not authorized",
        "URL: failed to lookup address information: ",
    ];
    for (sentence, expected) in sentences.iter().zip(expected) {
        assert!(sentence.starts_with(expected) && sentence.len() < 200, "{sentence}: {expected}");
    }

    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secrets/plant");
    fs::create_dir_all(&secret).unwrap();
    fs::write(secret.join("username"), "plum").unwrap();
    fs::write(secret.join("password"), "wrong").unwrap();
    let mqtt =
        json!({"url": broker.url(), "credentialsSecretRef": {"name": "plant"}, "sensors": state_sensors()});
    let arguments = ["--source-credentials", "secrets"];
    let running = Running::start(folder.path(), &manifest(folder.path(), &mqtt, ""), &arguments);
    running.until(|report| message(report).contains("not authorized"));
    fs::write(secret.join("password"), "pudding\n").unwrap();
    running.until(connected);
}

#[test]
#[ignore = "needs Mosquitto: tests/brokers"]
fn tls_with_a_private_authority_and_a_client_certificate_and_websockets() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secrets/plant");
    fs::create_dir_all(&secret).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut of_authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    of_authority.distinguished_name.push(rcgen::DnType::CommonName, "the authority of the plant");
    of_authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_pem = of_authority.self_signed(&key).unwrap().pem();
    let authority = rcgen::Issuer::new(of_authority, key);
    let signed = |name: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        (params.signed_by(&key, &authority).unwrap().pem(), key.serialize_pem())
    };
    let (server, server_key) = signed("localhost");
    let (client, client_key) = signed("plant");

    let of_broker = tempfile::tempdir().unwrap();
    for (name, text) in [("ca.crt", &authority_pem), ("server.crt", &server), ("server.key", &server_key)] {
        fs::write(of_broker.path().join(name), text).unwrap();
    }
    let web = free_port();
    let tls = "cafile FOLDER/ca.crt\ncertfile FOLDER/server.crt\nkeyfile FOLDER/server.key\nrequire_certificate true";
    let config =
        format!("{tls}\nallow_anonymous true\nlistener {} 127.0.0.1\nprotocol websockets\n{tls}", web.port());
    let broker = Mosquitto::start_in(of_broker, &config);
    let urls = [
        format!("mqtts://localhost:{}", broker.address.port()),
        format!("wss://localhost:{}/mqtt", web.port()),
    ];
    for url in urls {
        for version in ["3.1.1", "5"] {
            for name in ["ca.crt", "tls.crt", "tls.key"] {
                let _ = fs::remove_file(secret.join(name));
            }
            let mqtt = json!({"url": url, "protocolVersion": version, "credentialsSecretRef": {"name": "plant"},
                "sensors": state_sensors()});
            let arguments = ["--source-credentials", "secrets"];
            let running = Running::start(folder.path(), &manifest(folder.path(), &mqtt, ""), &arguments);
            running.until(|report| message(report).contains("invalid peer certificate: UnknownIssuer"));
            fs::write(secret.join("ca.crt"), &authority_pem).unwrap();
            fs::write(secret.join("tls.crt"), &client).unwrap();
            fs::write(secret.join("tls.key"), &client_key).unwrap();
            running.until(connected);
        }
    }
}
