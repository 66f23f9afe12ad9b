//! Each sample of `manifests/` and the objects that are built from it: `tests/golden/*.yaml`.
//!
//! `UPDATE=1 cargo test -p operator --test offline golden` rewrites them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::path::Path;

use clap::Parser;
use crd::AnomalyDetector;
use crd::missing::{Missing, MissingPolicy};
use crd::model::Train;
use crd::threshold::Threshold;
use jiff::Timestamp;
use operator::plan::{CurrentState, Plan};
use operator::resources::{self, Kind, Workload};
use operator::settings::Settings;
use serde_json::Value;

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    settings: Settings,
}

fn settings() -> Settings {
    let arguments = [
        "operator",
        "--detector-image",
        "registry.example/detector:9",
        "--detector-image-pull-policy",
        "IfNotPresent",
    ];
    Program::parse_from(arguments).settings
}

fn sample(path: &str) -> AnomalyDetector {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests").join(path))
        .unwrap();
    let mut detector = crd::manifest::one_detector(&text).unwrap().detector().clone();
    detector.metadata.namespace = Some("plant".to_owned());
    detector.metadata.uid = Some("8fd1c1e4-6c0b-4b8e-9a53-3d4f6b1c2a77".to_owned());
    detector
}

fn built(detector: &AnomalyDetector) -> Workload {
    let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
    resources::build(&Plan::new(detector, &CurrentState::default(), &settings(), now).unwrap())
}

fn yaml(workload: Workload) -> String {
    let objects = workload.into_objects().into_iter().filter_map(|(_, object)| object);
    objects.flat_map(|object| ["---\n".to_owned(), serde_saphyr::to_string(&object).unwrap()]).collect()
}

#[test]
fn every_sample_becomes_the_recorded_objects() {
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests");
    let files =
        std::fs::read_dir(manifests).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut samples: Vec<String> = files
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    samples.sort();
    assert!(samples.contains(&"quickstart.yaml".to_owned()));
    let stale: Vec<String> = samples.into_iter().filter(|name| !is_current(name)).collect();
    assert!(
        stale.is_empty(),
        "{stale:?} have changed: UPDATE=1 cargo test -p operator --test offline golden rewrites them"
    );
}

fn is_current(name: &str) -> bool {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let objects = format!("# What manifests/{name} becomes.\n{}", becomes(&sample(name)));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &objects).unwrap();
    }
    std::fs::read_to_string(&path).unwrap_or_default() == objects
}

/// The objects of a detector as YAML, or why the operator refuses it.
fn becomes(detector: &AnomalyDetector) -> String {
    match Plan::new(detector, &CurrentState::default(), &settings(), Timestamp::UNIX_EPOCH) {
        Ok(_) => yaml(built(detector)),
        Err(invalid) => format!("# Refused: {invalid}\n"),
    }
}

/// The pod template of a Deployment; a change of it rolls the pods.
fn template(workload: &Workload) -> Value {
    serde_json::to_value(&workload.deployment.spec.as_ref().unwrap().template).unwrap()
}

#[test]
fn what_the_pods_must_see_rolls_them_and_nothing_else_does() {
    const EACH_MINUTE: Option<crd::Duration> = Some(crd::Duration::from_secs(60));
    const ANOMALY: Missing = Missing { policy: MissingPolicy::Anomaly, max_staleness: None };
    let before = template(&built(&sample("quickstart.yaml")));
    let after = |edit: fn(&mut AnomalyDetector)| {
        let mut detector = sample("quickstart.yaml");
        edit(&mut detector);
        template(&built(&detector))
    };
    assert_eq!(after(|detector| detector.spec.replicas = 3), before);
    assert_eq!(after(|detector| detector.spec.service.port = 8080), before);
    assert_eq!(after(|detector| detector.spec.monitoring.prometheus_rule.enabled = false), before);
    assert_eq!(
        after(|detector| detector.metadata.labels = Some([("team".to_owned(), "plant".to_owned())].into())),
        before
    );
    assert_eq!(after(|detector| detector.spec.model.revision_history_limit = 7), before);
    assert_eq!(
        after(|detector| detector.spec.model.pinned_digest = Some(format!("sha256:{}", "0".repeat(64)))),
        before
    );
    let train = |edit: fn(&mut Train)| {
        let mut detector = sample("quickstart.yaml");
        edit(detector.spec.model.train.get_or_insert_default());
        template(&built(&detector))
    };
    assert_eq!(train(|train| train.data_end_time = Some(Timestamp::UNIX_EPOCH)), before);
    assert_ne!(
        after(|detector| detector.spec.model.retrain.get_or_insert_default().interval = EACH_MINUTE),
        before
    );
    assert_ne!(after(|detector| detector.spec.missing = Some(ANOMALY)), before);
    assert_ne!(train(|train| train.trees = Some(7)), before);
    assert_ne!(
        after(
            |detector| detector.spec.threshold = Some(Threshold { score: Some(0.6), ..Threshold::default() })
        ),
        before
    );
    assert_ne!(after(|detector| detector.spec.pod.priority_class_name = Some("high".to_owned())), before);
}

