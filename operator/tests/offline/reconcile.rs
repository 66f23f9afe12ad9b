//! Scenarios of the reconciler against a scripted API server: which calls read and write, and which are not
//! made.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::api_server::{Cluster, Fault};
use operator::client::error::Error;
use serde_json::json;

const NETWORK_POLICY: &str = "/apis/networking.k8s.io/v1/namespaces/plant/networkpolicies/pump";
const SERVICE: &str = "/api/v1/namespaces/plant/services/pump";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/plant/deployments/pump";
const CONFIG_MAP: &str = "/api/v1/namespaces/plant/configmaps/pump";
const DETECTOR: &str = "/apis/anomaly.dev/v1alpha1/namespaces/plant/anomalydetectors/pump";

const POINTER: &str = "/api/v1/namespaces/plant/configmaps/pump-model";

/// The pointer of a stored model, as the watch sees it.
fn pointer() -> serde_json::Value {
    json!({"metadata": {
        "name": "pump-model", "namespace": "plant",
        "labels": {
            "app.kubernetes.io/managed-by": "anomaly-operator", "app.kubernetes.io/component": "model",
            "app.kubernetes.io/instance": "pump",
        },
        "ownerReferences": [{"uid": "8fd1c1e4"}],
    }})
}

async fn at_rest() -> Cluster {
    let mut cluster = Cluster::new();
    cluster.settle().await;
    cluster.calls();
    cluster
}

#[tokio::test(start_paused = true)]
async fn a_new_detector_is_written_once_in_order_the_pods_last() {
    let mut cluster = Cluster::new();
    cluster.see();
    cluster.reconcile().await.unwrap();
    assert_eq!(
        cluster.writes(),
        [
            "PATCH serviceaccounts",
            "PATCH configmaps",
            "PATCH services",
            "PATCH networkpolicies",
            "PATCH deployments",
            "PATCH anomalydetectors/status"
        ]
    );
    assert_eq!(cluster.condition("Accepted").0, "True");
    assert_eq!(cluster.condition("Ready").1, "RollingOut");
}

