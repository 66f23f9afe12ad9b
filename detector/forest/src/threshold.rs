//! Training scores in, the cut out: a row is anomalous when its score is greater.

use thiserror::Error;

/// Why there is no cut.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ThresholdError {
    /// Nothing to cut.
    #[error("a threshold must be chosen from at least 1 score, got 0")]
    NoScores,
    /// A score that is not in (0, 1].
    #[error("score {at} (counted from 0) must be greater than 0 and at most 1, got {score}")]
    Score {
        /// Which, counted from 0.
        at: usize,
        /// What was there.
        score: f64,
    },
    /// Zero, more than half, or NaN.
    #[error("contamination must be greater than 0 and at most 0.5, got {0}")]
    Contamination(f64),
    /// Zero, negative, infinite or NaN.
    #[error("alertsPerDay must be a finite number greater than 0, got {0}")]
    Alerts(f64),
    /// Zero, negative, infinite or NaN.
    #[error("interval must be a finite number of seconds greater than 0, got {0}")]
    Interval(f64),
}

/// The cut that calls `share` of the training rows anomalous, as scikit-learn's `contamination` does, to the digit:
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

/// As `NumPy` does it: from the nearer end, so that both ends are met exactly.
fn interpolate(from: f64, to: f64, part: f64) -> f64 {
    if part < 0.5 { from + (to - from) * part } else { to - (to - from) * (1.0 - part) }
}

/// The lowest cut at which the training rows, taken every `interval_seconds` and given in that order, would have raised at
/// most `alerts` alerts a day. Neighbouring rows over the cut are one alert, as they are to the person who is called.
///
/// Training data of less than a day divides its share of a day's alerts: with less than one alert due, the cut is the
/// greatest score, which nothing in the training data exceeds.
///
/// # Errors
/// No scores, a score outside (0, 1], or an interval or a number of alerts that is not finite and positive.
pub fn alerts_per_day(scores: &[f64], interval_seconds: f64, alerts: f64) -> Result<f64, ThresholdError> {
    const SECONDS_A_DAY: f64 = 86_400.0;
    check(scores)?;
    if !(interval_seconds.is_finite() && interval_seconds > 0.0) {
        return Err(ThresholdError::Interval(interval_seconds));
    }
    if !(alerts.is_finite() && alerts > 0.0) {
        return Err(ThresholdError::Alerts(alerts));
    }
    let due = alerts * (scores.len() as f64 * interval_seconds / SECONDS_A_DAY);
    Ok(cut_with_alerts(scores, due))
}

/// Lowers the cut from score to score, strangest first, until there would be more than `due` alerts.
fn cut_with_alerts(scores: &[f64], due: f64) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let mut over = vec![false; scores.len() + 2]; // with a calm row before the first and after the last
    let mut alerts = 0i64;
    let mut lowest = scores[order[0]];
    for equal in order.chunk_by(|&a, &b| scores[a].total_cmp(&scores[b]).is_eq()) {
        let score = scores[equal[0]];
        // A cut at this score leaves it, and all below it, calm.
        if alerts as f64 <= due {
            lowest = score;
        } else {
            break;
        }
        for &at in equal {
            alerts += 1 - i64::from(over[at]) - i64::from(over[at + 2]);
            over[at + 1] = true;
        }
    }
    lowest
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
