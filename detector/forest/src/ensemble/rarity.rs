//! A forest's scores of training rows in, how rare a score is among them out.
//!
//! So scores of different modes become comparable: Kriegel et al., "Interpreting and unifying outlier scores" (SDM 2011).

/// The least distance between knots, in bits; only the last knot may be closer.
const RESOLUTION: f64 = 0.25;
/// The most bits of a knot: there are never 2⁶⁴ rows.
const MAX_BITS: f64 = 64.0;
/// Beyond the last knot, the line goes on with the slope over this many bits before it.
const SLOPE: f64 = 3.0;

/// How rare a forest's scores are among the training rows, in bits of information, −log₂ of the share that reaches them: 1 for
/// a score that half of the training rows reach, 10 for one that one in 1024 reaches. Between knots, and beyond the last, it is
/// a straight line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rarity {
    /// Scores and bits, both strictly rising; at least one.
    knots: Vec<[f64; 2]>,
}

impl Rarity {
    /// The rarity of scores, learned from the scores of the training rows.
    pub(crate) fn of(mut scores: Vec<f64>) -> Self {
        scores.sort_unstable_by(f64::total_cmp);
        let count = scores.len() as f64;
        let mut knots: Vec<[f64; 2]> = Vec::new();
        let mut below = 0;
        for equal in scores.chunk_by(|a, b| a.total_cmp(b).is_eq()) {
            let rank = below as f64 + (equal.len() - 1) as f64 / 2.0;
            let bits = -libm::log2((count - rank) / (count + 1.0));
            below += equal.len();
            let is_last = below == scores.len();
            if is_last || knots.last().is_none_or(|knot| bits >= knot[1] + RESOLUTION) {
                knots.push([equal[0], bits]);
            }
        }
        Self { knots }
    }

    /// A rarity with these knots; `None` unless both numbers of the knots rise, scores are in (0, 1] and bits
    /// over 0 and at most 64.
    pub(crate) fn from_knots(knots: Vec<[f64; 2]>) -> Option<Self> {
        let valid = |knot: &[f64; 2]| knot[0] > 0.0 && knot[0] <= 1.0 && knot[1] > 0.0 && knot[1] <= MAX_BITS;
        let rise = knots.windows(2).all(|pair| pair[0][0] < pair[1][0] && pair[0][1] < pair[1][1]);
        (!knots.is_empty() && knots.iter().all(valid) && rise).then_some(Self { knots })
    }

    pub(crate) fn knots(&self) -> &[[f64; 2]] {
        &self.knots
    }

    /// How rare `score` is; greater than 0.
    pub(crate) fn bits(&self, score: f64) -> f64 {
        let (first, last) = (self.knots[0], self.knots[self.knots.len() - 1]);
        let at = self.knots.partition_point(|knot| knot[0] < score);
        if at == 0 {
            return first[1];
        }
        let (from, to) = match self.knots.get(at) {
            Some(to) => (self.knots[at - 1], *to),
            None => {
                (self.knots[self.knots.partition_point(|knot| knot[1] < last[1] - SLOPE).min(at - 1)], last)
            }
        };
        if to[0] > from[0] { to[1] + (score - to[0]) * (to[1] - from[1]) / (to[0] - from[0]) } else { to[1] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_score_that_half_of_the_rows_reach_is_one_bit_and_that_of_one_in_a_thousand_is_ten() {
        let rarity = Rarity::of((1..=1023).map(|i| f64::from(i) / 2048.0).collect());
        assert!((rarity.bits(0.25) - 1.0).abs() < 0.01, "{}", rarity.bits(0.25));
        assert!((rarity.bits(1023.0 / 2048.0) - 10.0).abs() < 1e-9);
        assert!(rarity.bits(0.9) > 11.0, "it goes on beyond the training rows");
        assert!(rarity.knots().len() < 50);
    }

    #[test]
    fn equal_scores_are_all_as_rare() {
        let rarity = Rarity::of(vec![0.4; 9]);
        assert_eq!(rarity.bits(0.1).to_bits(), rarity.bits(0.9).to_bits());
        assert!((rarity.bits(0.4) - 1.0).abs() < 0.01);
    }

    #[test]
    fn knots_that_do_not_rise_are_none() {
        for knots in
            [vec![], vec![[0.5, 1.0], [0.4, 2.0]], vec![[0.5, 2.0], [0.6, 2.0]], vec![[f64::NAN, 1.0]]]
        {
            assert_eq!(Rarity::from_knots(knots.clone()), None, "{knots:?}");
        }
    }

    proptest! {
        #[test]
        fn rarer_scores_have_more_bits(scores in prop::collection::vec(0.01f64..1.0, 1..200), a in 0.0f64..1.0, b in 0.0f64..1.0) {
            let rarity = Rarity::of(scores);
            prop_assert_eq!(Rarity::from_knots(rarity.knots.clone()), Some(rarity.clone()));
            prop_assert!(rarity.bits(a.min(b)) <= rarity.bits(a.max(b)) + 1e-12);
            prop_assert!(rarity.bits(a) > 0.0);
        }
    }
}
