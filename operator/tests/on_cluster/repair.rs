//! Edits of a detector's objects by other writers, and objects that the API server refuses:
//! `tests/on-cluster repair`.

use std::time::{Duration, Instant};

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use operator::resources::Kind;
use serde_json::{Value, json};

use crate::test_namespace::{TestNamespace, condition, sample, until_within};

/// The longest time until an edited object is restored.
const REPAIR: Duration = Duration::from_secs(5);

/// Edits by another writer, each a JSON patch of one operation: (kind, operation, path, value).
fn edits() -> Vec<(Kind, &'static str, &'static str, Value)> {
    use Kind::{ConfigMap, Deployment, NetworkPolicy, PodDisruptionBudget, Service, ServiceAccount};
    let template = |field: &str| -> &'static str { Box::leak(format!("/spec/template/spec/{field}").into()) };
    let container = |field: &str| template(&format!("containers/0/{field}"));
    let own = "/metadata/labels/app.kubernetes.io~1part-of";
    let mut edits: Vec<_> =
        [ServiceAccount, ConfigMap, Service, NetworkPolicy, PodDisruptionBudget, Deployment]
            .into_iter()
            .flat_map(|kind| {
                [
                    (kind, "replace", own, json!("something-else")),
                    (kind, "remove", own, json!(null)),
                    (kind, "replace", "/metadata/annotations/anomaly.dev~1applied", json!("0")),
                    (kind, "remove", "/metadata/annotations/anomaly.dev~1applied", json!(null)),
                    (kind, "replace", "/metadata/ownerReferences/0/blockOwnerDeletion", json!(false)),
                ]
            })
            .collect();
    edits.extend([
        (ServiceAccount, "replace", "/automountServiceAccountToken", json!(true)),
        (ServiceAccount, "remove", "/automountServiceAccountToken", json!(null)),
        (ConfigMap, "replace", "/data/detector.yaml", json!("nothing")),
        (ConfigMap, "remove", "/data/detector.yaml", json!(null)),
        (Service, "add", "/spec/selector/more", json!("labels")),
        (Service, "replace", "/spec/selector/app.kubernetes.io~1instance", json!("other")),
        (Service, "replace", "/spec/ports/0/port", json!(8181)),
        (Service, "replace", "/spec/ports/0/targetPort", json!(1)),
        (Service, "replace", "/spec/ports/0/name", json!("renamed")),
        (Service, "remove", "/spec/ports/1", json!(null)),
        (Service, "add", "/spec/externalIPs", json!(["192.0.2.1"])),
        (Service, "add", "/spec/publishNotReadyAddresses", json!(true)),
        (Service, "replace", "/spec/sessionAffinity", json!("ClientIP")),
        (Service, "replace", "/spec/type", json!("NodePort")),
        (NetworkPolicy, "add", "/spec/egress", json!([{}])),
        (NetworkPolicy, "add", "/spec/ingress/-", json!({})),
        (NetworkPolicy, "add", "/spec/ingress/0/from", json!([{"podSelector": {}}])),
        (NetworkPolicy, "add", "/spec/ingress/0/ports/-", json!({"port": 22, "protocol": "TCP"})),
        (NetworkPolicy, "replace", "/spec/ingress", json!([])),
        (NetworkPolicy, "add", "/spec/podSelector/matchLabels/more", json!("labels")),
        (NetworkPolicy, "replace", "/spec/policyTypes", json!(["Ingress"])),
        (PodDisruptionBudget, "add", "/spec/selector/matchLabels/more", json!("labels")),
        (PodDisruptionBudget, "replace", "/spec/maxUnavailable", json!(0)),
        (PodDisruptionBudget, "replace", "/spec/unhealthyPodEvictionPolicy", json!("IfHealthyBudget")),
        (Deployment, "add", "/spec/paused", json!(true)),
        (Deployment, "replace", "/spec/replicas", json!(1)),
        (Deployment, "replace", "/spec/revisionHistoryLimit", json!(0)),
        (Deployment, "replace", "/spec/strategy/rollingUpdate/maxUnavailable", json!(1)),
        (
            Deployment,
            "replace",
            "/spec/template/metadata/labels/app.kubernetes.io~1component",
            json!("other"),
        ),
        (Deployment, "remove", "/spec/template/metadata/annotations/anomaly.dev~1config", json!(null)),
        (Deployment, "add", template("nodeSelector"), json!({"kubernetes.io/os": "linux"})),
        (Deployment, "add", template("tolerations"), json!([{"operator": "Exists"}])),
        (Deployment, "add", template("hostPID"), json!(true)),
        (Deployment, "add", template("hostIPC"), json!(true)),
        (Deployment, "replace", template("automountServiceAccountToken"), json!(true)),
        (Deployment, "replace", template("enableServiceLinks"), json!(true)),
        (Deployment, "replace", template("serviceAccountName"), json!("default")),
        (Deployment, "replace", template("terminationGracePeriodSeconds"), json!(1)),
        (Deployment, "replace", template("securityContext/runAsUser"), json!(1000)),
        (Deployment, "replace", template("securityContext/runAsNonRoot"), json!(false)),
        (
            Deployment,
            "add",
            template("topologySpreadConstraints/0/labelSelector/matchLabels/more"),
            json!("labels"),
        ),
        (Deployment, "remove", template("topologySpreadConstraints/0"), json!(null)),
        (Deployment, "replace", container("image"), json!("localhost/other:dev")),
        (Deployment, "replace", container("args"), json!(["--help"])),
        (Deployment, "add", container("args/-"), json!("--verbose")),
        (Deployment, "add", container("command"), json!(["/other"])),
        (
            Deployment,
            "add",
            container("envFrom"),
            json!([{"configMapRef": {"name": "pump", "optional": true}}]),
        ),
        (Deployment, "replace", container("env/0/value"), json!("text")),
        (Deployment, "remove", container("env/0"), json!(null)),
        (Deployment, "replace", container("resources/limits/memory"), json!("1Gi")),
        (Deployment, "remove", container("resources/limits"), json!(null)),
        (Deployment, "replace", container("readinessProbe/httpGet/path"), json!("/livez")),
        (Deployment, "replace", container("livenessProbe/periodSeconds"), json!(60)),
        (Deployment, "replace", container("securityContext/readOnlyRootFilesystem"), json!(false)),
        (Deployment, "add", container("securityContext/capabilities/add"), json!(["NET_ADMIN"])),
        (Deployment, "replace", container("volumeMounts/0/readOnly"), json!(false)),
        (Deployment, "replace", container("volumeMounts/0/mountPath"), json!("/elsewhere")),
        (Deployment, "add", container("volumeMounts/-"), json!({"name": "state", "mountPath": "/second"})),
    ]);
    edits
}