#[tokio::test(start_paused = true)]
async fn at_rest_the_api_server_is_asked_nothing() {
    let cluster = at_rest().await;
    cluster.reconcile().await.unwrap();
    assert_eq!(cluster.calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_restarted_operator_asks_nothing_either() {
    let mut cluster = at_rest().await;
    cluster.restart();
    cluster.reconcile().await.unwrap();
    assert_eq!(cluster.calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn watches_that_lag_behind_our_own_writes_cause_no_second_ones() {
    let mut cluster = Cluster::new();
    cluster.see();
    cluster.reconcile().await.unwrap();
    cluster.calls();
    cluster.reconcile().await.unwrap();
    assert_eq!(cluster.writes(), Vec::<String>::new(), "nothing created is seen yet");

    cluster.settle().await;
    cluster.edit_spec(|spec| spec["threshold"]["contamination"] = json!(0.03));
    cluster.see();
    cluster.reconcile().await.unwrap();
    cluster.calls();
    cluster.reconcile().await.unwrap();
    assert_eq!(cluster.calls(), Vec::<String>::new(), "nothing changed is seen yet");
}

#[tokio::test(start_paused = true)]
async fn an_edit_writes_what_it_changes_and_no_more() {
    let mut cluster = at_rest().await;
    cluster.edit_spec(|spec| spec["threshold"]["contamination"] = json!(0.03));
    cluster.see();
    cluster.reconcile().await.unwrap();
    assert_eq!(cluster.writes(), ["PATCH configmaps", "PATCH deployments", "PATCH anomalydetectors/status"]);

    cluster.edit_spec(|spec| spec["service"]["port"] = json!(81));
    cluster.see();
    cluster.reconcile().await.unwrap();
    assert_eq!(cluster.writes(), ["PATCH services", "PATCH anomalydetectors/status"]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_history_outlives_either_object_that_keeps_it() {
    for lost in [CONFIG_MAP, DEPLOYMENT] {
        let mut cluster = at_rest().await;
        // A time of long ago, which cannot be mistaken for a new one.
        for path in [CONFIG_MAP, DEPLOYMENT] {
            cluster.edit(path, |object| {
                object["metadata"]["annotations"]["anomaly.dev/history-until"] =
                    json!("2020-01-01T00:00:00Z");
            });
        }
        cluster.settle().await;
        cluster.server.lock().unwrap().objects.remove(lost);
        cluster.settle().await;
        let manifest = cluster.get(CONFIG_MAP)["data"]["detector.yaml"].as_str().unwrap().to_owned();
        assert!(manifest.contains("dataEndTime: \"2020-01-01T00:00:00Z\""), "{lost} was lost: {manifest}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_comes_with_the_second_replica_and_goes_with_it() {
    let mut cluster = at_rest().await;
    cluster.put(POINTER, pointer());
    cluster.edit_spec(|spec| spec["replicas"] = json!(2));
    cluster.see();
    cluster.reconcile().await.unwrap();
    assert_eq!(
        cluster.writes(),
        ["PATCH poddisruptionbudgets", "PATCH deployments", "PATCH anomalydetectors/status"]
    );
    cluster.edit_spec(|spec| spec["replicas"] = json!(1));
    cluster.see();
    cluster.reconcile().await.unwrap();
    assert_eq!(
        cluster.writes(),
        ["DELETE poddisruptionbudgets", "PATCH deployments", "PATCH anomalydetectors/status"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_others_edit_comes_back_and_what_they_add_stays() {
    let mut cluster = at_rest().await;
    cluster.edit(SERVICE, |service| {
        service["spec"]["selector"] = json!({"app": "other"});
        service["metadata"]["labels"]["team"] = json!("plant");
    });
    cluster.see();
    cluster.reconcile().await.unwrap();
    assert_eq!(cluster.writes(), ["PATCH services"]);
    assert_eq!(cluster.get(SERVICE)["spec"]["selector"]["app.kubernetes.io/instance"], "pump");
    assert_eq!(cluster.get(SERVICE)["metadata"]["labels"]["team"], "plant");
}

#[tokio::test(start_paused = true)]
async fn what_others_delete_comes_back() {
    let before = at_rest().await.workload();
    for path in before.keys() {
        let mut cluster = at_rest().await;
        let whole = cluster.workload();
        cluster.server.lock().unwrap().objects.remove(path);
        cluster.settle().await;
        assert_eq!(cluster.workload(), whole, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_lost_its_labels_is_found_and_mended() {
    let mut cluster = at_rest().await;
    cluster.edit(SERVICE, |service| service["metadata"]["labels"] = json!({}));
    cluster.see();
    cluster.reconcile().await.unwrap();
    assert_eq!(cluster.calls(), ["GET services", "PATCH services"]);
}

#[tokio::test(start_paused = true)]
async fn orphans_of_a_former_detector_of_that_name_are_taken_in() {
    let mut cluster = at_rest().await;
    cluster.edit(DEPLOYMENT, |object| object["metadata"]["ownerReferences"] = json!([]));
    cluster.settle().await;
    assert_eq!(cluster.get(DEPLOYMENT)["metadata"]["ownerReferences"][0]["uid"], "8fd1c1e4");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_stops_everything_until_it_is_free() {
    let mut cluster = Cluster::new();
    let foreign =
        json!({"metadata": {"name": "pump", "namespace": "plant"}, "spec": {"selector": {"app": "other"}}});
    cluster.put(SERVICE, foreign.clone());
    cluster.see();
    cluster.reconcile().await.unwrap();
    assert_eq!(cluster.writes(), ["PATCH anomalydetectors/status", "POST events"]);
    assert_eq!(cluster.get(SERVICE)["spec"], foreign["spec"]);
    let (status, reason, message) = cluster.condition("Stalled");
    assert_eq!((status.as_str(), reason.as_str()), ("True", "NameTaken"));
    assert_eq!(
        message,
        "Service pump exists already and does not belong to this detector; delete it, or give the detector another name"
    );

    cluster.server.lock().unwrap().objects.remove(SERVICE);
    cluster.settle().await;
    assert_eq!(cluster.condition("Accepted").0, "True");
    assert_eq!(cluster.workload().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_refused_spec_leaves_the_workload_as_it_was() {
    let mut cluster = at_rest().await;
    let before = cluster.workload();
    cluster.edit_spec(|spec| {
        let mut same_sensor = spec["sources"][0].clone();
        same_sensor["name"] = json!("other");
        spec["sources"].as_array_mut().unwrap().push(same_sensor);
    });
    cluster.see();
    cluster.reconcile().await.unwrap();
    assert_eq!(cluster.writes(), ["PATCH anomalydetectors/status", "POST events"]);
    assert_eq!(cluster.workload(), before);
    let (status, reason, message) = cluster.condition("Accepted");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "InvalidSpec"));
    assert!(
        message.contains("spec.sources[1].simulated.sensors[0].name: must be unique over all sources"),
        "{message}"
    );
    cluster.reconcile().await.unwrap();
    assert_eq!(cluster.calls(), Vec::<String>::new(), "it waits for the next edit");
}

#[tokio::test(start_paused = true)]
async fn an_object_of_another_version_says_so_once() {
    let mut cluster = Cluster::new();
    cluster.edit(DETECTOR, |detector| detector["spec"] = json!({"sensors": ["of another age"]}));
    cluster.see();
    cluster.reconcile().await.unwrap();
    assert_eq!(cluster.calls(), ["GET anomalydetectors", "PATCH anomalydetectors/status"]);
    let (status, reason, message) = cluster.condition("Ready");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "InvalidSpec"));
    assert!(message.starts_with("this version of the operator cannot read the stored object: "), "{message}");
    cluster.see();
    cluster.reconcile().await.unwrap();
    assert_eq!(cluster.writes(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_detector_on_its_way_out_is_left_to_the_cluster() {
    let mut cluster = at_rest().await;
    cluster
        .edit(DETECTOR, |detector| detector["metadata"]["deletionTimestamp"] = json!("2026-11-22T12:00:00Z"));
    cluster.server.lock().unwrap().objects.remove(SERVICE);
    cluster.see();
    cluster.reconcile().await.unwrap();
    assert_eq!(cluster.calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_detector_that_is_gone_by_the_time_of_its_status_is_no_failure() {
    let mut cluster = Cluster::new();
    cluster.see();
    cluster.server.lock().unwrap().objects.remove(DETECTOR);
    cluster.reconcile().await.unwrap();
    assert_eq!(cluster.writes().last().unwrap(), "PATCH anomalydetectors/status");
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_reported_and_the_next_look_goes_on_from_there() {
    let mut cluster = Cluster::new();
    cluster.server.lock().unwrap().faults.insert(3, Fault::Refused(409));
    cluster.see();
    let error = cluster.reconcile().await.unwrap_err();
    assert!(error.to_string().starts_with("cannot create Service pump: "), "{error}");
    assert_eq!(cluster.condition("Ready").1, "ApplyFailed");
    assert_eq!(cluster.workload().len(), 4, "one object that fails stops no other");
    cluster.settle().await;
    assert_eq!(cluster.workload().len(), 5);
    assert_eq!(cluster.condition("Ready").1, "RollingOut");
}

#[tokio::test(start_paused = true)]
async fn the_pods_wait_for_what_they_read_and_are_guarded_by() {
    for (write, kind) in [(1, "ServiceAccount"), (2, "ConfigMap"), (4, "NetworkPolicy")] {
        let mut cluster = Cluster::new();
        cluster.server.lock().unwrap().faults.insert(write, Fault::Refused(500));
        cluster.see();
        let error = cluster.reconcile().await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot create {kind} pump: ")), "{error}");
        assert_eq!(cluster.workload().len(), 3, "neither {kind} nor the Deployment is there");
        cluster.settle().await;
        assert_eq!(cluster.workload().len(), 5);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_api_server_refuses_is_stalled_until_it_takes_it() {
    let mut cluster = Cluster::new();
    cluster.server.lock().unwrap().faults.insert(5, Fault::Refused(422));
    cluster.see();
    cluster.reconcile().await.unwrap_err();
    for (type_, status) in
        [("Accepted", "False"), ("Ready", "False"), ("Progressing", "False"), ("Stalled", "True")]
    {
        let (is, reason, message) = cluster.condition(type_);
        assert_eq!((is.as_str(), reason.as_str()), (status, "ApplyFailed"), "{type_}");
        assert_eq!(message, "cannot create Deployment pump: as scripted", "{type_}");
    }
    cluster.settle().await;
    assert_eq!(
        (cluster.condition("Accepted").0, cluster.condition("Stalled").0),
        ("True".to_owned(), String::new())
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_cannot_be_merged_is_replaced() {
    let mut cluster = at_rest().await;
    cluster.edit(SERVICE, |service| service["spec"]["ports"][0]["port"] = json!(8181));
    cluster.see();
    cluster.fail(1, Fault::Refused(422));
    cluster.reconcile().await.unwrap();
    assert_eq!(cluster.writes(), ["PATCH services", "PATCH services", "PATCH services"]);
    assert_eq!(cluster.get(SERVICE)["spec"]["ports"][0]["port"], 80);
}

#[tokio::test(start_paused = true)]
async fn every_failure_of_every_write_ends_as_if_it_had_not_been() {
    let whole = at_rest().await;
    let shape = |cluster: &Cluster| {
        let mut objects = cluster.workload();
        // The end of the history is the time of the first reconcile. It differs from run to run, and so do
        // the hashes of it.
        for object in objects.values_mut() {
            object["metadata"]["annotations"] = json!({});
            object["data"] = json!({});
            object["spec"]["template"]["metadata"]["annotations"] = json!({});
        }
        objects
    };
    let faults = [
        Fault::Refused(403),
        Fault::Refused(409),
        Fault::Refused(422),
        Fault::Refused(429),
        Fault::Refused(500),
        Fault::Lost,
    ];
    for fault in faults {
        for write in 1..=6 {
            let mut cluster = Cluster::new();
            cluster.server.lock().unwrap().faults.insert(write, fault.clone());
            cluster.settle().await;
            assert_eq!(shape(&cluster), shape(&whole), "{fault:?} at write {write}");
            assert_eq!(cluster.condition("Ready").1, "RollingOut", "{fault:?} at write {write}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_that_ends_after_any_write_is_taken_up_where_it_left() {
    let whole = at_rest().await.workload();
    for write in 2..=6 {
        let mut cluster = Cluster::new();
        cluster.server.lock().unwrap().faults.insert(write, Fault::Refused(503));
        cluster.see();
        drop(cluster.reconcile().await);
        cluster.restart();
        cluster.settle().await;
        assert_eq!(
            cluster.workload().keys().collect::<Vec<_>>(),
            whole.keys().collect::<Vec<_>>(),
            "after {write}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_api_server_is_given_up_after_the_deadline() {
    let mut cluster = Cluster::new();
    cluster.server.lock().unwrap().faults.insert(1, Fault::Silent);
    cluster.see();
    let error = cluster.reconcile().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot create ServiceAccount pump: the API server did not answer within 10s"
    );
}

#[tokio::test(start_paused = true)]
async fn without_the_lease_nothing_is_written() {
    let mut cluster = Cluster::new();
    cluster.lose_the_lease();
    assert!(matches!(cluster.reconcile().await, Err(Error::NotLeading)));
    assert_eq!(cluster.writes(), Vec::<String>::new());
}

const OTHER: &str = "/apis/apps/v1/namespaces/plant/deployments/mill";

/// Another detector's Deployment. Its pods are being replaced where `observed_generation` is below 2, else
/// they are as specified.
fn other(observed_generation: i64) -> serde_json::Value {
    json!({
        "metadata": {
            "name": "mill", "namespace": "plant", "generation": 2,
            "labels": {"app.kubernetes.io/managed-by": "anomaly-operator"},
        },
        "spec": {"replicas": 1},
        "status": {
            "observedGeneration": observed_generation,
            "conditions": [{"type": "Progressing", "reason": "NewReplicaSetAvailable"}],
        },
    })
}

/// Give the Deployment the status that its controller writes when all pods are available.
fn answering(deployment: &mut serde_json::Value) {
    let replicas = deployment["spec"]["replicas"].clone();
    let generation = deployment["metadata"]["generation"].clone();
    deployment["status"] = json!({
        "observedGeneration": generation, "replicas": replicas, "updatedReplicas": replicas,
        "readyReplicas": replicas, "availableReplicas": replicas,
        "conditions": [{"type": "Progressing", "reason": "NewReplicaSetAvailable"}],
    });
}

/// A detector whose pods are all available, an operator that lets one detector at a time replace its pods,
/// and another detector that does.
async fn with_another_rolling_out() -> Cluster {
    let mut cluster = at_rest().await;
    cluster.edit(DEPLOYMENT, answering);
    cluster.put(OTHER, other(1));
    cluster.restart_with(1);
    cluster.settle().await;
    cluster.edit(DETECTOR, |detector| {
        let conditions = detector["status"]["conditions"].as_array_mut().unwrap();
        conditions.retain(|condition| condition["type"] != "Ready");
        conditions.push(json!({
            "type": "Ready", "status": "True", "reason": "AsSpecified", "message": "",
            "lastTransitionTime": "2026-11-22T12:00:00Z",
        }));
    });
    cluster.calls();
    cluster
}

#[tokio::test(start_paused = true)]
async fn pods_that_answer_wait_for_their_turn_with_all_that_belongs_to_them() {
    let mut cluster = with_another_rolling_out().await;
    cluster.edit_spec(|spec| {
        spec["threshold"]["contamination"] = json!(0.03);
        spec["service"]["port"] = json!(81);
    });
    cluster.settle().await;
    assert_eq!(cluster.writes(), ["PATCH services", "PATCH anomalydetectors/status"]);
    let message = "the rollout waits: at most 1 detector replaces its pods at once";
    assert_eq!(cluster.condition("Progressing"), ("True".into(), "RolloutQueued".into(), message.into()));
    assert_eq!(cluster.condition("Accepted").0, "True");
    assert_eq!(cluster.condition("Stalled").0, "");

    cluster.edit(SERVICE, |service| service["spec"]["ports"][0]["port"] = json!(82));
    cluster.edit(NETWORK_POLICY, |policy| policy["spec"]["egress"] = json!([{}]));
    cluster.settle().await;
    assert_eq!(cluster.writes(), ["PATCH services", "PATCH networkpolicies"], "repairs do not wait");

    cluster.put(OTHER, other(2));
    cluster.settle().await;
    assert_eq!(cluster.writes(), ["PATCH configmaps", "PATCH deployments", "PATCH anomalydetectors/status"]);
}

#[tokio::test(start_paused = true)]
async fn what_replaces_no_pod_and_what_mends_a_broken_detector_do_not_wait() {
    let mut cluster = with_another_rolling_out().await;
    cluster.edit_spec(|spec| spec["replicas"] = json!(0));
    cluster.settle().await;
    assert_eq!(cluster.writes(), ["PATCH deployments", "PATCH anomalydetectors/status"], "scaled");

    let mut cluster = with_another_rolling_out().await;
    cluster.edit(DEPLOYMENT, |deployment| deployment["status"]["availableReplicas"] = json!(0));
    cluster.edit_spec(|spec| spec["threshold"]["contamination"] = json!(0.03));
    cluster.settle().await;
    assert!(cluster.writes().contains(&"PATCH deployments".to_owned()), "its pods do not answer");

    let mut cluster = with_another_rolling_out().await;
    cluster.server.lock().unwrap().objects.remove(DEPLOYMENT);
    cluster.settle().await;
    assert!(cluster.writes().contains(&"PATCH deployments".to_owned()), "it is new");
}
