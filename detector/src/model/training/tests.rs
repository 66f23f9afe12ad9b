use crd::valid::ThresholdRule;

use super::*;

fn detector() -> Valid {
    let text = "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {name: fan}\nspec:\n  \
        sources: [{name: s, simulated: {sensors: [{name: speed}]}}]\n  threshold: {contamination: 0.02}\n  adaptation: {policy: Fixed}\n";
    crd::manifest::one_detector(text).unwrap()
}

/// Readings around 0, of which every `each`-th is far away.
fn readings(count: i64, each: i64) -> Vec<Readings> {
    let value = |second: i64| match second % each {
        0 => 50.0,
        _ => (second as f64 * 0.9).sin() + (second as f64 * 1.53).sin(),
    };
    let readings = |second| Readings {
        time: Timestamp::from_second(second).unwrap(),
        values: vec![Some(value(second))],
        truth: None,
    };
    (1..=count).map(readings).collect()
}

fn learned(readings: &[Readings], serving: Option<&Model>) -> Model {
    learn(&detector(), TrainingSet { readings, until: None, serving, renewed_trees: None }, &|_| ()).unwrap()
}

fn score(model: &Model, value: f64) -> f64 {
    model.scores(vec![value]).unwrap()[0]
}

#[test]
fn what_the_serving_model_called_anomalous_is_not_learned_from() {
    let serving = learned(&readings(2000, i64::MAX), None);
    let (with, without) = (learned(&readings(2000, 50), None), learned(&readings(2000, 50), Some(&serving)));
    // Readings that were learned from are within the range; others are far beyond it.
    assert!(score(&without, 50.0) > score(&with, 50.0) + 0.05);
    assert!(score(&without, 50.0) > score(&without, 5.0) && score(&with, 50.0) <= score(&with, 60.0));
    let left_out = 2000 - without.samples();
    assert!((40..=80).contains(&left_out), "40 are far away, and 2 % of the rest are at the rim: {left_out}");
}

#[test]
fn at_most_a_tenth_is_left_out_when_the_world_has_changed() {
    let serving = learned(&readings(2000, i64::MAX), None);
    let moved: Vec<Readings> = readings(2000, i64::MAX)
        .into_iter()
        .map(|mut each| {
            each.values = vec![Some(each.values[0].unwrap() + 100.0)];
            each
        })
        .collect();
    let model = learned(&moved, Some(&serving));
    assert_eq!(model.samples(), 1800);
    assert!(score(&model, 100.0) < model.threshold());
}

#[test]
fn training_after_training_does_not_call_ever_more_of_the_same_world_anomalous() {
    let share = |model: &Model| {
        let values = readings(2000, i64::MAX).iter().map(|each| each.values[0].unwrap()).collect();
        model.scores(values).unwrap().iter().filter(|score| **score > model.threshold()).count()
    };
    let mut model = learned(&readings(2000, i64::MAX), None);
    for _ in 0..20 {
        model = learned(&readings(2000, i64::MAX), Some(&model));
    }
    assert_eq!(share(&model), 40);
}

#[test]
fn the_end_of_the_history_that_was_asked_for_is_kept_and_makes_another_model() {
    let until = "1970-01-01T01:00:00Z".parse().unwrap();
    let asked = learn(
        &detector(),
        TrainingSet { readings: &readings(500, 50), until: Some(until), serving: None, renewed_trees: None },
        &|_| (),
    )
    .unwrap();
    let unasked = learned(&readings(500, 50), None);
    assert_eq!((asked.until(), unasked.until()), (until, unasked.data_end_time()));
    assert_ne!(asked.digest(), unasked.digest());
}

#[test]
fn a_model_says_why_it_may_not_be_trusted_and_most_say_nothing() {
    assert!(learned(&readings(2000, 50), None).warnings(ThresholdRule::Contamination(0.02)).is_empty());
    let mut still = readings(50, i64::MAX);
    for (second, reading) in still.iter_mut().enumerate() {
        reading.values = vec![Some(7.0).filter(|_| second % 3 == 0)];
    }
    let model = learned(&still, None);
    assert_eq!(
        model.warnings(ThresholdRule::alerts_per_day(2.0)),
        [
            "17 rows are few to train on: 64 or more are better",
            "constant in the training set: speed; any other value will look anomalous",
            "33 of 50 readings lacked a sensor's value: they are not in the training set",
            "threshold.alertsPerDay 2 cannot be promised: every tree was trained on all 17 samples, so none is left to measure the rate on; train on more samples than sampleSize",
        ]
    );
    let kept =
        Model::open(model.bytes().to_vec()).unwrap().report(ThresholdRule::Contamination(0.02)).warnings;
    assert_eq!((&kept[1], kept.len()), (&model.warnings(ThresholdRule::Score(0.5))[1], 4));
    assert!(kept[3].starts_with("threshold.contamination 0.02 finds no sample anomalous"), "{kept:?}");
}

#[test]
fn of_the_warnings_of_an_imported_model_only_so_many_characters_are_kept() {
    let mut artifact = Artifact::from_bytes(learned(&readings(500, 50), None).bytes()).unwrap();
    artifact.metadata.training.warnings = vec!["ü".repeat(1000); 100];
    let warnings = Model::new(artifact).unwrap().warnings(ThresholdRule::Score(0.5));
    assert_eq!(warnings, vec!["ü".repeat(500); 8]);
}

fn renewed(readings: &[Readings], serving: &Model, trees: u32) -> Model {
    let training_set =
        TrainingSet { readings, until: None, serving: Some(serving), renewed_trees: Some(trees) };
    learn(&detector(), training_set, &|_| ()).unwrap()
}

#[test]
fn a_renewal_of_all_trees_is_a_training_and_of_some_keeps_the_others() {
    let (before, now) = (readings(2000, 50), readings(2500, 50));
    let serving = learned(&before, None);
    let whole = learned(&now[500..], Some(&serving));
    assert_eq!(renewed(&now[500..], &serving, 100).digest(), whole.digest());
    let some = renewed(&now[500..], &serving, 10);
    let trees = |model: &Model| model.ensemble().members()[0].trees().to_vec();
    assert_eq!(trees(&some)[..90], trees(&serving)[10..]);
    assert_eq!((some.metadata().training.renewals, some.samples()), (1, whole.samples()));
    let unseen = &some.training_scores().unwrap().unseen;
    assert_eq!(unseen.count(), 2000, "the newest 500, and as many of before as are older");
}

/// This happens after a restart, and on another replica.
#[test]
fn renewals_go_on_from_the_file_of_the_model_as_from_the_model() {
    let all = readings(4000, 50);
    let mut serving = learned(&all[..2000], None);
    let mut opened = learned(&all[..2000], None);
    for end in [2500, 3000, 3001, 4000] {
        opened = Model::open(opened.bytes().to_vec()).unwrap();
        (serving, opened) =
            (renewed(&all[end - 2000..end], &serving, 30), renewed(&all[end - 2000..end], &opened, 30));
        assert_eq!(serving.digest(), opened.digest(), "{end}");
    }
    assert_eq!(serving.metadata().training.renewals, 4);
}

#[test]
fn a_model_that_was_trained_in_another_way_is_trained_as_a_whole() {
    let all = readings(2000, 50);
    let mut artifact = Artifact::from_bytes(learned(&all, None).bytes()).unwrap();
    artifact.metadata.recipe = Some("another".to_owned());
    let other = Model::new(artifact).unwrap();
    let model = renewed(&all, &other, 10);
    assert_eq!(
        (model.digest(), model.metadata().training.renewals),
        (learned(&all, Some(&other)).digest(), 0)
    );
}
