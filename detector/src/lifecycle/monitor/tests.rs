use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crd::Valid;
use jiff::Timestamp;
use proptest::prelude::*;

use super::{Explain, MonitorError, ReplayObserver, Started};
use crate::ingest::progress::NoProgress;
use crate::ingest::reading::Readings;
use crate::ingest::sources::Sources;
use crate::ingest::sources::access::Access;
use crate::model::model::Model;
use crate::scoring::scorer::{Outcome, Scorer, ScorerState};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn simulated(model: &str) -> Valid {
    let text = format!(
        "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {{name: fan}}\nspec:\n  interval: 5s\n  sources:\n  - name: s\n    \
         simulated: {{sensors: [{{name: speed, noise: {{gaussian: {{standardDeviation: 1}}}}}}]}}\n  model: {model}\n"
    );
    crd::manifest::one_detector(&text).unwrap()
}

fn recorded(rows: &str, model: &str) -> (tempfile::TempDir, Valid) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    std::fs::write(&path, rows).unwrap();
    let detector = watching(&path, model, "{}");
    (folder, detector)
}

fn watching(path: &Path, model: &str, alarm: &str) -> Valid {
    let text = format!(
        "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {{name: fan}}\nspec:\n  sources:\n  - name: s\n    \
         csv: {{path: {}, sensors: [{{name: value}}]}}\n  model: {model}\n  alarm: {alarm}\n",
        path.display()
    );
    crd::manifest::one_detector(&text).unwrap()
}

fn sources(detector: &Valid) -> Arc<Sources> {
    Arc::new(Sources::unreported(detector, &Access::default()).unwrap())
}

fn train(
    detector: &Valid,
    now: Timestamp,
    explain: Explain,
    progress: &NoProgress,
) -> Result<Started, MonitorError> {
    super::train(detector, &sources(detector), now, explain, progress)
}

fn resume(
    detector: &Valid,
    model: Arc<Model>,
    state: Option<&ScorerState>,
    now: Timestamp,
    explain: Explain,
) -> Result<Started, MonitorError> {
    super::resume(detector, &sources(detector), model, state, now, explain)
}

/// Records which model judged which instants.
#[derive(Default)]
struct Scribe {
    /// The times of the instants that got a verdict, in seconds.
    times: Vec<i64>,
    /// The digests of the models that judged them.
    models: Vec<String>,
    /// The outcome of each instant.
    outcomes: Vec<Outcome>,
    /// The ends of the histories of the models that took over, in seconds.
    renewed: Vec<i64>,
}

impl ReplayObserver for Scribe {
    type Error = MonitorError;

    fn judged(&mut self, readings: &Readings, outcome: &Outcome) -> Result<(), MonitorError> {
        if let Outcome::Verdict(verdict) = outcome {
            self.times.push(readings.time.as_second());
            self.models.push(verdict.judgement.model.to_string());
        }
        self.outcomes.push(outcome.clone());
        Ok(())
    }

    fn renewed(&mut self, model: &Model, _: Duration) {
        self.renewed.push(model.until().as_second());
    }
}

fn replayed(detector: &Valid, mut started: Started, span: Option<Duration>) -> Scribe {
    let mut scribe = Scribe::default();
    super::replay(detector, &sources(detector), &mut started, span, &mut scribe).unwrap();
    scribe
}

fn trained(detector: &Valid) -> Started {
    train(detector, at(1_000_001), Explain::Never, &NoProgress).unwrap()
}

/// The times of the instants that get a verdict, in seconds.
fn judged(detector: &Valid, span: Option<Duration>) -> Vec<i64> {
    replayed(detector, trained(detector), span).times
}

#[test]
fn instants_are_multiples_of_the_interval_so_that_replicas_agree() {
    assert_eq!(judged(&simulated("{}"), Some(Duration::from_secs(12))), [1_000_000, 1_000_005, 1_000_010]);
}

#[test]
fn the_first_instant_is_judged_even_by_a_model_that_looks_back() {
    let detector = simulated("{train: {features: [Value, LogStdDev], window: 7, lags: 3}}");
    assert_eq!(judged(&detector, Some(Duration::from_secs(5))), [1_000_000]);
}

#[test]
fn exactly_as_many_samples_are_learned_from_as_the_spec_asks() {
    for train_spec in
        ["{train: {samples: 300}}", "{train: {samples: 300, features: [LogStdDev], window: 7, lags: 3}}"]
    {
        let trained = train(&simulated(train_spec), at(1_000_001), Explain::Never, &NoProgress).unwrap();
        assert_eq!(trained.scorer.model().samples(), 300, "{train_spec}");
    }
}

#[test]
fn a_pinned_end_of_history_makes_the_same_model_at_any_time() {
    let detector = simulated("{train: {dataEndTime: 2026-11-22T00:00:00Z}}");
    let digest =
        |now| train(&detector, at(now), Explain::Never, &NoProgress).unwrap().scorer.model().digest().clone();
    assert_eq!(digest(1_000_000), digest(2_000_000));
}

#[test]
fn the_rows_after_those_that_were_learned_from_are_watched() {
    let rows = (0..10).map(|i| format!("{},{}", i * 60, i % 3)).collect::<Vec<_>>().join("\n");
    let (_folder, detector) = recorded(&format!("timestamp,value\n{rows}"), "{train: {samples: 6}}");
    assert_eq!(judged(&detector, None), [360, 420, 480, 540]);
    let (_folder, detector) =
        recorded(&format!("timestamp,value\n{rows}"), "{train: {dataEndTime: '1970-01-01T00:08:00Z'}}");
    assert_eq!(judged(&detector, None), [480, 540]);
}

