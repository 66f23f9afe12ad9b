//! The shipped dashboards, those of the chart and those per detector: they keep the rules of
//! grafana/dashboard-linter, and, like the alerts, query only metrics that our programs export.
//! `tests/on-cluster prometheus` shows that each query returns data on a real Prometheus.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::path::Path;

use crate::linter::{expressions, lint, metrics, panels, promql};
use clap::Parser;
use jiff::Timestamp;
use operator::plan::{CurrentState, Plan};
use operator::resources::dashboard;
use operator::settings::Settings;
use serde_json::{Value, json};

const DETECTORS: &str = include_str!("../../../charts/anomaly-operator/dashboards/detectors.json");
const OPERATOR: &str = include_str!("../../../charts/anomaly-operator/dashboards/operator.json");

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    settings: Settings,
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The name of the file with the pump's own dashboard, and the dashboard.
fn of_pump() -> (String, Value) {
    let text = include_str!("../../../manifests/pump.yaml");
    let mut detector = crd::manifest::one_detector(text).unwrap().detector().clone();
    detector.metadata.namespace = Some("plant".to_owned());
    detector.spec.monitoring.dashboard.enabled = true;
    let settings = Program::parse_from(["operator"]).settings;
    let plan = Plan::new(&detector, &CurrentState::default(), &settings, Timestamp::UNIX_EPOCH).unwrap();
    let config_map = dashboard::build(&plan).unwrap();
    assert_eq!(config_map.metadata.labels.unwrap()["grafana_dashboard"], "1");
    let (file, text) = config_map.data.unwrap().pop_first().unwrap();
    (file, read(&text))
}

/// The names of the metrics that our programs export, read from their sources, and of the series that the
/// rules record.
fn exported() -> BTreeSet<String> {
    fn collect(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, names);
            } else if path.to_str().unwrap().contains("metrics") {
                let text = std::fs::read_to_string(&path).unwrap();
                names.extend(text.split('"').filter(|name| name.starts_with("anomaly_")).map(str::to_owned));
            }
        }
    }
    let mut names = BTreeSet::new();
    for sources in ["../detector/src", "src"] {
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(sources), &mut names);
    }
    assert!(names.contains("anomaly_score") && names.contains("anomaly_operator_leader"), "{names:?}");
    names
}

/// Whether a metric is exported. The series of a histogram have its name and a suffix.
fn is_exported(metric: &str, names: &BTreeSet<String>) -> bool {
    let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| metric.strip_suffix(suffix));
    names.contains(metric) || histogram.is_some_and(|name| names.contains(name))
}

#[test]
fn every_dashboard_keeps_the_linters_eleven_rules() {
    for dashboard in [read(DETECTORS), read(OPERATOR), of_pump().1] {
        assert!(panels(&dashboard).len() > 7, "{}", dashboard["title"]);
        assert_eq!(lint(&dashboard), Vec::<String>::new(), "{}", dashboard["title"]);
    }
}

#[test]
fn each_rule_finds_its_fault() {
    type Break = fn(&mut Value);
    let faults: [(&str, Break); 11] = [
        ("template-datasource", |it| it["templating"]["list"][0]["label"] = json!("Source")),
        ("template-job", |it| it["templating"]["list"][1]["multi"] = json!(false)),
        ("template-instance", |it| it["templating"]["list"][2]["allValue"] = json!(".*")),
        ("template-label-promql", |it| {
            it["templating"]["list"][1]["query"]["query"] = json!("label_values(up{job=}, job)");
        }),
        ("panel-datasource", |it| it["panels"][1]["datasource"]["uid"] = json!("P1809F7CD0C75ACF3")),
        ("panel-title-description", |it| it["panels"][1]["description"] = json!("")),
        ("panel-units", |it| it["panels"][1]["fieldConfig"]["defaults"]["unit"] = json!("")),
        ("target-promql", |it| it["panels"][1]["targets"][0]["expr"] = json!("sum(up{job=~\"$job\"}")),
        ("target-rate-interval", |it| {
            it["panels"][1]["targets"][0]["expr"] = json!(
                "sum(rate(anomaly_operator_reconciles_total{job=~\"$job\",instance=~\"$instance\"}[5m]))"
            );
        }),
        ("target-job", |it| {
            it["panels"][1]["targets"][0]["expr"] = json!("anomaly_operator_leader{instance=~\"$instance\"}");
        }),
        ("target-instance", |it| {
            it["panels"][1]["targets"][0]["expr"] = json!("up{job=~\"$job\",instance=\"a\"}");
        }),
    ];
    for (rule, break_it) in faults {
        let mut dashboard = read(OPERATOR);
        break_it(&mut dashboard);
        let found = lint(&dashboard);
        assert!(!found.is_empty() && found.iter().all(|fault| fault.starts_with(rule)), "{rule}: {found:?}");
    }
}

#[test]
fn every_expression_parses_and_asks_only_for_what_is_exported_or_recorded() {
    let rules = ["pump", "patient"].map(|name| {
        let path = format!("{}/tests/rules/{name}.rules.yaml", env!("CARGO_MANIFEST_DIR"));
        serde_saphyr::from_str::<Value>(&std::fs::read_to_string(path).unwrap()).unwrap()
    });
    let rules: Vec<&Value> =
        rules.iter().flat_map(|file| file["groups"][0]["rules"].as_array().unwrap()).collect();
    let mut names = exported();
    names.extend(rules.iter().filter_map(|rule| rule["record"].as_str().map(str::to_owned)));
    let asked = [DETECTORS, OPERATOR].into_iter().flat_map(|text| expressions(&read(text)));
    let asked: Vec<String> =
        asked.chain(rules.iter().filter_map(|rule| rule["expr"].as_str().map(str::to_owned))).collect();
    assert!(asked.len() > 50, "{} expressions", asked.len());
    for expression in asked {
        let parsed = promql(&expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
        for metric in metrics(&parsed) {
            assert!(is_exported(&metric, &names), "nobody exports {metric}: {expression}");
        }
    }
}

#[test]
fn a_dashboard_of_one_detector_asks_for_that_one() {
    let (file, dashboard) = of_pump();
    assert_eq!(file, "anomaly-detector-plant-pump.json");
    assert_eq!(dashboard["title"], "Anomaly detector plant/pump");
    assert!(dashboard["uid"].as_str().unwrap().len() <= 40, "Grafana refuses longer ones");
    assert_ne!(dashboard["uid"], read(DETECTORS)["uid"]);
    for (name, value) in [("namespace", "plant"), ("detector", "pump")] {
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        let variable = variables.iter().find(|variable| variable["name"] == name).unwrap();
        assert_eq!((&variable["type"], &variable["query"]), (&json!("constant"), &json!(value)));
    }
}

#[test]
fn no_two_panels_overlap() {
    for dashboard in [read(DETECTORS), read(OPERATOR)] {
        let mut taken = BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_i64().unwrap());
            assert!(x + w <= 24, "{}", panel["title"]);
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(taken.insert(cell), "{} overlaps", panel["title"]);
            }
        }
    }
}