#[test]
fn the_pods_read_the_very_detector_that_was_asked_for() {
    for name in ["quickstart.yaml", "every-option.yaml"] {
        let asked = sample(name);
        let text = built(&asked).config_map.data.unwrap()["detector.yaml"].clone();
        let read = crd::manifest::one_detector(&text).unwrap();
        assert_eq!(read.spec().sources, asked.spec.sources);
        assert_eq!(read.spec().threshold, asked.spec.threshold);
        assert_eq!(read.spec().interval, asked.spec.interval);
        assert!(
            read.train().is_some_and(|train| train.data_end_time.is_some()),
            "{name}: replicas must agree on when history ends"
        );
        assert!(!text.contains("replicas"), "{text}");
    }
}

#[test]
fn a_workload_has_one_object_of_each_kind_at_most_and_all_of_one_name() {
    let mut detector = sample("quickstart.yaml");
    detector.spec.replicas = 2;
    detector.spec.notifications = sample("every-option.yaml").spec.notifications;
    detector.spec.monitoring.dashboard.enabled = true;
    let trained = CurrentState { has_model: true, ..CurrentState::default() };
    let plan = Plan::new(&detector, &trained, &settings(), Timestamp::UNIX_EPOCH).unwrap();
    let objects = resources::build(&plan).into_objects();
    assert_eq!(objects.each_ref().map(|(kind, _)| *kind), Kind::ALL);
    for (kind, object) in objects {
        let object = object.unwrap();
        assert_eq!(object["kind"], kind.name());
        assert_eq!(object["metadata"]["name"], kind.object_name("quickstart"));
        assert_eq!(object["metadata"]["namespace"], "plant");
        assert_eq!(object["metadata"]["ownerReferences"][0]["uid"], "8fd1c1e4-6c0b-4b8e-9a53-3d4f6b1c2a77");
        assert_eq!(object["metadata"]["labels"]["app.kubernetes.io/managed-by"], "anomaly-operator");
    }
}

#[test]
fn until_a_model_is_kept_one_pod_trains_it() {
    let replicas = |asked, current_state: CurrentState, edit: fn(&mut AnomalyDetector)| {
        let mut detector = sample("quickstart.yaml");
        detector.spec.replicas = asked;
        edit(&mut detector);
        let plan = Plan::new(&detector, &current_state, &settings(), Timestamp::UNIX_EPOCH).unwrap();
        resources::build(&plan).deployment.spec.unwrap().replicas
    };
    let current_state = |replicas, has_model| CurrentState { replicas, has_model, ..CurrentState::default() };
    let nothing = |_: &mut AnomalyDetector| {};
    assert_eq!(replicas(3, current_state(None, false), nothing), Some(1));
    assert_eq!(replicas(3, current_state(Some(1), false), nothing), Some(1));
    assert_eq!(replicas(3, current_state(Some(1), true), nothing), Some(3));
    assert_eq!(replicas(0, current_state(None, false), nothing), Some(0));
    assert_eq!(
        replicas(3, current_state(Some(3), false), nothing),
        Some(3),
        "what runs already is not taken away"
    );
    let load = |detector: &mut AnomalyDetector| {
        detector.spec.model.train = None;
        let load = serde_json::json!({"configMap": {"name": "forest"}});
        detector.spec.model.load = Some(serde_json::from_value(load).unwrap());
    };
    assert_eq!(replicas(3, current_state(None, false), load), Some(3), "nothing is trained");
}

