use clap::Parser;
use serde_json::json;

use super::*;
use crate::observe::PodReport;
use crate::plan::CurrentState;
use crate::settings::Settings;

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    settings: Settings,
}

fn plan(edit: impl FnOnce(&mut crd::model::Model)) -> Plan {
    let mut detector = crd::manifest::one_detector(include_str!("../../../../manifests/quickstart.yaml"))
        .unwrap()
        .detector()
        .clone();
    detector.metadata.uid = Some("8fd1c1e4".to_owned());
    edit(&mut detector.spec.model);
    let settings = Program::parse_from(["operator"]).settings;
    Plan::new(&detector, &CurrentState::default(), &settings, Timestamp::UNIX_EPOCH).unwrap()
}

fn digest(letter: char) -> String {
    format!("sha256:{}", letter.to_string().repeat(64))
}

/// The report of a model with this letter as its digest, trained up to that minute.
fn model(letter: char, minute: u8, recipe: Option<&str>) -> ModelReport {
    serde_json::from_value(json!({
        "digest": digest(letter), "trainedAt": "2026-11-22T12:59:00Z", "dataEndTime": format!("2026-11-22T12:{minute:02}:00Z"), "samples": 4096,
        "threshold": 0.61, "origin": "Trained", "recipe": recipe, "columns": ["temperature"],
    }))
    .unwrap()
}

fn fitting(letter: char, minute: u8) -> ModelReport {
    model(letter, minute, plan(|_| {}).detector.recipe_digest().as_deref())
}

/// The ConfigMap of a revision as the watch sees it, created in that second.
fn kept(plan: &Plan, model: &ModelReport, second: u8) -> Value {
    let mut object = json!(model::revision(plan, model, k8s_openapi::ByteString(Vec::new())));
    object["metadata"]["creationTimestamp"] = json!(format!("2026-11-22T13:00:{second:02}Z"));
    object
}

fn pointing(plan: &Plan, model: &ModelReport) -> Value {
    json!(model::pointer(plan, model::annotations(model), None))
}

fn revisions(plan: &Plan, objects: Vec<Value>) -> Revisions {
    Revisions::of(objects, &model::pointer_name(&plan.name()), "8fd1c1e4")
}

/// Pods that serve these models; the pod of a `None` did not answer.
fn serving(models: &[Option<&ModelReport>]) -> Observed {
    let report = |model: &ModelReport| {
        let report = json!({"detector": "quickstart", "version": "1", "phase": {"name": "serving"}, "model": model, "sources": []});
        serde_json::from_value(report).unwrap()
    };
    let pod = |model: Option<&ModelReport>| PodReport {
        pod: Arc::default(),
        report: model.map(report),
        unusable: None,
    };
    Observed { reports: models.iter().copied().map(pod).collect(), ..Observed::default() }
}

fn digests<'a>(revisions: impl IntoIterator<Item = &'a Revision>) -> Vec<&'a str> {
    revisions.into_iter().map(|revision| &revision.digest[7..8]).collect()
}

#[test]
fn what_is_served_fits_and_is_not_kept_is_missing_the_newest_first() {
    let plan = plan(|_| {});
    let revisions = revisions(&plan, vec![kept(&plan, &fitting('a', 1), 0)]);
    let models = [
        fitting('a', 1),
        fitting('b', 2),
        fitting('c', 3),
        model('d', 4, None),
        model('e', 5, Some("other")),
    ];
    let observed = serving(&models.each_ref().map(Some));
    let missing: Vec<_> =
        revisions.missing(&plan, &observed).iter().map(|(_, model)| model.digest.clone()).collect();
    assert_eq!(missing, [digest('c'), digest('b')]);
}

#[test]
fn the_newest_that_fits_is_chosen_whatever_was_kept_last() {
    let plan = plan(|_| {});
    let other = model('e', 9, Some("other"));
    let objects =
        vec![kept(&plan, &fitting('b', 2), 0), kept(&plan, &fitting('a', 1), 5), kept(&plan, &other, 6)];
    let revisions = revisions(&plan, objects);
    assert_eq!(digests(&revisions.kept), ["e", "b", "a"]);
    assert_eq!(digests(revisions.chosen(&plan, &Observed::default()).unwrap()), ["b"]);
}

