//! A node's values in, the split value with the greatest gain out.
//!
//! The gain of a split value is the share of the standard deviation that the split removes: Liu, Ting and
//! Zhou, "On Detecting Clustered Anomalies Using SCiForest" (ECML PKDD 2010), equation 1, where both sides
//! count alike; in Cortes' pooled gain (arXiv:2110.13402) each side counts by its number of rows.

/// The way in which the standard deviations of two sides are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Criterion {
    /// Their mean.
    Averaged,
    /// Their mean, weighted by the number of rows.
    Pooled,
}

/// The search for the best split value, with buffers that are kept from node to node.
#[derive(Debug, Default)]
pub(super) struct Gain {
    keys: Vec<i64>,
    sorted: Vec<f64>,
    /// The sum of the sorted values up to each; `squares` has the sum of their squares.
    sums: Vec<f64>,
    squares: Vec<f64>,
    /// For a split after each of the sorted values, the combined standard deviation that is left, times the
    /// number of values.
    remaining: Vec<f64>,
}

impl Gain {
    /// The split value with the greatest gain, and that gain. It is the middle between two neighbouring
    /// values; of equal gains, the lowest split value. `None` when all values are equal. Missing values,
    /// which are NaN, are ignored.
    pub(super) fn best(&mut self, values: &[f64], criterion: Criterion) -> Option<(f64, f64)> {
        self.sort(values);
        let whole = self.sum()?;
        self.part(criterion, whole);
        let (at, remaining_deviation) = self.least_remaining()?;
        let (low, high) = (self.sorted[at], self.sorted[at + 1]);
        Some((low + (high - low) / 2.0, 1.0 - remaining_deviation / whole.spread()))
    }

    /// Fills in `sorted`. The values are sorted as whole numbers, which is much faster.
    fn sort(&mut self, values: &[f64]) {
        self.keys.clear();
        self.keys.extend(values.iter().filter(|value| !value.is_nan()).map(|value| key(value.to_bits())));
        self.keys.sort_unstable();
        self.sorted.clear();
        self.sorted.extend(self.keys.iter().map(|key| f64::from_bits(bits(*key))));
    }

    /// Fills in `sums` and `squares`, and returns the sums of all values. The middle of the range is
    /// subtracted from each value first: far from 0, squares lose their digits.
    fn sum(&mut self) -> Option<Side> {
        let middle = self.sorted.first()? / 2.0 + self.sorted.last()? / 2.0;
        let mut side = Side { count: 0.0, sum: 0.0, squares: 0.0 };
        self.sums.clear();
        self.squares.clear();
        for value in &self.sorted {
            let value = value - middle;
            side = Side {
                count: side.count + 1.0,
                sum: side.sum + value,
                squares: side.squares + value * value,
            };
            self.sums.push(side.sum);
            self.squares.push(side.squares);
        }
        Some(side)
    }

    /// Fills in `remaining`.
    fn part(&mut self, criterion: Criterion, whole: Side) {
        self.remaining.clear();
        self.remaining.resize(self.sorted.len() - 1, 0.0);
        let sums = self.sums.iter().zip(&self.squares);
        for ((remaining_deviation, (&sum, &squares)), at) in self.remaining.iter_mut().zip(sums).zip(0u32..) {
            let left = Side { count: f64::from(at.cast_signed()) + 1.0, sum, squares };
            *remaining_deviation = criterion.remaining_deviation(left, whole.without(left));
        }
    }

    /// The index of the value after which a split leaves the least, and how much it leaves. A split needs two
    /// different values.
    fn least_remaining(&self) -> Option<(usize, f64)> {
        let mut least = (0, f64::INFINITY);
        for (at, (pair, &remaining_deviation)) in self.sorted.windows(2).zip(&self.remaining).enumerate() {
            if remaining_deviation < least.1 && pair[0] < pair[1] {
                least = (at, remaining_deviation);
            }
        }
        (least.1 < f64::INFINITY).then_some(least)
    }
}

