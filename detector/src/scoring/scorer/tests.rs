use std::sync::Arc;

use crd::Valid;
use jiff::Timestamp;

use super::{Outcome, Scorer};
use crate::ingest::reading::Readings;
use crate::model::judge::Explain;
use crate::model::training::{TrainingSet, learn};

fn detector(train: &str, missing: &str) -> Valid {
    let text = format!(
        "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {{name: mill}}\nspec:\n  sources:\n  - name: s\n    \
         simulated: {{sensors: [{{name: speed}}, {{name: load}}]}}\n  missing: {{{missing}}}\n  model: {{train: {train}}}\n  threshold: {{contamination: 0.05}}\n"
    );
    crd::manifest::one_detector(&text).unwrap()
}

/// A scorer with a model of two sensors whose readings are around 10 and -10.
fn scorer(train: &str, missing: &str) -> Scorer {
    let detector = detector(train, missing);
    let history = (0..500).map(|i| {
        // Sines without a common period: many values in the middle, few at the ends.
        let wobble = |rate: f64| (f64::from(i) * rate).sin() + (f64::from(i) * rate * 1.7).sin();
        readings(i64::from(i), [Some(10.0 + wobble(0.9)), Some(-10.0 + wobble(1.3))])
    });
    let model = Arc::new(
        learn(
            &detector,
            TrainingSet {
                readings: &history.collect::<Vec<_>>(),
                until: None,
                serving: None,
                renewed_trees: None,
            },
            &|_| (),
        )
        .unwrap(),
    );
    Scorer::new(model, &detector, Explain::Always)
}

fn readings(second: i64, values: [Option<f64>; 2]) -> Readings {
    Readings { time: Timestamp::from_second(second).unwrap(), values: values.to_vec(), truth: None }
}

fn anomalous(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Verdict(verdict) if verdict.judgement.anomalous)
}

#[test]
fn what_is_there_is_judged_where_missing_readings_are_imputed() {
    for train in ["{}", "{features: [Value, LogStdDev, RollingMean], window: 3, lags: 1}"] {
        let mut scorer = scorer(train, "policy: Impute");
        for second in 1..9 {
            scorer.judge(&readings(second, [Some(10.5), Some(-11.0 - second as f64 / 100.0)]));
        }
        let strange = scorer.judge(&readings(9, [None, Some(400.0)]));
        assert!(anomalous(&strange), "{strange:?}");
        let Outcome::Verdict(verdict) = strange else { panic!() };
        assert_eq!(verdict.judgement.top_contributor(), Some(1), "the missing one is not to blame");
        assert_eq!(scorer.judge(&readings(10, [None, None])), Outcome::Missing);
    }
}

#[test]
fn a_strange_reading_is_an_anomaly_and_its_sensor_is_blamed() {
    let mut scorer = scorer("{}", "policy: Skip");
    assert!(!anomalous(&scorer.judge(&readings(1, [Some(10.5), Some(-11.0)]))));
    let Outcome::Verdict(verdict) = scorer.judge(&readings(2, [Some(10.5), Some(40.0)])) else { panic!() };
    assert!(verdict.judgement.anomalous);
    assert_eq!(verdict.judgement.top_contributor(), Some(1));
}

#[test]
fn a_missing_reading_is_skipped_replaced_or_called_an_anomaly_as_the_spec_says() {
    let missing = readings(2, [None, Some(-11.0)]);
    let rules = [
        ("policy: Skip", "no verdict"),
        ("policy: Previous, maxStaleness: 1s", "normal"),
        ("policy: Impute", "normal"),
        ("policy: Anomaly", "anomaly"),
    ];
    for (rule, expected) in rules {
        let mut scorer = scorer("{}", rule);
        scorer.judge(&readings(1, [Some(10.5), Some(-11.0)]));
        let outcome = scorer.judge(&missing);
        let said = match &outcome {
            Outcome::Missing => "no verdict",
            outcome if anomalous(outcome) => "anomaly",
            _ => "normal",
        };
        assert_eq!(said, expected);
        if let ("policy: Anomaly", Outcome::Verdict(verdict)) = (rule, outcome) {
            assert_eq!(verdict.judgement.contributions, [1.0, 0.0]);
            assert_eq!((verdict.judgement.score, verdict.judgement.severity), (1.0, 2.0));
        }
    }
}