#[test]
fn of_two_thresholds_of_one_forest_the_one_that_serves_is_chosen_else_the_one_kept_last() {
    let plan = plan(|_| {});
    let (first, rethresholded) = (fitting('a', 1), fitting('b', 1));
    let revisions = revisions(&plan, vec![kept(&plan, &first, 0), kept(&plan, &rethresholded, 9)]);
    let chosen = |observed: &Observed| digests(revisions.chosen(&plan, observed).unwrap()).concat();
    assert_eq!(chosen(&Observed::default()), "b");
    assert_eq!(chosen(&serving(&[Some(&first)])), "a");
}

#[test]
fn the_pinned_one_is_chosen_or_missed_in_a_sentence() {
    let pinned = plan(|model| model.pinned_digest = Some(digest('a')));
    let both = vec![kept(&pinned, &fitting('a', 1), 0), kept(&pinned, &fitting('b', 2), 1)];
    let chosen = revisions(&pinned, both);
    assert_eq!(digests(chosen.chosen(&pinned, &Observed::default()).unwrap()), ["a"]);
    let lost = revisions(&pinned, vec![kept(&pinned, &fitting('b', 2), 1)]);
    assert_eq!(
        lost.chosen(&pinned, &Observed::default()).unwrap_err().to_string(),
        format!(
            "model.pinnedDigest must be the digest of a stored model ({}), got {}; the current model keeps serving",
            digest('b'),
            digest('a')
        )
    );
}

#[test]
fn a_loaded_model_is_kept_too_and_the_last_one_that_serves_is_chosen() {
    let plan = plan(|model| {
        model.train = None;
        model.load = serde_json::from_value(json!({"configMap": {"name": "forest"}})).unwrap();
    });
    let (old, new) = (model('a', 9, None), model('b', 1, Some("of elsewhere")));
    let none = revisions(&plan, Vec::new());
    assert_eq!(none.missing(&plan, &serving(&[Some(&new)])).len(), 1);
    let both = revisions(&plan, vec![kept(&plan, &old, 0), kept(&plan, &new, 1)]);
    let chosen = |observed: &Observed| digests(both.chosen(&plan, observed).unwrap()).concat();
    assert_eq!(chosen(&serving(&[Some(&old), Some(&new)])), "b");
    assert_eq!(chosen(&serving(&[Some(&old)])), "a");
}

#[test]
fn the_oldest_over_the_number_go_but_none_that_serves_is_pinned_or_pointed_at() {
    let objects = |plan: &Plan| {
        let models =
            ['a', 'b', 'c', 'd', 'e'].into_iter().zip(1..).map(|(letter, minute)| fitting(letter, minute));
        models.map(|model| kept(plan, &model, 0)).collect::<Vec<_>>()
    };
    let surplus = |plan: &Plan, more: Option<Value>, observed: &Observed| {
        let revisions = revisions(plan, objects(plan).into_iter().chain(more).collect());
        digests(revisions.surplus(plan, observed)).concat()
    };
    let usual = plan(|_| {});
    assert_eq!(surplus(&usual, None, &Observed::default()), "ba");
    assert_eq!(surplus(&usual, Some(pointing(&usual, &fitting('a', 1))), &Observed::default()), "cb");
    assert_eq!(surplus(&usual, None, &serving(&[Some(&fitting('b', 2))])), "ca");
    let pinned = plan(|model| (model.pinned_digest, model.revision_history_limit) = (Some(digest('a')), 1));
    assert_eq!(surplus(&pinned, None, &Observed::default()), "edcb");
    assert_eq!(surplus(&usual, None, &serving(&[None])), "", "who knows what it serves");
}

