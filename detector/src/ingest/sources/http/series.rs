//! The name and the labels of a series in; the sensors that select it, out.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crd::source::HttpSensor;
use jiff::Timestamp;

use crate::excerpt::{MAX_EXCERPT, excerpt};

/// How many labels a message repeats.
const MAX_SHOWN: usize = 20;

/// The name and value of a label; the metric's name is not one of the labels.
pub type Label<'a> = (&'a [u8], Cow<'a, [u8]>);

/// Labels that series share: those of a data point, or of the scope or the resource around it.
#[derive(Debug, Default)]
pub struct Layer<'a> {
    labels: Vec<Label<'a>>,
    /// A digest of the labels, independent of their order; cached for the first hasher.
    digest: OnceCell<u64>,
}

impl<'a> Layer<'a> {
    /// Add a label.
    pub fn push(&mut self, label: Label<'a>) {
        self.digest = OnceCell::new();
        self.labels.push(label);
    }

    /// Remove all labels; the memory stays allocated.
    pub fn clear(&mut self) {
        self.digest = OnceCell::new();
        self.labels.clear();
    }

    /// Remove a label and return its value.
    pub fn remove(&mut self, name: &[u8]) -> Option<Cow<'a, [u8]>> {
        let place = self.labels.iter().position(|(there, _)| *there == name)?;
        self.digest = OnceCell::new();
        Some(self.labels.swap_remove(place).1)
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.labels.iter().find(|(there, _)| *there == name).map(|(_, value)| &**value)
    }

    fn bytes(&self) -> usize {
        self.labels.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    fn digest(&self, hasher: &RandomState) -> u64 {
        let sum = || self.labels.iter().fold(0, |sum: u64, label| sum.wrapping_add(hasher.hash_one(label)));
        *self.digest.get_or_init(sum)
    }
}

impl<'a> FromIterator<Label<'a>> for Layer<'a> {
    fn from_iter<I: IntoIterator<Item = Label<'a>>>(labels: I) -> Self {
        Self { labels: labels.into_iter().collect(), digest: OnceCell::new() }
    }
}

/// A series of a request: its metric's name, and its labels in layers. A label is that of the first layer
/// that has it.
#[derive(Clone, Copy, Debug)]
pub struct Series<'s, 'a> {
    /// The metric's name.
    pub name: &'s [u8],
    /// The labels.
    pub layers: &'s [&'s Layer<'a>],
}

impl Series<'_, '_> {
    fn label(&self, name: &[u8]) -> Option<&[u8]> {
        self.layers.iter().find_map(|layer| layer.get(name))
    }

    /// How long the name and the labels are together.
    pub fn bytes(&self) -> usize {
        self.name.len() + self.layers.iter().map(|layer| layer.bytes()).sum::<usize>()
    }

    /// A digest of the name and labels, independent of the order of the labels.
    pub fn digest(&self, hasher: &RandomState) -> u64 {
        let labels = self.layers.iter().fold(0, |sum: u64, layer| sum.wrapping_add(layer.digest(hasher)));
        labels.wrapping_add(hasher.hash_one(self.name))
    }

    /// The series as Prometheus writes it, `up{job="api"}`, with its labels sorted and long parts cut.
    pub fn shown(&self) -> String {
        let text = |bytes| excerpt(&String::from_utf8_lossy(bytes), MAX_EXCERPT);
        let mut labels: Vec<Label> = Vec::new();
        for (name, value) in self.layers.iter().flat_map(|layer| &layer.labels).take(MAX_SHOWN + 1) {
            if !labels.iter().any(|(there, _)| there == name) {
                labels.push((name, Cow::Borrowed(value)));
            }
        }
        labels.sort();
        let mut shown: Vec<String> = labels
            .iter()
            .take(MAX_SHOWN)
            .map(|(name, value)| format!("{}={:?}", text(name), text(value)))
            .collect();
        if labels.len() > MAX_SHOWN {
            shown.push("…".to_owned());
        }
        format!("{}{{{}}}", text(self.name), shown.join(", "))
    }
}

/// The series that a sensor is bound to.
#[derive(Debug)]
pub struct Bound {
    /// The digest of its name and labels.
    pub(super) digest: u64,
    /// How it is shown.
    pub(super) series: String,
    /// When it was pushed last.
    pub(super) pushed: Timestamp,
}

/// The sensors of a source, by the names of the series that they select.
#[derive(Debug, Default)]
pub struct Selectors(HashMap<Vec<u8>, Vec<Selector>>);

