//! The name and the labels of a series in; the sensors whose readings its samples are out.

use std::borrow::Cow;
use std::collections::HashMap;

use crd::source::HttpSensor;
use jiff::Timestamp;

/// Name and value of a label; the metric's name is none of them.
pub type Label<'a> = (&'a [u8], Cow<'a, [u8]>);

/// The series that is a sensor's.
#[derive(Debug)]
pub struct Bound {
    pub(super) series: String,
    /// When it was pushed last.
    pub(super) pushed: Timestamp,
}

/// The sensors of a source, by the names of the series that they select.
#[derive(Debug, Default)]
pub struct Selectors(HashMap<Vec<u8>, Vec<Selector>>);

/// The series of a sensor.
#[derive(Debug)]
pub struct Selector {
    /// The sensor: its place among the source's.
    pub sensor: usize,
    labels: Vec<(String, String)>,
}

impl Selectors {
    /// Those of the spec: a sensor without a series selects the one of its name.
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

    /// Those that ask for this name.
    pub fn named(&self, name: &[u8]) -> &[Selector] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

impl Selector {
    /// Whether these labels are of its series. A label that is not there is empty, as in Prometheus.
    pub fn selects(&self, labels: &[Label]) -> bool {
        self.labels.iter().all(|(name, value)| {
            let found = labels.iter().find(|(there, _)| *there == name.as_bytes());
            found.map_or(value.is_empty(), |(_, there)| **there == *value.as_bytes())
        })
    }
}

/// A series as Prometheus writes it: `up{job="api"}`, its labels in order.
pub fn shown(name: &[u8], labels: &[Label]) -> String {
    let text = String::from_utf8_lossy;
    let mut labels: Vec<String> =
        labels.iter().map(|(name, value)| format!("{}={:?}", text(name), text(value))).collect();
    labels.sort();
    format!("{}{{{}}}", text(name), labels.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sensors(json: &str) -> Selectors {
        Selectors::new(&serde_json::from_str::<Vec<HttpSensor>>(json).unwrap())
    }

    fn selected(selectors: &Selectors, name: &str, labels: &[(&str, &str)]) -> Vec<usize> {
        let labels: Vec<Label> =
            labels.iter().map(|(name, value)| (name.as_bytes(), Cow::Borrowed(value.as_bytes()))).collect();
        let all = selectors.named(name.as_bytes()).iter().filter(|each| each.selects(&labels));
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
    fn a_series_is_shown_as_prometheus_shows_it() {
        let labels: [Label; 2] = [(b"b", Cow::Borrowed(b"2")), (b"a", Cow::Borrowed(b"\"1\""))];
        assert_eq!(shown(b"up", &labels), r#"up{a="\"1\"", b="2"}"#);
    }
}
