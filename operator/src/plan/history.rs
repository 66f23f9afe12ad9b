//! The detector and the annotations of its workload in, the end of the history to learn from out.
//!
//! Replicas that train on their own agree only if they learn from the same history. So a spec that leaves
//! `model.train.dataEndTime` open gets the time at which the recipe of its model last changed, or at which a
//! person last requested a retraining. That time is stored in annotations of the ConfigMap and of the
//! Deployment: either one is enough to restore it.

use std::collections::BTreeMap;

use crd::Valid;
use crd::contract::RETRAIN_ANNOTATION;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

/// The end of the history, as an RFC 3339 time.
const HISTORY_END: &str = "anomaly.dev/history-until";
/// The recipe (sources and parameters) of the model for which the end was chosen, as a hash.
const RECIPE: &str = "anomaly.dev/learns";

/// How long a requested retraining is awaited: kubelets update mounted files every minute or so.
const RETRAIN_WAIT: SignedDuration = SignedDuration::from_mins(5);

/// The recipe of the model, and the end of the history that it learns from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The end of the history to learn from.
    pub until: Timestamp,
    /// Whether a person has just requested a retraining.
    pub requests_retraining: bool,
    /// Whether the spec leaves the end open.
    is_open: bool,
    learns: String,
    retrain: Option<String>,
}

