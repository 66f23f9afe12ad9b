//! Scores with labels and weights in; how well the scores separate the labelled rows, at all thresholds, out.

/// Rows with a verdict, the highest score first: (score, whether the row is labelled, index of its block).
#[derive(Clone, Debug)]
pub struct Ranking(Vec<(f64, bool, u32)>);

/// The area under the receiver operating characteristic, and the average precision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Separation {
    /// The probability that a labelled row scores higher than another, half of it where they are equal (Hanley and McNeil,
    /// 1982).
    pub auc: f64,
    /// The mean of the precisions at each step of the recall, weighted by the step: scikit-learn's
    /// `average_precision_score`.
    pub average_precision: f64,
}

impl Ranking {
    /// Sort rows by their score. They may come in any order.
    pub fn new(rows: impl Iterator<Item = (f64, bool, u32)>) -> Self {
        let mut rows: Vec<_> = rows.collect();
        rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.2.cmp(&b.2)));
        Self(rows)
    }

    /// The score of each row, and whether the row is labelled; the highest score first.
    pub fn rows(&self) -> impl Iterator<Item = (f64, bool)> + '_ {
        self.0.iter().map(|(score, label, _)| (*score, *label))
    }

    /// The separation, where each row has the weight of its block; `None` where one class is missing.
    #[expect(clippy::float_cmp, reason = "rows of the very same score are passed together")]
    pub fn separation(&self, weights: &[f64]) -> Option<Separation> {
        let (mut labelled, mut others, mut pairs, mut precisions) = (0.0, 0.0, 0.0, 0.0);
        for equal in self.0.chunk_by(|a, b| a.0 == b.0) {
            let (mut of_labelled, mut of_others) = (0.0, 0.0);
            for (_, label, block) in equal {
                *(if *label { &mut of_labelled } else { &mut of_others }) += weights[*block as usize];
            }
            pairs += of_others * (labelled + of_labelled / 2.0);
            labelled += of_labelled;
            others += of_others;
            if of_labelled > 0.0 {
                precisions += of_labelled * labelled / (labelled + others);
            }
        }
        (labelled > 0.0 && others > 0.0).then(|| Separation {
            auc: pairs / (labelled * others),
            average_precision: precisions / labelled,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn separation(rows: &[(f64, bool)]) -> Option<Separation> {
        Ranking::new(rows.iter().map(|(score, label)| (*score, *label, 0))).separation(&[1.0])
    }

    /// scikit-learn 1.7: `roc_auc_score([0,0,1,1,0,1], s)`, `average_precision_score` of the same,
    /// `s = [.1, .4, .35, .8, .4, .4]`.
    #[test]
    fn it_agrees_with_scikit_learn() {
        let rows = [(0.1, false), (0.4, false), (0.35, true), (0.8, true), (0.4, false), (0.4, true)];
        let found = separation(&rows).unwrap();
        assert!((found.auc - 2.0 / 3.0).abs() < 1e-12, "{found:?}");
        assert!((found.average_precision - (1.0 + 0.5 + 0.6) / 3.0).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn one_class_has_no_separation() {
        assert_eq!(separation(&[(0.5, true), (0.6, true)]), None);
        assert_eq!(separation(&[]), None);
    }

    proptest! {
        #[test]
        fn the_area_is_the_share_of_pairs_in_order(rows in proptest::collection::vec((0u8..9, any::<bool>()), 2..40)) {
            let rows: Vec<(f64, bool)> = rows.iter().map(|(score, label)| (f64::from(*score), *label)).collect();
            let of = |wanted: bool| rows.iter().filter(move |row| row.1 == wanted).map(|row| row.0);
            let (count, mut won) = (of(true).count() * of(false).count(), 0.0);
            for high in of(true) {
                won += of(false).map(|low| if high > low { 1.0 } else { f64::from(u8::from(high >= low)) / 2.0 }).sum::<f64>();
            }
            if let Some(found) = separation(&rows) {
                prop_assert!((found.auc - won / count as f64).abs() < 1e-9);
            } else {
                prop_assert_eq!(count, 0);
            }
        }

        #[test]
        fn a_weight_is_so_many_copies(rows in proptest::collection::vec((0u8..9, any::<bool>(), 0u32..3), 2..30)) {
            let weighted = Ranking::new(rows.iter().map(|(score, label, block)| (f64::from(*score), *label, *block)));
            let copies = rows.iter().flat_map(|row| std::iter::repeat_n((f64::from(row.0), row.1, 0), row.2 as usize));
            let (a, b) = (weighted.separation(&[0.0, 1.0, 2.0]), Ranking::new(copies).separation(&[1.0]));
            prop_assert_eq!(a.is_some(), b.is_some());
            if let (Some(a), Some(b)) = (a, b) {
                prop_assert!((a.auc - b.auc).abs() < 1e-9 && (a.average_precision - b.average_precision).abs() < 1e-9);
            }
        }
    }
}
