use crd::Valid;
use jiff::Timestamp;

use super::*;
use crate::ingest::reading::Readings;
use crate::model::training::{TrainingSet, learn};

fn detector(model: &str, threshold: &str) -> Valid {
    let text = format!(
        "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {{name: fan}}\nspec:\n  \
         sources: [{{name: s, simulated: {{sensors: [{{name: speed}}]}}}}]\n  model: {model}\n  threshold: {threshold}\n"
    );
    crd::manifest::one_detector(&text).unwrap()
}

/// A model that is trained on 400 readings, one a second, the last one at the second `newest`.
fn model(detector: &Valid, newest: i64) -> Model {
    let readings = (newest - 399..=newest).map(|second| {
        let value = (second as f64 * 0.9).sin() + (second as f64 * 1.53).sin();
        Readings { time: Timestamp::from_second(second).unwrap(), values: vec![Some(value)], truth: None }
    });
    let training_set = TrainingSet {
        readings: &readings.collect::<Vec<_>>(),
        until: None,
        serving: None,
        renewed_trees: None,
    };
    learn(detector, training_set, &|_| ()).unwrap()
}

const SHARE: &str = "{contamination: 0.01}";

#[test]
fn the_newest_that_fits_serves_unless_another_is_pinned() {
    let spec = detector("{}", SHARE);
    let requirements = ModelRequirements::new(&spec);
    let models = [1000, 3000, 2000].map(|newest| requirements.fitted(model(&spec, newest)).unwrap());
    assert_eq!(requirements.choose(&models).0.unwrap().digest(), models[1].digest());

    let pin = |digest: &str| ModelRequirements { pin: Some(digest.to_owned()), ..requirements.clone() };
    let (chosen, rejected) = pin(models[0].digest()).choose(&models);
    assert_eq!((chosen.unwrap().digest(), rejected), (models[0].digest(), None));

    let (chosen, rejected) = pin("sha256:0").choose(&models);
    assert_eq!(chosen.unwrap().digest(), models[1].digest());
    assert_eq!(rejected.unwrap().reason, Reason::PinNotFound);
    assert!(requirements.choose(&[]).0.is_none());
}

#[test]
fn a_changed_recipe_does_not_fit_and_changed_times_of_training_do() {
    let trained = || model(&detector("{}", SHARE), 1000);
    assert!(
        ModelRequirements::new(&detector("{retrain: {interval: 1h}, revisionHistoryLimit: 7}", SHARE))
            .fitted(trained())
            .is_ok()
    );
    let refused =
        ModelRequirements::new(&detector("{train: {trees: 99}}", SHARE)).fitted(trained()).unwrap_err();
    assert!(refused.to_string().starts_with("it was trained with other settings"));
}

#[test]
fn a_changed_threshold_gives_the_very_model_that_a_training_by_it_gives() {
    let trained = || model(&detector("{}", SHARE), 1000);
    for threshold in ["{contamination: 0.2}", "{score: 0.55}", "{alertsPerDay: 3000}"] {
        let spec = detector("{}", threshold);
        let with_threshold = ModelRequirements::new(&spec).fitted(trained()).unwrap();
        assert_eq!(with_threshold.digest(), model(&spec, 1000).digest(), "{threshold}");
        assert_ne!(with_threshold.digest(), trained().digest());
        assert_eq!(
            with_threshold.report(spec.threshold_rule()).origin,
            Some(crd::status::Origin::Rethresholded)
        );
    }
    let same = ModelRequirements::new(&detector("{}", SHARE)).fitted(trained()).unwrap();
    assert_eq!(same.digest(), trained().digest());
}

#[test]
fn a_model_of_other_sensors_does_not_fit_even_if_pinned() {
    let spec = detector("{}", SHARE);
    let other = {
        let text = "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {name: fan}\nspec:\n  \
            sources: [{name: s, simulated: {sensors: [{name: load}]}}]\n";
        crd::manifest::one_detector(text).unwrap()
    };
    let model = model(&other, 1000);
    let requirements =
        ModelRequirements { pin: Some(model.digest().to_string()), ..ModelRequirements::new(&spec) };
    assert_eq!(
        requirements.fitted(model).unwrap_err().to_string(),
        "its columns must be the sensors speed, got load"
    );
}