/// The selection of a sensor's series by labels.
#[derive(Debug)]
pub struct Selector {
    /// The sensor: its index among the source's sensors.
    pub sensor: usize,
    labels: Vec<(String, String)>,
}

impl Selectors {
    /// The selectors of the spec. A sensor without a series selects the one with the sensor's name.
    pub fn new(sensors: &[HttpSensor]) -> Self {
        let mut all = HashMap::<Vec<u8>, Vec<Selector>>::new();
        for (sensor, spec) in sensors.iter().enumerate() {
            let series = spec.series.clone().unwrap_or_default();
            let name = series.name.unwrap_or_else(|| spec.name.clone());
            let labels = series.match_labels.into_iter().collect();
            all.entry(name.into_bytes()).or_default().push(Selector { sensor, labels });
        }
        Self(all)
    }

    /// The selectors for series with this name.
    pub fn named(&self, name: &[u8]) -> &[Selector] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

impl Selector {
    /// Whether a series with the selected name also has the selected labels. A missing label is empty, as in
    /// Prometheus.
    pub fn selects(&self, series: Series) -> bool {
        self.labels.iter().all(|(name, value)| {
            series.label(name.as_bytes()).map_or(value.is_empty(), |there| *there == *value.as_bytes())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sensors(json: &str) -> Selectors {
        Selectors::new(&serde_json::from_str::<Vec<HttpSensor>>(json).unwrap())
    }

    fn layer<'a>(labels: &[(&'a str, &'a str)]) -> Layer<'a> {
        labels.iter().map(|(name, value)| (name.as_bytes(), Cow::Borrowed(value.as_bytes()))).collect()
    }

    fn selected(selectors: &Selectors, name: &str, labels: &[(&str, &str)]) -> Vec<usize> {
        let layer = layer(labels);
        let series = Series { name: name.as_bytes(), layers: &[&layer] };
        let all = selectors.named(name.as_bytes()).iter().filter(|each| each.selects(series));
        all.map(|each| each.sensor).collect()
    }

    #[test]
    fn a_series_is_selected_by_its_name_and_by_the_labels_that_are_asked_for() {
        let selectors = sensors(
            r#"[{"name":"load"},{"name":"api","series":{"name":"up","matchLabels":{"job":"api","pod":""}}},
                {"name":"any","series":{"name":"up"}},{"name":"own","series":{"matchLabels":{"a":"b"}}}]"#,
        );
        assert_eq!(selected(&selectors, "load", &[("instance", "a")]), [0]);
        assert_eq!(selected(&selectors, "up", &[("job", "api"), ("zone", "b")]), [1, 2]);
        assert_eq!(selected(&selectors, "up", &[("job", "api"), ("pod", "x")]), [2]);
        assert_eq!(selected(&selectors, "own", &[("a", "b")]), [3]);
        assert_eq!(selected(&selectors, "own", &[]), [0; 0]);
        assert_eq!(selected(&selectors, "api", &[]), [0; 0]);
    }

    #[test]
    fn a_series_is_shown_as_prometheus_shows_it_and_what_is_long_is_cut() {
        let (point, resource) = (layer(&[("b", "2"), ("a", "\"1\"")]), layer(&[("b", "3"), ("c", "4")]));
        let series = Series { name: b"up", layers: &[&point, &resource] };
        assert_eq!(series.shown(), r#"up{a="\"1\"", b="2", c="4"}"#);
        let long = "v".repeat(1 << 20);
        let many: Vec<(String, &str)> = (0..100).map(|n| (format!("l{n:03}"), long.as_str())).collect();
        let many = layer(&many.iter().map(|(name, value)| (name.as_str(), *value)).collect::<Vec<_>>());
        let shown = Series { name: long.as_bytes(), layers: &[&many] }.shown();
        assert!(shown.ends_with(", …}") && shown.chars().count() < 21 * 75, "{shown}");
    }

    #[test]
    fn a_series_is_the_same_whatever_the_order_of_its_labels_and_another_by_any_of_them() {
        let hasher = RandomState::new();
        let digest = |name: &str, labels: &[(&str, &str)]| {
            Series { name: name.as_bytes(), layers: &[&layer(labels)] }.digest(&hasher)
        };
        let first = digest("up", &[("a", "1"), ("b", "2")]);
        assert_eq!(first, digest("up", &[("b", "2"), ("a", "1")]));
        let others = [
            digest("down", &[("a", "1"), ("b", "2")]),
            digest("up", &[("a", "2"), ("b", "1")]),
            digest("up", &[("a", "1")]),
            digest("up", &[]),
        ];
        assert!(others.iter().all(|other| *other != first), "{others:?}");
    }
}