#[test]
fn a_volume_of_the_spec_may_not_have_the_name_of_one_of_the_operators() {
    let mut every_option = sample("every-option.yaml");
    every_option.spec.pod.volumes.clear();
    every_option.spec.pod.volume_mounts.clear();
    let mut loading = serde_json::json!(sample("prometheus.yaml"));
    let secret = serde_json::json!({"name": "reader", "key": "token"});
    loading["spec"]["sources"][0]["prometheus"]["credentialsSecretRef"] =
        serde_json::json!({"name": "reader"});
    loading["spec"]["notifications"] = serde_json::json!([{"name": "chat", "webhook": {"url": "https://hooks.plant", "signingSecretRef": secret}}]);
    loading["spec"]["model"] = serde_json::json!({"load": {"configMap": {"name": "forest"}}});
    let loading: AnomalyDetector = serde_json::from_value(loading).unwrap();
    let mut credentials = loading.clone();
    let load =
        serde_json::json!({"url": "https://models.plant/pump", "credentialsSecretRef": {"name": "reader"}});
    credentials.spec.model.load = Some(serde_json::from_value(load).unwrap());

    let mut names = BTreeSet::new();
    for detector in [every_option, loading, credentials] {
        let volumes = template(&built(&detector))["spec"]["volumes"].clone();
        names.extend(
            volumes.as_array().unwrap().iter().map(|volume| volume["name"].as_str().unwrap().to_owned()),
        );
    }
    for name in ["tls", "client-ca", "tokens", "source-0", "ca-bundle", "signing", "load", "credentials"] {
        assert!(names.contains(name), "none of the detectors has the volume {name}: {names:?}");
    }
    let quickstart = include_str!("../../../manifests/quickstart.yaml");
    for name in names {
        let text = format!("{quickstart}  pod: {{volumes: [{{name: {name}, emptyDir: {{}}}}]}}\n");
        let refused = crd::manifest::one_detector(&text).unwrap_err().to_string();
        assert!(refused.contains("must be another name"), "{name}: {refused}");
    }
}

#[test]
fn what_the_spec_names_is_mounted_and_need_not_be_there() {
    let mut detector = sample("quickstart.yaml");
    detector.spec.model.train = None;
    let load =
        serde_json::json!({"url": "https://models.plant/pump", "credentialsSecretRef": {"name": "reader"}});
    detector.spec.model.load = Some(serde_json::from_value(load).unwrap());
    let webhook =
        serde_json::json!({"url": "https://hooks.plant", "signingSecretRef": {"name": "pen", "key": "key"}});
    let chat = serde_json::json!([{"name": "chat", "webhook": webhook}]);
    detector.spec.notifications = serde_json::from_value(chat).unwrap();
    let pod = template(&built(&detector))["spec"].clone();
    let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
    let mounts: Vec<_> = mounts
        .iter()
        .map(|mount| (mount["name"].as_str().unwrap(), mount["mountPath"].as_str().unwrap()))
        .collect();
    assert_eq!(
        mounts,
        [
            ("manifest", "/etc/anomaly-detector"),
            ("model", "/etc/anomaly-detector-model"),
            ("state", "/var/lib/anomaly-detector"),
            ("credentials", "/etc/anomaly-detector-credentials"),
            ("signing", "/etc/anomaly-detector-signing"),
        ]
    );
    let volumes = pod["volumes"].as_array().unwrap();
    assert_eq!(
        volumes.iter().map(|volume| &volume["name"]).collect::<Vec<_>>(),
        ["manifest", "model", "state", "credentials", "signing"]
    );
    assert_eq!(
        volumes[3]["secret"],
        serde_json::json!({"secretName": "reader", "optional": true, "defaultMode": 0o440})
    );

    let mut mounted = |load: Value| {
        detector.spec.model.load = Some(serde_json::from_value(load).unwrap());
        template(&built(&detector))["spec"]["volumes"][3].clone()
    };
    assert_eq!(
        mounted(serde_json::json!({"configMap": {"name": "forest"}}))["configMap"],
        serde_json::json!({"name": "forest", "optional": true})
    );
    assert_eq!(
        mounted(serde_json::json!({"persistentVolumeClaim": {"claimName": "models", "path": "pump"}}))["persistentVolumeClaim"],
        serde_json::json!({"claimName": "models", "readOnly": true})
    );
}