impl History {
    /// Choose the end: the spec's own; else the stored one, if the recipe is the same and no new retraining
    /// is requested; else now, in whole seconds.
    pub fn new<'a>(
        detector: &Valid,
        kept: impl IntoIterator<Item = &'a BTreeMap<String, String>>,
        now: Timestamp,
    ) -> Self {
        let learns = detector.recipe_digest().unwrap_or_default();
        let retrain = detector.detector().annotations().get(RETRAIN_ANNOTATION).cloned();
        let of_this_model: Vec<_> =
            kept.into_iter().filter(|kept| kept.get(RECIPE) == Some(&learns)).collect();
        let is_answered = |kept: &&&BTreeMap<String, String>| {
            retrain.is_none() || kept.get(RETRAIN_ANNOTATION) == retrain.as_ref()
        };
        let answered = of_this_model.iter().find(is_answered);
        let whole = Timestamp::from_second(now.as_second()).expect("a timestamp without its fraction is one");
        let kept = answered.and_then(|kept| kept.get(HISTORY_END)?.parse().ok());
        let own = detector.train().and_then(|train| train.data_end_time);
        Self {
            until: own.or(kept).unwrap_or(whole),
            is_open: own.is_none(),
            requests_retraining: !of_this_model.is_empty() && answered.is_none(),
            learns,
            retrain,
        }
    }

    /// Whether a person requested a retraining within the last 5 min, so that its model may come at any time.
    pub fn is_awaited(&self, now: Timestamp) -> bool {
        self.retrain.is_some() && now.duration_since(self.until) < RETRAIN_WAIT
    }

    /// The annotations to store on the ConfigMap and the Deployment.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let kept = [
            (HISTORY_END, self.is_open.then(|| self.until.to_string())),
            (RECIPE, Some(self.learns.clone())),
            (RETRAIN_ANNOTATION, self.retrain.clone()),
        ];
        kept.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use crd::AnomalyDetector;

    use super::*;

    /// The quickstart, edited.
    fn quickstart(edit: impl FnOnce(&mut AnomalyDetector)) -> Valid {
        let quickstart = include_str!("../../../manifests/quickstart.yaml");
        let mut detector = crd::manifest::one_detector(quickstart).unwrap().detector().clone();
        edit(&mut detector);
        Valid::new(detector).unwrap()
    }

    fn as_it_is() -> Valid {
        quickstart(|_| {})
    }

    fn asking(value: &str) -> Valid {
        quickstart(|detector| {
            detector.annotations_mut().insert(RETRAIN_ANNOTATION.to_owned(), value.to_owned());
        })
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_open_end_is_the_time_of_the_first_look_and_stays() {
        let first = History::new(&as_it_is(), [], at("2026-11-22T12:00:00.7Z"));
        assert_eq!(first.until, at("2026-11-22T12:00:00Z"));
        let later = History::new(&as_it_is(), [&first.annotations()], at("2026-11-23T12:00:00Z"));
        assert_eq!(later, first);
    }

    #[test]
    fn what_does_not_shape_the_model_keeps_the_end() {
        let first = History::new(&as_it_is(), [], at("2026-11-22T12:00:00Z"));
        let edited = quickstart(|detector| {
            detector.spec.replicas = 3;
            detector.spec.threshold =
                Some(crd::threshold::Threshold { score: Some(0.6), ..Default::default() });
            detector.spec.model.revision_history_limit = 7;
            detector.spec.model.pinned_digest = Some(format!("sha256:{}", "0".repeat(64)));
            detector.spec.model.retrain.get_or_insert_default().interval = Some(crd::Duration::from_secs(60));
        });
        let later = History::new(&edited, [&first.annotations()], at("2026-11-23T12:00:00Z"));
        assert_eq!(later.until, first.until);
    }

    #[test]
    fn a_change_of_sources_or_model_moves_the_end_of_the_history() {
        let first = History::new(&as_it_is(), [], at("2026-11-22T12:00:00Z"));
        let edited = quickstart(|detector| detector.spec.model.train.get_or_insert_default().trees = Some(7));
        let now = at("2026-11-23T12:00:00Z");
        assert_eq!(History::new(&edited, [&first.annotations()], now).until, now);
    }

    #[test]
    fn a_new_value_of_the_annotation_moves_the_end_of_the_history_once() {
        let first = History::new(&as_it_is(), [], at("2026-11-22T12:00:00Z"));
        let now = at("2026-11-23T12:00:00Z");
        let asked = History::new(&asking("monday"), [&first.annotations()], now);
        assert_eq!((asked.until, asked.requests_retraining), (now, true));

        let later = at("2026-11-24T12:00:00Z");
        let answered = History::new(&asking("monday"), [&asked.annotations()], later);
        assert_eq!((answered.until, answered.requests_retraining), (now, false));
        let tuesday = History::new(&asking("tuesday"), [&answered.annotations()], later);
        assert_eq!((tuesday.until, tuesday.requests_retraining), (later, true));
        let gone = History::new(&as_it_is(), [&tuesday.annotations()], at("2026-11-25T12:00:00Z"));
        assert_eq!(
            (gone.until, gone.requests_retraining),
            (later, false),
            "to take it away asks for nothing"
        );
    }

    #[test]
    fn an_operator_that_ends_between_its_two_writes_still_knows_of_it() {
        let first = History::new(&as_it_is(), [], at("2026-11-22T12:00:00Z"));
        let asked = History::new(&asking("monday"), [&first.annotations()], at("2026-11-23T12:00:00Z"));
        let kept = [first.annotations(), asked.annotations()];
        for order in [[0, 1], [1, 0]] {
            let next = History::new(&asking("monday"), order.map(|at| &kept[at]), at("2026-11-23T12:00:05Z"));
            assert_eq!((next.until, next.requests_retraining), (asked.until, false));
        }
    }

    #[test]
    fn a_model_that_was_asked_for_is_awaited_for_a_while() {
        let asked = History::new(&asking("monday"), [], at("2026-11-23T12:00:00Z"));
        assert!(
            asked.is_awaited(at("2026-11-23T12:04:59Z")) && !asked.is_awaited(at("2026-11-23T12:05:00Z"))
        );
        let nothing = History::new(&as_it_is(), [], at("2026-11-23T12:00:00Z"));
        assert!(!nothing.is_awaited(at("2026-11-23T12:00:01Z")));
    }

    #[test]
    fn the_end_that_a_person_wrote_wins_and_leaves_with_them() {
        let written = quickstart(|detector| {
            detector.spec.model.train.get_or_insert_default().data_end_time =
                Some(at("2020-01-01T00:00:00Z"));
        });
        let first = History::new(&written, [], at("2026-11-22T12:00:00Z"));
        assert_eq!(first.until, at("2020-01-01T00:00:00Z"));
        let now = at("2026-11-23T12:00:00Z");
        assert_eq!(History::new(&as_it_is(), [&first.annotations()], now).until, now);
    }

    #[test]
    fn what_somebody_scribbled_into_the_annotation_is_not_believed() {
        let mut scribbled = History::new(&as_it_is(), [], at("2026-11-22T12:00:00Z")).annotations();
        scribbled.insert(HISTORY_END.to_owned(), "yesterday".to_owned());
        let now = at("2026-11-23T12:00:00Z");
        assert_eq!(History::new(&as_it_is(), [&scribbled], now).until, now);
    }
}