#[test]
fn a_recording_that_is_no_longer_than_the_training_is_watched_as_a_whole() {
    let (_folder, detector) = recorded("timestamp,value\n0,1\n60,2\n120,1\n", "{}");
    assert_eq!(judged(&detector, None), [0, 60, 120]);
    let note = train(&detector, at(0), Explain::Never, &NoProgress).unwrap().note;
    assert!(note.starts_with("the recording's 3 rows are no more than the training set takes"), "{note}");
}

#[test]
fn one_row_is_too_little_to_learn_from() {
    let (_folder, detector) = recorded("timestamp,value\n0,1\n", "{}");
    let error = train(&detector, at(0), Explain::Never, &NoProgress).err().unwrap().to_string();
    assert_eq!(
        error,
        "training needs at least 2 samples, got 1: the sources gave 1 complete readings, and a sample looks 0 back"
    );
}

#[test]
fn a_model_that_is_there_goes_on_after_what_was_seen() {
    let rows = (0..10).map(|i| format!("{},{}", i * 60, i % 3)).collect::<Vec<_>>().join("\n");
    let (_folder, detector) = recorded(&format!("timestamp,value\n{rows}"), "{train: {samples: 4, lags: 2}}");
    let first = trained(&detector);
    let model = first.scorer.model().clone();
    let go_on = |snapshot| {
        let started = resume(&detector, model.clone(), snapshot, at(0), Explain::Never).unwrap();
        assert_eq!((started.took, started.gap), (None, Duration::ZERO));
        replayed(&detector, started, None).times
    };
    assert_eq!(go_on(None), [360, 420, 480, 540], "as after the training");
    let mut started = first;
    started.stream.as_scheduled().unwrap().take(2).for_each(|readings| {
        started.scorer.judge(&readings.unwrap());
    });
    let snapshot = started.scorer.state().unwrap();
    assert_eq!(snapshot.recent.len(), 3);
    assert_eq!(go_on(Some(&snapshot)), [480, 540]);
}

#[test]
fn what_happened_while_nobody_watched_is_filled_in_where_the_source_knows_it() {
    let detector = simulated("{train: {features: [Value, LogStdDev], window: 7, lags: 3}}");
    let mut whole = trained(&detector);
    let snapshot = whole.scorer.state().unwrap();
    let model = whole.scorer.model().clone();
    let later = resume(&detector, model, Some(&snapshot), at(1_000_400), Explain::Never).unwrap();
    assert_eq!(later.gap, Duration::ZERO);
    // The resumed scorer is the same as one that was never interrupted.
    let instants = whole.stream.as_scheduled().unwrap().map(Result::unwrap);
    for readings in instants.take_while(|readings| readings.time < at(1_000_400)) {
        whole.scorer.judge(&readings);
    }
    assert_eq!(later.scorer.seen(), whole.scorer.seen());
    let next = vec![0.5];
    let judged = |scorer: &Scorer| scorer.judge_next(&next);
    assert_eq!(judged(&later.scorer), judged(&whole.scorer));
}

#[test]
fn a_replay_trains_again_by_the_recordings_own_clock() {
    let rows = (0..600).map(|i| format!("{},{}", i * 60, i * i % 97)).collect::<Vec<_>>().join("\n");
    let (_folder, detector) = recorded(
        &format!("timestamp,value\n{rows}"),
        "{train: {samples: 100}, retrain: {schedule: '0 * * * *'}}",
    );
    let scribe = replayed(&detector, trained(&detector), None);
    assert_eq!(scribe.renewed, (2..10).map(|hour| hour * 3600).collect::<Vec<_>>());
    // Each model judges from its time of retraining on, and not one instant before.
    for (time, model) in scribe.times.windows(2).zip(scribe.models.windows(2)) {
        assert_eq!(model[0] != model[1], time[1] % 3600 == 0, "{time:?}");
    }
    assert_eq!(scribe.models, replayed(&detector, trained(&detector), None).models);
}

#[test]
fn simulated_sensors_are_trained_on_again_in_a_replay_too() {
    let detector = simulated("{train: {samples: 100}, retrain: {interval: 60s}}");
    let scribe = replayed(&detector, trained(&detector), Some(Duration::from_mins(5)));
    assert_eq!(scribe.renewed.len(), 5);
    assert!(scribe.renewed.windows(2).all(|moments| moments[1] - moments[0] == 60));
}

/// All features that look back on other readings, and a model that is retrained four times a day.
const STREAM: &str = "{train: {dataEndTime: '1970-01-02T00:00:00Z', samples: 300, trees: 20, sampleSize: 64, \
    features: [Value, Difference, DailyResidual, RollingMean, LogStdDev], window: 5, lags: 1}, retrain: {interval: 6h}}";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn another_future_changes_no_verdict_no_model_and_no_alarm_of_the_past(
        past in prop::collection::vec(-50i32..50, 60..250),
        futures in (prop::collection::vec(-500i32..500, 1..100), prop::collection::vec(-500i32..500, 1..100)),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        let [(a, renewals), (b, _)] = [&futures.0, &futures.1].map(|future| {
            let values = past.iter().chain(future).enumerate();
            let rows: Vec<String> = values.map(|(i, value)| format!("{},{value}", i * 1800)).collect();
            std::fs::write(&path, format!("timestamp,value\n{}", rows.join("\n"))).unwrap();
            let detector = watching(&path, STREAM, "{lookback: 5h}");
            let scribe = replayed(&detector, trained(&detector), None);
            (scribe.outcomes, scribe.renewed)
        });
        let first_day = 48;
        for (at, (a, b)) in a.iter().zip(&b).take(past.len() - first_day).enumerate() {
            prop_assert_eq!(a, b, "instant {}", at);
        }
        prop_assert!(renewals.len() >= past.len() / 12 - 5, "{} renewals", renewals.len());
    }
}
