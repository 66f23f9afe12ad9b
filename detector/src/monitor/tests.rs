use std::time::Duration;

use crd::Valid;
use jiff::{SignedDuration, Timestamp};

use super::{Explain, Pace, Progress, aligned, replay, train};
use crate::watch::Outcome;

struct Nobody;

impl Progress for Nobody {
    fn gathered(&self, _: usize, _: usize) {}
    fn grown(&self, _: usize, _: usize) {}
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn simulated(train: &str) -> Valid {
    let text = format!(
        "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {{name: fan}}\nspec:\n  interval: 5s\n  sources:\n  - name: s\n    \
         simulated: {{sensors: [{{name: speed, noise: {{gaussian: {{standardDeviation: 1}}}}}}]}}\n  model: {{train: {train}}}\n"
    );
    crd::manifest::one_detector(&text).unwrap()
}

fn recorded(rows: &str, train: &str) -> (tempfile::TempDir, Valid) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    std::fs::write(&path, rows).unwrap();
    let text = format!(
        "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {{name: fan}}\nspec:\n  sources:\n  - name: s\n    \
         csv: {{path: {}, sensors: [{{name: value}}]}}\n  model: {{train: {train}}}\n",
        path.display()
    );
    (folder, crd::manifest::one_detector(&text).unwrap())
}

/// The times of the instants that get a verdict, in seconds.
fn judged(detector: &Valid, span: Option<Duration>) -> Vec<i64> {
    let mut trained = train(detector, at(1_000_001), Explain::Never, &Nobody).unwrap();
    let mut times = Vec::new();
    replay(&mut trained, span, |readings, outcome| {
        if matches!(outcome, Outcome::Verdict(_)) {
            times.push(readings.time.as_second());
        }
        true
    })
    .unwrap();
    times
}

#[test]
fn instants_are_multiples_of_the_interval_so_that_replicas_agree() {
    assert_eq!(judged(&simulated("{}"), Some(Duration::from_secs(12))), [1_000_000, 1_000_005, 1_000_010]);
    let five = SignedDuration::from_secs(5);
    assert_eq!(
        (aligned(at(10), five), aligned(at(11), five), aligned(at(-1), five)),
        (at(10), at(10), at(-5))
    );
}

#[test]
fn the_first_instant_is_judged_even_by_a_model_that_looks_back() {
    let detector = simulated("{features: [Value, Spread], window: 7, lags: 3}");
    assert_eq!(judged(&detector, Some(Duration::from_secs(5))), [1_000_000]);
}

#[test]
fn exactly_as_many_samples_are_learned_from_as_the_spec_asks() {
    for train_spec in ["{samples: 300}", "{samples: 300, features: [Spread], window: 7, lags: 3}"] {
        let trained = train(&simulated(train_spec), at(1_000_001), Explain::Never, &Nobody).unwrap();
        assert_eq!(trained.watch.model().report().samples, 300, "{train_spec}");
    }
}

#[test]
fn a_pinned_end_of_history_makes_the_same_model_at_any_time() {
    let detector = simulated("{until: 2026-11-22T00:00:00Z}");
    let digest =
        |now| train(&detector, at(now), Explain::Never, &Nobody).unwrap().watch.model().digest().clone();
    assert_eq!(digest(1_000_000), digest(2_000_000));
}

#[test]
fn the_rows_after_those_that_were_learned_from_are_watched() {
    let rows = (0..10).map(|i| format!("{},{}", i * 60, i % 3)).collect::<Vec<_>>().join("\n");
    let (_folder, detector) = recorded(&format!("timestamp,value\n{rows}"), "{samples: 6}");
    assert_eq!(judged(&detector, None), [360, 420, 480, 540]);
    let (_folder, detector) =
        recorded(&format!("timestamp,value\n{rows}"), "{until: '1970-01-01T00:08:00Z'}");
    assert_eq!(judged(&detector, None), [480, 540]);
}

#[test]
fn a_recording_that_is_no_longer_than_the_training_is_watched_as_a_whole() {
    let (_folder, detector) = recorded("timestamp,value\n0,1\n60,2\n120,1\n", "{}");
    assert_eq!(judged(&detector, None), [0, 60, 120]);
    let note = train(&detector, at(0), Explain::Never, &Nobody).unwrap().note;
    assert!(note.starts_with("the recording's 3 rows are no more than the model learns from"), "{note}");
}

#[test]
fn one_row_is_too_little_to_learn_from() {
    let (_folder, detector) = recorded("timestamp,value\n0,1\n", "{}");
    let error = train(&detector, at(0), Explain::Never, &Nobody).err().unwrap().to_string();
    assert_eq!(
        error,
        "training needs at least 2 samples, got 1: the sources gave 1 complete readings, and a sample looks 0 back"
    );
}

#[test]
fn a_replay_keeps_the_pace_of_the_recording() {
    let minute = |pace: Pace, elapsed| {
        pace.wait(at(160), at(5000), at(100), Duration::from_secs(elapsed)).as_secs_f64()
    };
    assert!((minute(Pace::Replay { speed: 60.0 }, 0) - 1.0).abs() < 1e-9);
    assert!((minute(Pace::Replay { speed: 1.0 }, 45) - 15.0).abs() < 1e-9);
    assert!(minute(Pace::Replay { speed: 0.0 }, 0) < 1e-9);
    assert!(minute(Pace::Clock, 0) < 1e-9, "what is overdue does not wait");
}