#[test]
fn a_model_that_is_too_large_is_not_asked_for_again_and_no_older_one_takes_its_place() {
    let plan = plan(|_| {});
    let large = fitting('b', 2);
    let marker = json!(model::pointer(&plan, model::too_large(&large), None));
    let revisions = revisions(&plan, vec![marker, kept(&plan, &fitting('a', 1), 0)]);
    assert!(revisions.missing(&plan, &serving(&[Some(&large)])).is_empty());
    assert_eq!(revisions.chosen(&plan, &Observed::default()), Ok(None));
    let newer =
        Revisions { kept: vec![Revision::read(&kept(&plan, &fitting('c', 3), 0)).unwrap()], ..revisions };
    assert_eq!(digests(newer.chosen(&plan, &Observed::default()).unwrap()), ["c"]);
}

#[test]
fn a_model_that_is_too_large_and_not_the_newest_is_nothing_to_anybody() {
    let large = |minute| ModelReport { bytes: MAX_STORED_BYTES + 1, ..fitting('b', minute) };
    let missing = |plan: &Plan, model: &ModelReport| {
        let revisions = revisions(plan, vec![kept(plan, &fitting('a', 2), 0)]);
        revisions.missing(plan, &serving(&[Some(model)])).len()
    };
    let usual = plan(|_| {});
    assert_eq!(
        (missing(&usual, &large(1)), missing(&usual, &large(2)), missing(&usual, &large(3))),
        (0, 0, 1)
    );
    assert_eq!(missing(&plan(|model| model.pinned_digest = Some(digest('a'))), &large(3)), 0);
}

#[test]
fn the_pointer_is_as_it_should_be_or_is_written_again() {
    let plan = plan(|_| {});
    let newest = fitting('b', 2);
    let revision = Revision::read(&kept(&plan, &newest, 0)).unwrap();
    let points_at = |pointer: Value| revisions(&plan, vec![pointer]).points_at(&plan, &revision);
    assert!(points_at(pointing(&plan, &newest)));
    assert!(!points_at(pointing(&plan, &fitting('a', 1))));
    let mut unlabelled = pointing(&plan, &newest);
    unlabelled["metadata"]["labels"]["app.kubernetes.io/part-of"] = json!("something-else");
    assert!(!points_at(unlabelled));
    assert!(!points_at(json!(model::pointer(&plan, model::too_large(&newest), None))));
    let mut edited = pointing(&plan, &newest);
    edited["metadata"]["managedFields"] = json!([{"manager": "kubectl-edit"}]);
    assert!(!points_at(edited), "only those entries are kept that change a model");
}

#[test]
fn who_else_writes_a_model_is_seen_by_the_fields_that_they_manage() {
    let changes = |manager: &str, fields: Value| {
        let entry = json!({"manager": manager, "operation": "Update", "fieldsV1": fields});
        changes_model(&serde_json::from_value(entry).unwrap())
    };
    assert!(changes("kubectl-edit", json!({"f:binaryData": {"f:model": {}}})));
    assert!(!changes("kubectl-label", json!({"f:metadata": {"f:labels": {"f:team": {}}}})));
    assert!(!changes("anomaly-operator", json!({"f:binaryData": {"f:model": {}}})));
}

#[test]
fn what_belongs_to_another_or_is_on_its_way_out_counts_for_nothing() {
    let plan = plan(|_| {});
    let object = kept(&plan, &fitting('a', 1), 0);
    let edited = |edit: fn(&mut Value)| {
        let mut object = object.clone();
        edit(&mut object["metadata"]);
        revisions(&plan, vec![object]).kept.len()
    };
    assert_eq!(edited(|_| {}), 1);
    assert_eq!(edited(|metadata| metadata["ownerReferences"][0]["uid"] = json!("another")), 0);
    assert_eq!(edited(|metadata| metadata["deletionTimestamp"] = json!("2026-11-22T12:00:00Z")), 0);
    assert_eq!(edited(|metadata| metadata["annotations"]["anomaly.dev/data-end-time"] = json!("monday")), 0);
}
