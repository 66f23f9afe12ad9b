//! The spec and what was kept beside the workload in, the end of the history to learn from out.
//!
//! Replicas that train each for themselves agree only if they learn from the same history, so a spec that leaves
//! `model.train.until` open is given the time at which its sources or its model were last changed. That time is kept
//! in annotations of the ConfigMap and of the Deployment: either alone brings it back.

use std::collections::BTreeMap;

use crd::AnomalyDetectorSpec;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// The end of the history, as an RFC 3339 time.
const UNTIL: &str = "anomaly.dev/history-until";
/// Sources and model that were asked for when it was chosen.
const LEARNS: &str = "anomaly.dev/learns";

/// What is learned, and up to when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The end of the history to learn from.
    pub until: Timestamp,
    learns: String,
}

impl History {
    /// The spec's own end; else the one kept with the same sources and model; else now, in whole seconds.
    pub fn new<'a>(
        spec: &AnomalyDetectorSpec,
        kept: impl IntoIterator<Item = &'a BTreeMap<String, String>>,
        now: Timestamp,
    ) -> Self {
        let learns = fingerprint(spec);
        let mut kept = kept.into_iter().filter(|annotations| annotations.get(LEARNS) == Some(&learns));
        let kept = kept.find_map(|annotations| annotations.get(UNTIL)?.parse().ok());
        let whole = Timestamp::from_second(now.as_second()).expect("a timestamp without its fraction is one");
        Self {
            until: spec.model.train.as_ref().and_then(|train| train.until).or(kept).unwrap_or(whole),
            learns,
        }
    }

    /// What to keep beside the workload.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(UNTIL.to_owned(), self.until.to_string()), (LEARNS.to_owned(), self.learns.clone())])
    }
}

/// Sixteen hexadecimal digits that change when sources or model do.
fn fingerprint(spec: &AnomalyDetectorSpec) -> String {
    let learned = serde_json::to_vec(&(&spec.sources, &spec.model)).expect("the types of the API are JSON");
    digits(&learned)
}

/// The first sixteen hexadecimal digits of the SHA-256 of some bytes.
pub fn digits(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes)[..8].iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("a String takes every write");
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quickstart() -> AnomalyDetectorSpec {
        crd::manifest::one_detector(include_str!("../../manifests/quickstart.yaml")).unwrap().spec().clone()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_open_end_is_the_time_of_the_first_look_and_stays() {
        let first = History::new(&quickstart(), [], at("2026-11-22T12:00:00.7Z"));
        assert_eq!(first.until, at("2026-11-22T12:00:00Z"));
        let later = History::new(&quickstart(), [&first.annotations()], at("2026-11-23T12:00:00Z"));
        assert_eq!(later, first);
    }

    #[test]
    fn what_is_not_learned_from_keeps_the_end() {
        let first = History::new(&quickstart(), [], at("2026-11-22T12:00:00Z"));
        let mut edited = quickstart();
        edited.replicas = Some(3);
        edited.threshold = crd::threshold::Threshold { score: Some(0.6), ..Default::default() };
        assert_eq!(
            History::new(&edited, [&first.annotations()], at("2026-11-23T12:00:00Z")).until,
            first.until
        );
    }

    #[test]
    fn a_change_of_sources_or_model_ends_the_history_anew() {
        let first = History::new(&quickstart(), [], at("2026-11-22T12:00:00Z"));
        let mut edited = quickstart();
        edited.model.train.get_or_insert_default().trees = 7;
        let now = at("2026-11-23T12:00:00Z");
        assert_eq!(History::new(&edited, [&first.annotations()], now).until, now);
    }

    #[test]
    fn the_end_that_a_person_wrote_wins_and_leaves_with_them() {
        let mut spec = quickstart();
        spec.model.train.get_or_insert_default().until = Some(at("2020-01-01T00:00:00Z"));
        let first = History::new(&spec, [], at("2026-11-22T12:00:00Z"));
        assert_eq!(first.until, at("2020-01-01T00:00:00Z"));
        let now = at("2026-11-23T12:00:00Z");
        assert_eq!(History::new(&quickstart(), [&first.annotations()], now).until, now);
    }

    #[test]
    fn what_somebody_scribbled_into_the_annotation_is_not_believed() {
        let mut scribbled = History::new(&quickstart(), [], at("2026-11-22T12:00:00Z")).annotations();
        scribbled.insert(UNTIL.to_owned(), "yesterday".to_owned());
        let now = at("2026-11-23T12:00:00Z");
        assert_eq!(History::new(&quickstart(), [&scribbled], now).until, now);
    }
}
