//! The rules of three detectors as promtool reads them, and the tests that promtool runs on them:
//! `operator/tests/rules/`.
//!
//! `UPDATE=1 cargo test -p operator --test offline rules` rewrites the rules; the script `tests/rules` runs
//! promtool on them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::path::Path;

use clap::Parser;
use crd::model::Retrain;
use jiff::Timestamp;
use operator::plan::{CurrentState, Plan};
use operator::resources::prometheus_rule;
use operator::settings::Settings;
use serde_json::Value;

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    settings: Settings,
}

/// The rules of a sample, in namespace `plant`, after an edit.
fn rules(sample: &str, edit: impl FnOnce(&mut crd::AnomalyDetector)) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests").join(sample);
    let text = std::fs::read_to_string(path).unwrap();
    let mut detector = crd::manifest::one_detector(&text).unwrap().detector().clone();
    detector.metadata.namespace = Some("plant".to_owned());
    edit(&mut detector);
    let settings = Program::parse_from(["operator"]).settings;
    let plan = Plan::new(&detector, &CurrentState::default(), &settings, Timestamp::UNIX_EPOCH).unwrap();
    prometheus_rule::build(&plan).map_or(Value::Null, |rule| serde_json::to_value(rule.spec).unwrap())
}

/// A usual detector that is retrained each day.
fn pump() -> Value {
    rules("pump.yaml", |detector| {
        detector.spec.model.retrain.get_or_insert_default().interval = Some("24h".parse().unwrap());
    })
}

/// A detector whose anomalies must last, whose alerts are routed by a label, and which is retrained each
/// night.
fn patient() -> Value {
    rules("quickstart.yaml", |detector| {
        detector.metadata.name = Some("patient".to_owned());
        let rules = &mut detector.spec.monitoring.prometheus_rule;
        rules.for_ = "10m".parse().unwrap();
        rules.severity = crd::monitoring::Severity::Critical;
        rules.labels = [("team".to_owned(), "plant".to_owned())].into();
        rules.runbook_url = Some("https://runbooks.example/pumps".to_owned());
        detector.spec.model.retrain =
            Some(Retrain { schedule: Some("0 3 * * *".to_owned()), ..Retrain::default() });
    })
}

/// A detector whose sensors have limits.
fn mqtt() -> Value {
    rules("mqtt.yaml", |_| ())
}

fn alerts(rules: &Value) -> Vec<&str> {
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    rules.iter().filter_map(|rule| rule["alert"].as_str()).collect()
}

#[test]
fn promtool_tests_the_rules_as_they_are() {
    for (name, rules) in [("pump", pump()), ("patient", patient()), ("mqtt", mqtt())] {
        let path = format!("{}/tests/rules/{name}.rules.yaml", env!("CARGO_MANIFEST_DIR"));
        let text = format!(
            "# Written by UPDATE=1 cargo test -p operator --test offline rules.\n{}",
            serde_saphyr::to_string(&rules).unwrap()
        );
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        assert!(
            std::fs::read_to_string(&path).unwrap_or_default() == text,
            "{path} is not current: UPDATE=1 cargo test -p operator --test offline rules rewrites it"
        );
    }
}

/// The chart has the alerts about the operator itself: tests/chart/lint checks that each has a section.
#[test]
fn every_alert_has_a_section_in_the_runbooks_and_every_section_an_alert() {
    let runbooks = include_str!("../../../docs/runbooks.md");
    let sections = runbooks.lines().filter_map(|line| line.strip_prefix("## "));
    let sections: BTreeSet<&str> =
        sections.filter(|section| !section.starts_with("AnomalyOperator")).collect();
    let (pump, patient, mqtt) = (pump(), patient(), mqtt());
    let alerts: BTreeSet<&str> = [&pump, &patient, &mqtt].into_iter().flat_map(alerts).collect();
    assert_eq!(sections, alerts);
    for rule in pump["groups"][0]["rules"].as_array().unwrap() {
        let Some(alert) = rule["alert"].as_str() else { continue };
        let anchor = format!("/docs/runbooks.md#{}", alert.to_lowercase());
        assert!(rule["annotations"]["runbook_url"].as_str().unwrap().ends_with(&anchor), "{rule}");
    }
}

#[test]
fn an_alert_that_could_never_be_right_is_left_out() {
    let quickstart = rules("quickstart.yaml", |_| ());
    let quickstart = alerts(&quickstart).join(" ");
    assert!(quickstart.contains("DetectorDown") && quickstart.contains("SensorStale"), "{quickstart}");
    assert!(!quickstart.contains("ModelStale"), "nobody asked for another model: {quickstart}");

    let recorded = rules("recorded-volume.yaml", |_| ());
    let recorded = alerts(&recorded).join(" ");
    assert!(!recorded.contains("SensorStale"), "the times of a recording are past: {recorded}");

    let nobody = rules("quickstart.yaml", |detector| detector.spec.replicas = 0);
    let nobody = alerts(&nobody).join(" ");
    assert!(!nobody.contains("DetectorDown"), "nothing is to run: {nobody}");

    let none = rules("quickstart.yaml", |detector| detector.spec.monitoring.prometheus_rule.enabled = false);
    assert_eq!(none, Value::Null);
}
