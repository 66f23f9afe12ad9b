//! Training scores in, the threshold out: a row is anomalous when its score is greater.

use thiserror::Error;

/// The reason why no threshold can be chosen.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ThresholdError {
    /// No scores.
    #[error("a threshold must be chosen from at least 1 score, got 0")]
    NoScores,
    /// A score that is not in (0, 1].
    #[error("score {at} (counted from 0) must be greater than 0 and at most 1, got {score}")]
    Score {
        /// The index of the score, counted from 0.
        at: usize,
        /// The score.
        score: f64,
    },
    /// Zero, more than half, or NaN.
    #[error("contamination must be greater than 0 and at most 0.5, got {0}")]
    Contamination(f64),
    /// Zero, negative or NaN.
    #[error("the share of anomalous rows must be greater than 0, got {0}")]
    Share(f64),
}

/// The threshold that calls `share` of the training rows anomalous, as scikit-learn's `contamination` does, to the digit:
/// minus the percentile 100 · `share` of minus the scores, interpolated linearly. `share` is in (0, 0.5].
///
/// # Errors
/// No scores, a score outside (0, 1], or a `share` outside (0, 0.5].
pub fn contamination(scores: &[f64], share: f64) -> Result<f64, ThresholdError> {
    check(scores)?;
    if !(share > 0.0 && share <= 0.5) {
        return Err(ThresholdError::Contamination(share));
    }
    let mut ascending: Vec<f64> = scores.iter().map(|score| -score).collect();
    ascending.sort_unstable_by(f64::total_cmp);
    let at = (ascending.len() - 1) as f64 * (100.0 * share / 100.0);
    let below = ascending[at.floor() as usize];
    let above = ascending[(at.floor() as usize + 1).min(ascending.len() - 1)];
    Ok(-interpolate(below, above, at.fract()))
}

/// Interpolates as `NumPy` does: from the nearer end, so that the result is exact at both ends.
fn interpolate(from: f64, to: f64, part: f64) -> f64 {
    if part < 0.5 { from + (to - from) * part } else { to - (to - from) * (1.0 - part) }
}

/// The lowest threshold that a new row of the training rows' kind exceeds with a probability of at most `share`: the
/// ⌊share · (n + 1)⌋-th greatest of the n `out_of_bag` scores, as [`Ensemble::out_of_bag_scores`] gives them. This is a conformal
/// quantile: Papadopoulos et al., "Inductive Confidence Machines for Regression" (ECML 2002); Laxhammar and Falkman,
/// "Conformal prediction for distribution-independent anomaly detection in streaming vessel data" (StreamKDD 2010).
/// For any distribution, this holds exactly where new and out-of-bag scores are exchangeable, on the average
/// over all training data of that kind. The probability for one set of training data scatters around it, by
/// about one in √k of itself for the k-th greatest: Vovk, "Conditional validity of inductive conformal
/// predictors" (ACML 2012).
///
/// With fewer than 1 / `share` − 1 scores, no threshold is known to keep the share. The result is the
/// greatest score then, and [`exceedance`] gives the probability that a new row exceeds it.
///
/// [`Ensemble::out_of_bag_scores`]: crate::Ensemble::out_of_bag_scores
///
/// # Errors
/// No scores, a score outside (0, 1], or a `share` that is not greater than 0.
pub fn conformal(out_of_bag: &[f64], share: f64) -> Result<f64, ThresholdError> {
    check(out_of_bag)?;
    if share.is_nan() || share <= 0.0 {
        return Err(ThresholdError::Share(share));
    }
    let rank = (share.min(1.0) * (out_of_bag.len() + 1) as f64).floor() as usize;
    let mut descending = out_of_bag.to_vec();
    descending.sort_unstable_by(|a, b| b.total_cmp(a));
    Ok(descending[rank.clamp(1, descending.len()) - 1])
}

/// The probability that a new row of the training rows' kind exceeds `threshold`, estimated from their n
/// out-of-bag scores: (k + 1) / (n + 1) if k scores are over it. It is never 0, since n scores show nothing
/// that happens less often; without scores it is 1.
pub fn exceedance(out_of_bag: &[f64], threshold: f64) -> f64 {
    let over = out_of_bag.iter().filter(|score| **score > threshold).count();
    (over + 1) as f64 / (out_of_bag.len() + 1) as f64
}

fn check(scores: &[f64]) -> Result<(), ThresholdError> {
    if scores.is_empty() {
        return Err(ThresholdError::NoScores);
    }
    let wrong = scores.iter().position(|score| !(*score > 0.0 && *score <= 1.0));
    wrong.map_or(Ok(()), |at| Err(ThresholdError::Score { at, score: scores[at] }))
}

#[cfg(test)]
mod tests;
