//! The training of a spec in, the memory that its detector needs out. It is known before the pod is created,
//! so that the kernel does not kill the pod for exceeding its limit.
//!
//! The constants are measured: a line through the peak resident memory of the release program, for detectors
//! of 1 to 1,008 sensors and 256 to 400,000 samples. Trees are counted as the forest counts them before it
//! grows them.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::AnomalyDetectorSpec;
use crate::training::{ForestMode, Training};

/// Bytes of the program, its threads and the data that it loads at its start.
const PROGRAM: u64 = 20 << 20;
/// Bytes of a reading in the history without its values, of each of its values, and of each column of the
/// sample that is made of it.
const READING: u64 = 80;
const VALUE: u64 = 38;
const CELL: u64 = 34;
/// Bytes of a leaf and the node above it: the copies for growing, walking and writing trees, and the previous
/// model's while the new model replaces it.
const LEAF: u64 = 204;
/// The percentage of the limit that is reserved for requests, scrapes and stored verdicts.
const SERVING: u64 = 33;
/// The smallest limit of a pod, its smallest request, and the step to which both are rounded up. In bytes.
const MIN_LIMIT: u64 = 128 << 20;
const MIN_REQUEST: u64 = 32 << 20;
const ROUND: u64 = 16 << 20;

/// The memory that a detector needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The most memory that it uses at once, during training, in bytes.
    pub peak: u64,
}

impl Memory {
    /// Return the memory of a detector. `train` is none where the model is loaded: then nothing is trained,
    /// and the model's size is not known before it has been fetched.
    pub fn of(sensors: usize, train: Option<&Training>) -> Self {
        Self { peak: PROGRAM + train.map_or(0, |train| training(sensors as u64, train)) }
    }

    /// Return the memory of the detector that a spec describes.
    pub fn of_spec(spec: &AnomalyDetectorSpec) -> Self {
        let sensors = spec.sources.iter().flat_map(crate::source::Source::kinds);
        let sensors = sensors.map(|kind| kind.sensors().len()).sum();
        let train = spec.model.train.as_ref();
        let train = train.map(|train| Training::of(train, spec.interval)).unwrap_or_default();
        Self::of(sensors, spec.model.load.is_none().then_some(&train))
    }

    /// The memory limit of a pod in bytes, at least 128 MiB: the peak of training, and a reserve for
    /// requests.
    pub fn limit(&self) -> u64 {
        (self.peak / (100 - SERVING) * 100).next_multiple_of(ROUND).max(MIN_LIMIT)
    }

    /// The memory request of a pod in bytes, at least 32 MiB.
    pub fn request(&self) -> u64 {
        self.peak.next_multiple_of(ROUND).max(MIN_REQUEST)
    }
}

/// Format bytes as a quantity of Kubernetes, rounded up to MiB: `464Mi`.
pub fn quantity(bytes: u64) -> String {
    format!("{}Mi", bytes.div_ceil(1 << 20))
}

fn training(sensors: u64, train: &Training) -> u64 {
    let samples = train.samples as u64;
    let columns = train.columns(1) as u64 * sensors;
    let history = samples.saturating_mul(READING + VALUE * sensors + CELL * columns);
    let (forests, level) = match train.mode {
        ForestMode::Auto => (3, 2),
        _ => (1, u64::from(train.extension_level)),
    };
    // Bytes of a hyperplane and its terms: the copies for growing and walking trees.
    let plane = if level == 0 { 0 } else { 48 + 32 * (level + 1) };
    let leaves = u64::from(train.sample_size).min(samples) * u64::from(train.trees) * forests;
    history.saturating_add(leaves.saturating_mul(LEAF + plane))
}

/// The bytes of a quantity; none where it is not a plain number with a unit.
pub(crate) fn bytes(amount: &IntOrString) -> Option<u64> {
    const UNITS: [(&str, f64); 9] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("", 1.0),
    ];
    let text = match amount {
        IntOrString::Int(bytes) => return u64::try_from(*bytes).ok(),
        IntOrString::String(text) => text,
    };
    let (digits, unit) = UNITS.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, size)))?;
    digits.parse::<f64>().ok().filter(|number| *number >= 0.0).map(|number| (number * unit) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(sensors: usize, train: &Training) -> String {
        quantity(Memory::of(sensors, Some(train)).limit())
    }

    #[test]
    fn a_small_detector_keeps_the_usual_limit_and_a_large_one_gets_what_it_needs() {
        let default = Training::default;
        assert_eq!(limit(3, &default()), "128Mi");
        assert_eq!(limit(100, &default()), "128Mi");
        assert_eq!(limit(1008, &default()), "464Mi");
        assert_eq!(limit(1, &Training { samples: 700_000, ..default() }), "192Mi");
        assert_eq!(limit(3, &Training { trees: 10_000, ..default() }), "784Mi");
        assert_eq!(quantity(Memory::of(3, Some(&default())).request()), "32Mi");
        assert_eq!(quantity(Memory::of(1008, Some(&default())).request()), "320Mi");
        assert_eq!(Memory::of(1008, None).peak, PROGRAM);
    }

    #[test]
    fn quantities_are_read_in_every_unit() {
        let of = |text: &str| bytes(&IntOrString::String(text.to_owned()));
        assert_eq!(of("128Mi"), Some(128 << 20));
        assert_eq!(of("1.5Gi"), Some(3 << 29));
        assert_eq!(of("64M"), Some(64_000_000));
        assert_eq!(of("1000"), Some(1000));
        assert_eq!(of("128974848000m"), None);
        assert_eq!(bytes(&IntOrString::Int(7)), Some(7));
    }
}