/// The content of an object without the fields that change on every write.
fn content(object: &kube::api::DynamicObject) -> Value {
    let mut object = json!(object);
    for field in ["resourceVersion", "managedFields", "generation"] {
        object["metadata"].as_object_mut().unwrap().remove(field);
    }
    if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
        annotations.remove("deployment.kubernetes.io/revision");
    }
    if let Some(spec) = object["spec"].as_object_mut() {
        spec.remove("healthCheckNodePort");
    }
    object.as_object_mut().unwrap().remove("status");
    object
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster repair"]
async fn whatever_others_edit_add_or_remove_of_what_is_ours_is_as_it_was() {
    let namespace = TestNamespace::new("repair").await;
    let mut manifest = sample("quickstart.yaml", "pump");
    manifest["spec"]["replicas"] = json!(2);
    namespace.apply(&manifest).await.unwrap();
    namespace.ready("pump").await;

    let (mut repaired, mut left) = (0, Vec::new());
    for (kind, op, path, value) in edits() {
        let api = namespace.api(kind);
        let before = content(&api.get("pump").await.unwrap());
        let patch = match op {
            "remove" => json!([{"op": op, "path": path}]),
            _ => json!([{"op": op, "path": path, "value": value}]),
        };
        let what = format!("{op} {path} of {kind:?}");
        let patch = Patch::<()>::Json(serde_json::from_value(patch).unwrap());
        let by_somebody =
            PatchParams { field_manager: Some("somebody".to_owned()), ..PatchParams::default() };
        if let Err(refused) = api.patch("pump", &by_somebody, &patch).await {
            panic!("{what}: {refused}");
        }
        let began = Instant::now();
        while began.elapsed() < REPAIR && content(&api.get("pump").await.unwrap()) != before {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if content(&api.get("pump").await.unwrap()) == before {
            repaired += 1;
        } else {
            left.push(what);
        }
    }
    println!("figures: drift_kinds_repaired={repaired} drift_kinds={}", repaired + left.len());
    assert_eq!(left, Vec::<String>::new(), "not repaired");
    namespace.ready("pump").await;
    namespace.delete().await;
}

fn policies(
    namespace: &TestNamespace,
) -> (Api<ValidatingAdmissionPolicy>, Api<ValidatingAdmissionPolicyBinding>) {
    (Api::all(namespace.client.clone()), Api::all(namespace.client.clone()))
}

/// Have the API server refuse Deployments of the namespace whose pods have that label, and wait until it does.
async fn forbid_deployments_labelled(namespace: &TestNamespace, label: &str) -> String {
    let name = namespace.name.clone();
    let policy = json!({"metadata": {"name": name}, "spec": {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [{
            "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"], "operations": ["CREATE", "UPDATE"],
        }]},
        "validations": [{
            "expression": format!("!('{label}' in object.spec.template.metadata.labels)"),
            "message": "not this Deployment",
        }],
    }});
    let selector = json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
    let binding = json!({"metadata": {"name": name}, "spec": {
        "policyName": name, "validationActions": ["Deny"], "matchResources": {"namespaceSelector": selector},
    }});
    let (policies, bindings) = policies(namespace);
    policies.create(&PostParams::default(), &serde_json::from_value(policy).unwrap()).await.unwrap();
    bindings.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
    let labelled = Patch::Merge(json!({"spec": {"template": {"metadata": {"labels": {label: "yes"}}}}}));
    let dry_run = PatchParams { dry_run: true, ..PatchParams::default() };
    until_within(Duration::from_secs(30), "policy", async || {
        namespace.api(Kind::Deployment).patch("pump", &dry_run, &labelled).await.err().map(|_| ())
    })
    .await;
    name
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster repair"]
async fn an_object_that_the_api_server_refuses_stops_no_other_and_is_named() {
    let namespace = TestNamespace::new("rejected").await;
    namespace.apply(&sample("quickstart.yaml", "pump")).await.unwrap();
    namespace.ready("pump").await;
    // An admission policy of the cluster can refuse an object that every schema accepts.
    let policy = forbid_deployments_labelled(&namespace, "forbidden").await;
    {
        let says = "not this Deployment";
        namespace
            .edit("pump", json!({"pod": {"labels": {"forbidden": "yes"}}, "service": {"port": 81}}))
            .await;
        let is_stalled = |detector: &Value| condition(detector, "Stalled").0 == "True";
        let detector = namespace.detector_once("pump", "is stalled", is_stalled).await;
        for (type_, status) in [("Ready", "False"), ("Accepted", "False"), ("Progressing", "False")] {
            let (is, reason, message) = condition(&detector, type_);
            assert_eq!((is.as_str(), reason.as_str()), (status, "ApplyFailed"), "{type_}: {message}");
            assert!(message.contains("Deployment") && message.contains(says), "{type_}: {message}");
        }
        let service = json!(namespace.api(Kind::Service).get("pump").await.unwrap());
        assert_eq!(service["spec"]["ports"][0]["port"], 81, "the Service is as asked all the same");
    }
    namespace.edit("pump", json!({"pod": {"labels": null}})).await;
    let detector = namespace.ready("pump").await;
    assert_eq!(condition(&detector, "Stalled").0, "");
    let (policies, bindings) = policies(&namespace);
    policies.delete(&policy, &kube::api::DeleteParams::default()).await.unwrap();
    bindings.delete(&policy, &kube::api::DeleteParams::default()).await.unwrap();
    namespace.delete().await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster repair"]
async fn foreground_deletion_returns_once_all_that_is_owned_is_gone() {
    let namespace = TestNamespace::new("foreground").await;
    namespace.apply(&sample("quickstart.yaml", "pump")).await.unwrap();
    namespace.ready("pump").await;
    namespace.detectors().delete("pump", &kube::api::DeleteParams::foreground()).await.unwrap();
    until_within(Duration::from_mins(1), "end of the detector", async || {
        namespace.detectors().get_opt("pump").await.unwrap().is_none().then_some(())
    })
    .await;
    for kind in Kind::ALL.into_iter().filter(|kind| !kind.is_monitoring()) {
        assert!(
            namespace.find(kind, "pump").await.is_none_or(|object| object.name_any() != "pump"),
            "{kind:?}"
        );
    }
    namespace.delete().await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster repair"]
async fn a_detector_without_a_number_of_replicas_can_be_scaled() {
    let namespace = TestNamespace::new("replicas").await;
    let mut manifest = sample("quickstart.yaml", "pump");
    manifest["spec"].as_object_mut().unwrap().remove("replicas");
    namespace.apply(&manifest).await.unwrap();
    let scale = json!(namespace.detectors().get_scale("pump").await.unwrap());
    assert_eq!(scale["spec"]["replicas"], 1);
    let two = Patch::Merge(json!({"spec": {"replicas": 2}}));
    namespace.detectors().patch_scale("pump", &PatchParams::default(), &two).await.unwrap();
    let two_ready = |detector: &Value| detector["status"]["readyReplicas"] == 2;
    namespace.detector_once("pump", "has two replicas", two_ready).await;
    namespace.apply(&manifest).await.unwrap();
    let detector = json!(namespace.detectors().get("pump").await.unwrap());
    assert_eq!(detector["spec"]["replicas"], 2, "applying it again leaves the number alone");
    namespace.delete().await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/on-cluster repair"]
async fn a_horizontal_pod_autoscaler_scales_a_detector_without_a_number_of_replicas() {
    let namespace = TestNamespace::new("autoscaler").await;
    let mut manifest = sample("quickstart.yaml", "pump");
    manifest["spec"].as_object_mut().unwrap().remove("replicas");
    namespace.apply(&manifest).await.unwrap();
    namespace.ready("pump").await;

    // Below its minimum, an autoscaler scales without metrics, which this cluster does not have.
    let target = json!({"apiVersion": "anomaly.dev/v1alpha1", "kind": "AnomalyDetector", "name": "pump"});
    let autoscaler = json!({
        "metadata": {"name": "pump"},
        "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 4},
    });
    let autoscalers: Api<HorizontalPodAutoscaler> =
        Api::namespaced(namespace.client.clone(), &namespace.name);
    let autoscaler = serde_json::from_value(autoscaler).unwrap();
    autoscalers.create(&PostParams::default(), &autoscaler).await.unwrap();
    let two_ready = |detector: &Value| detector["status"]["readyReplicas"] == 2;
    namespace.detector_once("pump", "has two replicas", two_ready).await;
    until_within(Duration::from_mins(1), "autoscaler that has scaled", async || {
        let autoscaler = json!(autoscalers.get("pump").await.ok()?);
        let status = condition(&autoscaler, "AbleToScale").0;
        (status == "True" && autoscaler["status"]["currentReplicas"] == 2).then_some(())
    })
    .await;

    namespace.apply(&manifest).await.unwrap();
    namespace.edit("pump", json!({"threshold": {"contamination": 0.03}})).await;
    let detector = namespace.ready("pump").await;
    assert_eq!(detector["spec"]["replicas"], 2, "nothing but the autoscaler changes the number");
    namespace.delete().await;
}
