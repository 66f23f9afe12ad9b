//! Faults between an mqtt source and its broker: connections that are slow, cut and half open (toxiproxy),
//! another broker (mochi-mqtt), floods, and messages that change their type. In all cases, each reading is
//! accounted for. `tests/brokers` installs or builds what is needed.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::brokers::{Mosquitto, Toxiproxy, mochi, publish};
use crate::mqtt::{FIRST, connected, fault, is_one, manifest, message, messages, state_sensors};
use crate::running::{Running, free_port};

/// A connection that is half open is noticed after two probes, 15 s each.
const UNTIL_NOTICED: Duration = Duration::from_secs(90);
/// A flood takes processor time, of which a busy machine has little to give.
const UNTIL_JUDGED: Duration = Duration::from_mins(5);

fn started(folder: &Path, mqtt: &Value) -> Running {
    let running = Running::start_logged(folder, &manifest(folder, mqtt, ""), &[]);
    running.until(connected);
    running
}

fn outcome(running: &Running, outcome: &str) -> f64 {
    running.metric(&format!("anomaly_readings_total{{outcome=\"{outcome}\""))
}

/// Check that a persistent session loses nothing that was published while the connection was slow, cut or
/// half open.
fn what_stands_between_loses_nothing(version: &str) {
    let broker = Mosquitto::start("allow_anonymous true\nmax_queued_messages 0");
    let proxy = Toxiproxy::before(broker.address);
    let folder = tempfile::tempdir().unwrap();
    let mqtt = json!({"url": format!("mqtt://{}", proxy.address), "protocolVersion": version, "clientId": "plant",
        "session": "Persistent", "qos": 1, "sensors": state_sensors()});
    let running = started(folder.path(), &mqtt);
    broker.publish("plant/pump", &messages(0, 310), &["-q", "1"]);
    running.until_serving();

    proxy.add("latency", "downstream", &json!({"latency": 1500, "jitter": 500}));
    broker.publish("plant/pump", &messages(310, 20), &["-q", "1"]);
    running.until(|_| running.is_accounted(2 * 330));
    assert!(connected(&running.report()), "slow is not away");
    proxy.remove("latency", "downstream");

    proxy.enable(false);
    running.until(|report| !connected(report));
    broker.publish("plant/pump", &messages(330, 20), &["-q", "1"]);
    proxy.enable(true);
    running.until_within(UNTIL_NOTICED, |_| running.is_accounted(2 * 350));
    running.until(connected);

    for stream in ["upstream", "downstream"] {
        proxy.add("timeout", stream, &json!({"timeout": 0}));
    }
    let is_noticed = |sentence: &str| {
        sentence.contains("the broker has not answered for 15s") || sentence.contains("no answer within 5s")
    };
    running.until_within(UNTIL_NOTICED, |report| is_noticed(&message(report)));
    broker.publish("plant/pump", &messages(350, 20), &["-q", "1"]);
    for stream in ["upstream", "downstream"] {
        proxy.remove("timeout", stream);
    }
    running.until_within(UNTIL_NOTICED, |report| connected(report) && running.is_accounted(2 * 370));
}

#[test]
#[ignore = "needs Mosquitto and toxiproxy: tests/brokers"]
fn a_connection_that_is_slow_cut_or_half_open_loses_nothing_by_mqtt_3() {
    what_stands_between_loses_nothing("3.1.1");
}

#[test]
#[ignore = "needs Mosquitto and toxiproxy: tests/brokers"]
fn a_connection_that_is_slow_cut_or_half_open_loses_nothing_by_mqtt_5() {
    what_stands_between_loses_nothing("5");
}

#[test]
#[ignore = "needs mochi-mqtt: tests/brokers"]
fn another_broker_trains_a_model_finds_a_fault_and_may_be_killed() {
    for version in ["3.1.1", "5"] {
        let address = free_port();
        let broker = mochi(address);
        let folder = tempfile::tempdir().unwrap();
        let mqtt = json!({"url": format!("mqtt://{address}"), "protocolVersion": version, "sensors": state_sensors()});
        let running = Running::start(folder.path(), &manifest(folder.path(), &mqtt, ""), &[]);
        running.until(connected);
        publish(address, "plant/pump", &messages(0, 310), &[]);
        running.until_serving();
        publish(address, "plant/pump", &fault(310), &[]);
        running.until(|_| is_one(running.metric("anomaly_score{")));
        publish(address, "plant/pump", "garbage", &[]);
        running.until(|_| outcome(&running, "refused") >= 1.0);
        drop(broker);
        running.until(|report| !connected(report));
        let _broker = mochi(address);
        running.until(connected);
        publish(address, "plant/pump", &messages(311, 20), &[]);
        running.until(|_| running.is_accounted(2 * 331 + 2));
    }
}