/// The values on one side of a split.
#[derive(Debug, Clone, Copy)]
struct Side {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Side {
    fn without(self, other: Self) -> Self {
        let (count, sum) = (self.count - other.count, self.sum - other.sum);
        Self { count, sum, squares: self.squares - other.squares }
    }

    /// The standard deviation times the number of values: it needs no division.
    fn spread(self) -> f64 {
        (self.count * self.squares - self.sum * self.sum).max(0.0).sqrt()
    }
}

impl Criterion {
    fn remaining_deviation(self, left: Side, right: Side) -> f64 {
        match self {
            Self::Pooled => left.spread() + right.spread(),
            Self::Averaged => {
                let mean = f64::midpoint(left.spread() / left.count, right.spread() / right.count);
                mean * (left.count + right.count)
            }
        }
    }
}

/// The key of a number with these bits. Keys have the order of their numbers (IEEE 754, totalOrder).
fn key(bits: u64) -> i64 {
    let bits = bits.cast_signed();
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

/// The bits of a key.
fn bits(key: i64) -> u64 {
    (key ^ ((key >> 63).cast_unsigned() >> 1).cast_signed()).cast_unsigned()
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
            let (split_value, gain) = best(&values, criterion).unwrap();
            assert!((split_value - 5.0).abs() < 1e-12, "{criterion:?}");
            assert!(gain > 0.8, "{criterion:?}");
        }
    }

    #[test]
    fn the_averaged_gain_parts_a_single_outlier_where_the_pooled_parts_the_majority() {
        let values: Vec<f64> = (0..60).map(f64::from).chain([100.0]).collect();
        let split_value = |criterion| best(&values, criterion).unwrap().0;
        assert!((split_value(Criterion::Averaged) - 79.5).abs() < 1e-12);
        assert!(split_value(Criterion::Pooled) < 40.0);
    }

    #[test]
    fn equal_values_have_no_split() {
        assert_eq!(best(&[3.0; 5], Criterion::Pooled), None);
        assert_eq!(best(&[f64::NAN, 3.0], Criterion::Pooled), None);
        assert_eq!(best(&[], Criterion::Averaged), None);
    }

    proptest! {
        #[test]
        fn keys_are_ordered_as_their_numbers_and_come_back(a: f64, b: f64) {
            let keys = [key(a.to_bits()), key(b.to_bits())];
            prop_assert_eq!(keys[0].cmp(&keys[1]), a.total_cmp(&b));
            prop_assert_eq!(bits(keys[0]), a.to_bits());
        }

        #[test]
        fn the_split_value_is_between_the_values_and_no_other_gains_more(
            values in prop::collection::vec(-1e3f64..1e3, 2..40),
            pooled: bool,
        ) {
            let criterion = if pooled { Criterion::Pooled } else { Criterion::Averaged };
            let Some((split_value, gain)) = best(&values, criterion) else { return Ok(()) };
            let plain = |values: &[f64]| {
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
            };
            let of = |split_value: f64| {
                let (left, right): (Vec<f64>, Vec<f64>) = values.iter().partition(|&&value| value <= split_value);
                let share = left.len() as f64 / values.len() as f64;
                let remaining_deviation = match criterion {
                    Criterion::Averaged => f64::midpoint(plain(&left), plain(&right)),
                    Criterion::Pooled => share * plain(&left) + (1.0 - share) * plain(&right),
                };
                1.0 - remaining_deviation / plain(&values)
            };
            prop_assert!((gain - of(split_value)).abs() < 1e-6);
            let greatest = values.iter().copied().fold(f64::MIN, f64::max);
            for &other in values.iter().filter(|&&other| other < greatest) {
                prop_assert!(of(other) <= gain + 1e-6, "{} gains {}, {} gains {}", other, of(other), split_value, gain);
            }
        }
    }
}