#[test]
fn nothing_stands_in_for_a_reading_that_never_came() {
    let mut scorer = scorer("{}", "policy: Previous, maxStaleness: 1s");
    assert_eq!(scorer.judge(&readings(1, [None, Some(-11.0)])), Outcome::Missing);
}

#[test]
fn the_previous_reading_is_used_until_it_is_too_old() {
    let mut scorer = scorer("{}", "policy: Previous, maxStaleness: 2s");
    scorer.judge(&readings(1, [Some(10.5), Some(-11.0)]));
    for (second, is_missing) in [(2, false), (3, false), (4, true), (5, true)] {
        let outcome = scorer.judge(&readings(second, [None, Some(-11.0)]));
        assert_eq!(outcome == Outcome::Missing, is_missing, "second {second}");
    }
    scorer.judge(&readings(6, [Some(10.5), None]));
    assert_ne!(
        scorer.judge(&readings(7, [None, Some(-11.0)])),
        Outcome::Missing,
        "the sensor is back since second 6"
    );
}

#[test]
fn a_model_that_looks_back_waits_for_its_past() {
    let mut scorer = scorer("{features: [LogStdDev], window: 3, lags: 1}", "policy: Skip");
    for second in 1..4 {
        assert_eq!(scorer.judge(&readings(second, [Some(10.0), Some(-10.0)])), Outcome::TooEarly);
    }
    assert!(matches!(scorer.judge(&readings(4, [Some(10.3), Some(-10.9)])), Outcome::Verdict(_)));
}

#[test]
fn what_no_model_can_judge_is_refused_and_forgotten() {
    let mut scorer = scorer("{features: [Value, Difference]}", "policy: Skip");
    scorer.judge(&readings(1, [Some(10.5), Some(-11.0)]));
    assert_eq!(scorer.judge(&readings(2, [Some(1e300), Some(-11.0)])), Outcome::InvalidValue(1e300));
    assert!(!anomalous(&scorer.judge(&readings(3, [Some(10.4), Some(-11.2)]))));
}

#[test]
fn the_same_readings_give_the_same_model_to_the_bit() {
    let digest = |train| scorer(train, "policy: Skip").model().digest().clone();
    assert_eq!(digest("{}"), digest("{}"));
    assert_ne!(digest("{}"), digest("{seed: 1}"));
}

#[test]
fn a_restart_changes_no_verdict() {
    let drifting = |second: i64| {
        let wobble = (second as f64 * 0.9).sin() + (second as f64 * 1.53).sin();
        let level = 10.0 + second as f64 / 300.0 + if second % 700 < 5 { 30.0 } else { 0.0 };
        readings(second, [Some(level + wobble), Some(-10.0 - wobble)])
    };
    let mut whole = scorer("{features: [Value, RollingMean], window: 5}", "policy: Skip");
    let mut restarted = whole.clone();
    for second in 500..2500 {
        let [expected, resumed] = [&mut whole, &mut restarted].map(|scorer| scorer.judge(&drifting(second)));
        assert_eq!(expected, resumed, "second {second}");
        if second % 333 == 0 {
            let file = serde_json::to_vec(&restarted.state().unwrap()).unwrap();
            restarted = scorer("{features: [Value, RollingMean], window: 5}", "policy: Skip");
            restarted.restore(&serde_json::from_slice(&file).unwrap());
        }
    }
    assert!(whole.calibration().unwrap().totals().readings > 1900);
    assert_eq!(whole.alarm_rate().unwrap(), restarted.alarm_rate().unwrap());
}
