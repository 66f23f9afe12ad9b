//! A node's answers to one question in, the border that parts them best out.
//!
//! The gain of a border is the share of the standard deviation that it takes away: Liu, Ting and Zhou, "On Detecting
//! Clustered Anomalies Using SCiForest" (ECML PKDD 2010), equation 1, where both sides count alike; in Cortes' pooled gain
//! (arXiv:2110.13402) each counts by its rows.

/// How the deviations of two sides become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Criterion {
    /// Their mean.
    Averaged,
    /// Their mean, each with the weight of its rows.
    Pooled,
}

/// Buffers that live on from node to node.
#[derive(Debug, Default)]
pub(super) struct Gain {
    sorted: Vec<f64>,
    /// The standard deviation of the first values: of one at index 0.
    deviations: Vec<f64>,
}

impl Gain {
    /// The border in the middle between two neighbouring values, and its gain, the greatest there is; of equal gains the
    /// lowest border. `None` when all values are equal. Missing ones, which are NaN, are left out.
    pub(super) fn best(&mut self, values: &[f64], criterion: Criterion) -> Option<(f64, f64)> {
        self.sorted.clear();
        self.sorted.extend(values.iter().filter(|value| !value.is_nan()));
        self.sorted.sort_unstable_by(f64::total_cmp);
        let count = self.sorted.len();
        self.deviations.clear();
        self.deviations.extend(deviations(self.sorted.iter().copied()));
        let whole = *self.deviations.last().filter(|&&whole| whole > 0.0)?;
        let mut best = None;
        for (more, right) in deviations(self.sorted.iter().rev().copied()).enumerate().take(count - 1) {
            let first_right = count - 1 - more;
            let (low, high) = (self.sorted[first_right - 1], self.sorted[first_right]);
            if low < high {
                let share = first_right as f64 / count as f64;
                let left = self.deviations[first_right - 1];
                let gain = 1.0 - criterion.mean(left, right, share) / whole;
                if best.is_none_or(|(_, most)| gain >= most) {
                    best = Some((low + (high - low) / 2.0, gain));
                }
            }
        }
        best
    }
}

impl Criterion {
    fn mean(self, left: f64, right: f64, share: f64) -> f64 {
        match self {
            Self::Averaged => f64::midpoint(left, right),
            Self::Pooled => share * left + (1.0 - share) * right,
        }
    }
}

/// The standard deviation of the values so far, after each of them: Welford, "Note on a method for calculating corrected
/// sums of squares and products" (Technometrics 4(3), 1962).
fn deviations(values: impl Iterator<Item = f64>) -> impl Iterator<Item = f64> {
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    values.map(move |value| {
        count += 1.0;
        let before = value - mean;
        mean += before / count;
        squares += before * (value - mean);
        (squares / count).sqrt()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn best(values: &[f64], criterion: Criterion) -> Option<(f64, f64)> {
        Gain::default().best(values, criterion)
    }

    #[test]
    fn two_clusters_are_parted_in_the_middle_between_them() {
        let values = [9.0, 1.0, f64::NAN, 10.0, 0.0];
        for criterion in [Criterion::Averaged, Criterion::Pooled] {
            let (border, gain) = best(&values, criterion).unwrap();
            assert!((border - 5.0).abs() < 1e-12, "{criterion:?}");
            assert!(gain > 0.8, "{criterion:?}");
        }
    }

    #[test]
    fn the_averaged_gain_parts_a_single_stranger_where_the_pooled_parts_the_crowd() {
        let values: Vec<f64> = (0..60).map(f64::from).chain([100.0]).collect();
        let border = |criterion| best(&values, criterion).unwrap().0;
        assert!((border(Criterion::Averaged) - 79.5).abs() < 1e-12);
        assert!(border(Criterion::Pooled) < 40.0);
    }

    #[test]
    fn equal_values_have_no_border() {
        assert_eq!(best(&[3.0; 5], Criterion::Pooled), None);
        assert_eq!(best(&[f64::NAN, 3.0], Criterion::Pooled), None);
        assert_eq!(best(&[], Criterion::Averaged), None);
    }

    proptest! {
        #[test]
        fn the_border_is_between_the_values_and_no_other_gains_more(
            values in prop::collection::vec(-1e3f64..1e3, 2..40),
            pooled: bool,
        ) {
            let criterion = if pooled { Criterion::Pooled } else { Criterion::Averaged };
            let Some((border, gain)) = best(&values, criterion) else { return Ok(()) };
            let plain = |values: &[f64]| {
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
            };
            let of = |border: f64| {
                let (left, right): (Vec<f64>, Vec<f64>) = values.iter().partition(|&&value| value <= border);
                let share = left.len() as f64 / values.len() as f64;
                1.0 - criterion.mean(plain(&left), plain(&right), share) / plain(&values)
            };
            prop_assert!((gain - of(border)).abs() < 1e-6);
            let greatest = values.iter().copied().fold(f64::MIN, f64::max);
            for &other in values.iter().filter(|&&other| other < greatest) {
                prop_assert!(of(other) <= gain + 1e-6, "{} gains {}, {} gains {}", other, of(other), border, gain);
            }
        }
    }
}