#[test]
fn pods_go_out_only_where_the_spec_names_an_address() {
    let ways_out = |edit: fn(&mut AnomalyDetector)| {
        let mut detector = sample("quickstart.yaml");
        edit(&mut detector);
        serde_json::to_value(built(&detector).network_policy.spec.unwrap()).unwrap()["egress"].clone()
    };
    assert_eq!(ways_out(|_| {}), serde_json::json!([]));
    let webhook = ways_out(|detector| {
        let chat = serde_json::json!([{"name": "chat", "webhook": {"url": "https://hooks.plant"}}]);
        detector.spec.notifications = serde_json::from_value(chat).unwrap();
    });
    assert_eq!(webhook[0]["ports"][0], serde_json::json!({"port": 53, "protocol": "UDP"}));
    let everywhere = webhook[1]["to"].as_array().unwrap();
    assert_eq!(everywhere[0], serde_json::json!({"namespaceSelector": {}}));
    assert_eq!(
        everywhere[1]["ipBlock"],
        serde_json::json!({
            "cidr": "0.0.0.0/0",
            "except": ["169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.0/24"],
        })
    );
    let url = ways_out(|detector| {
        detector.spec.model.train = None;
        let load = serde_json::json!({"url": "s3://models/pump"});
        detector.spec.model.load = Some(serde_json::from_value(load).unwrap());
    });
    assert_eq!(url, webhook);
}

#[test]
fn the_spec_says_how_many_pods_there_are_and_one_where_it_does_not() {
    let mut detector = sample("quickstart.yaml");
    let trained =
        |replicas| CurrentState { replicas: Some(replicas), has_model: true, ..CurrentState::default() };
    let planned = |detector: &AnomalyDetector, standing: &CurrentState| {
        resources::build(&Plan::new(detector, standing, &settings(), Timestamp::UNIX_EPOCH).unwrap())
    };
    assert_eq!(planned(&detector, &trained(4)).deployment.spec.unwrap().replicas, Some(1));
    detector.spec.replicas = 4;
    let workload = planned(&detector, &trained(1));
    assert_eq!(workload.deployment.spec.unwrap().replicas, Some(4));
    assert!(workload.pod_disruption_budget.is_some(), "four replicas have a budget");
}

#[test]
fn pods_get_what_the_spec_gives_them_and_keep_what_the_operator_needs() {
    let pod = template(&built(&sample("every-option.yaml")));
    assert_eq!(pod["metadata"]["labels"]["team"], "plant");
    assert_eq!(pod["metadata"]["labels"]["app.kubernetes.io/instance"], "every-option");
    let spread = &pod["spec"]["topologySpreadConstraints"];
    assert_eq!(spread.as_array().unwrap().len(), 1, "the spec's constraint stands in for the operator's");
    assert_eq!(spread[0]["labelSelector"]["matchLabels"]["app.kubernetes.io/instance"], "every-option");
    assert_eq!(pod["spec"]["imagePullSecrets"], serde_json::json!([{"name": "registry"}]));
    let container = &pod["spec"]["containers"][0];
    let mounted = |path: &str| {
        container["volumeMounts"].as_array().unwrap().iter().any(|mount| mount["mountPath"] == path)
    };
    for path in [
        "/data",
        "/scratch",
        "/etc/anomaly-detector",
        "/etc/anomaly-detector-ca",
        "/etc/anomaly-detector-signing",
    ] {
        assert!(mounted(path), "{path}");
    }
    let volumes = pod["spec"]["volumes"].as_array().unwrap();
    let signing = volumes.iter().find(|volume| volume["name"] == "signing").unwrap();
    assert_eq!(
        signing["projected"]["sources"][0]["secret"],
        serde_json::json!({"name": "webhook", "optional": true, "items": [{"key": "key", "path": "chat"}]})
    );
    let variable =
        |name: &str| container["env"].as_array().unwrap().iter().find(|each| each["name"] == name).cloned();
    assert_eq!(variable("DETECTOR_PEERS").unwrap()["value"], "every-option-peers.plant.svc:8000");
    assert_eq!(variable("DETECTOR_CA_BUNDLE").unwrap()["value"], "/etc/anomaly-detector-ca/ca.crt");
}

#[test]
fn a_recording_without_a_volume_is_refused_on_a_cluster_in_a_sentence() {
    let plan =
        Plan::new(&sample("recorded.yaml"), &CurrentState::default(), &settings(), Timestamp::UNIX_EPOCH);
    assert_eq!(
        plan.unwrap_err().to_string(),
        "spec.pod.volumeMounts: a csv source needs a volume that is mounted at /data, or below: add it to pod.volumes and \
         pod.volumeMounts"
    );
}

#[test]
fn a_service_account_of_ones_own_replaces_ours() {
    let mut detector = sample("quickstart.yaml");
    detector.spec.pod.service_account_name = Some("plant-reader".to_owned());
    let workload = built(&detector);
    assert_eq!(workload.service_account, None);
    let pod = template(&workload);
    assert_eq!(pod["spec"]["serviceAccountName"], "plant-reader");
    assert_eq!(pod["spec"]["automountServiceAccountToken"], false);
}