#[test]
#[ignore = "needs Mosquitto: tests/brokers"]
fn a_flood_is_accounted_for_within_the_memory_that_there_was() {
    let broker = Mosquitto::start("allow_anonymous true\nmax_queued_messages 0");
    let folder = tempfile::tempdir().unwrap();
    let running = started(folder.path(), &json!({"url": broker.url(), "sensors": state_sensors()}));
    broker.publish("plant/pump", &messages(0, 310), &[]);
    running.until_serving();
    let before = running.resident_kib();
    broker.publish("plant/pump", &messages(310, 100_000), &[]);
    running.until_within(UNTIL_JUDGED, |_| running.is_accounted(2 * 100_310));
    assert!(connected(&running.report()));
    let grown = running.resident_kib().saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} KiB more after a flood");
}

#[test]
#[ignore = "needs Mosquitto: tests/brokers"]
fn a_topic_that_switches_its_type_has_each_message_judged_or_refused_by_itself() {
    let broker = Mosquitto::start("allow_anonymous true");
    let folder = tempfile::tempdir().unwrap();
    let mqtt = json!({"url": broker.url(), "sensors": [{"name": "level", "topic": "plant/level"}]});
    let running = started(folder.path(), &mqtt);
    broker.publish("plant/level", "high", &[]);
    let report = running.until(|report| !message(report).is_empty());
    assert_eq!(message(&report), "last refusal: level: expected a number, got \"high\"");
    assert!(connected(&report), "what is refused is no reason to be away");
    let payloads = ["7", "{\"v\":7}", "7.5 m", "high", "[1]", "true", "8 %", "1e999", "null"];
    broker.publish("plant/level", &payloads.join("\n"), &[]);
    running.until(|_| (outcome(&running, "refused") - 6.0).abs() < 0.5);
    running.until(|_| running.is_accounted(payloads.len() + 1));
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("level: expected a number, got \"high\""), "{log}");
    broker.publish("plant/level", r#"{"v":7}"#, &[]);
    let sentence =
        r#"level: expected a number, got "{\"v\":7}": set value to the JSON pointer of the number"#;
    running.until(|report| message(report).ends_with(sentence));
}

#[test]
#[ignore = "needs Mosquitto: tests/brokers"]
fn what_is_more_often_than_the_interval_counts_once_and_what_is_of_next_year_not_at_all() {
    let broker = Mosquitto::start("allow_anonymous true");
    let folder = tempfile::tempdir().unwrap();
    let mqtt = json!({"url": broker.url(), "sensors": [
        {"name": "rms", "topic": "plant/pump", "value": "/rms", "time": "/ts"},
    ]});
    let running = started(folder.path(), &mqtt);
    let a_hundredth = |i: usize| {
        json!({"ts": FIRST as f64 + i as f64 / 100.0, "rms": 2.0 + (i * 7 % 5) as f64 / 10.0}).to_string()
    };
    let seconds = 350;
    let many: Vec<String> = (1..=seconds * 100).map(a_hundredth).collect();
    broker.publish("plant/pump", &many.join("\n"), &[]);
    running.until_serving();
    running.until_within(UNTIL_JUDGED, |_| running.is_accounted(seconds * 100));
    // Only the last of the hundred readings of each second counts. A broker may drop some of a flood.
    let (arrived, _) = running.accounts();
    let judged = arrived - outcome(&running, "dropped");
    assert!(judged <= seconds as f64 && outcome(&running, "scored") > 10.0, "{judged} of {arrived} count");

    let next_year = FIRST + 10 * 365 * 86_400;
    broker.publish("plant/pump", &json!({"ts": next_year, "rms": 2}).to_string(), &[]);
    running.until(|_| is_one(outcome(&running, "refused")));
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("a reading must be at most 60s ahead of the clock, got one of 2033-"), "{log}");
    running.until(|_| running.is_accounted(seconds * 100 + 1));
}
