use super::*;

/// `-numpy.percentile(-scores, 100 * share)`, computed with `NumPy`.
#[test]
fn contamination_is_numpys_percentile_to_the_digit() {
    let scores = [0.31, 0.72, 0.45, 0.5, 0.66, 0.41, 0.39];
    for (share, cut) in NUMPY {
        assert_eq!(contamination(&scores, share).unwrap().to_bits(), cut.to_bits(), "share {share}");
    }
}

const NUMPY: [(f64, f64); 4] =
    [(0.01, 0.716_399_999_999_999_9), (0.1, 0.684), (0.25, 0.580_000_000_000_000_1), (0.5, 0.45)];

#[test]
fn one_score_is_its_own_cut() {
    assert_eq!(contamination(&[0.4], 0.5), Ok(0.4));
    assert_eq!(alerts_per_day(&[0.4], 60.0, 2.0), Ok(0.4));
}

#[test]
fn neighbouring_rows_over_the_cut_are_one_alert() {
    let scores = [0.4, 0.9, 0.8, 0.4, 0.7, 0.4];
    let six_a_day = 14_400.0;
    assert_eq!(alerts_per_day(&scores, six_a_day, 1.0), Ok(0.7));
    assert_eq!(alerts_per_day(&scores, six_a_day, 2.0), Ok(0.4));
    assert_eq!(alerts_per_day(&scores, six_a_day, 0.5), Ok(0.9));
}

#[test]
fn equal_scores_raise_their_alerts_together() {
    let scores = [0.9, 0.4, 0.9, 0.4];
    assert_eq!(alerts_per_day(&scores, 21_600.0, 1.0), Ok(0.9));
}

#[test]
fn what_cannot_be_cut_is_refused() {
    let message = |result: Result<f64, ThresholdError>| result.unwrap_err().to_string();
    assert_eq!(message(contamination(&[], 0.1)), "a threshold must be chosen from at least 1 score, got 0");
    assert_eq!(
        message(contamination(&[0.5, f64::NAN], 0.1)),
        "score 1 (counted from 0) must be greater than 0 and at most 1, got NaN"
    );
    for share in [0.0, 0.51, f64::NAN] {
        let expected = format!("contamination must be greater than 0 and at most 0.5, got {share}");
        assert_eq!(message(contamination(&[0.5], share)), expected);
    }
    for (interval, alerts) in [(0.0, 1.0), (f64::INFINITY, 1.0)] {
        let expected = format!("interval must be a finite number of seconds greater than 0, got {interval}");
        assert_eq!(message(alerts_per_day(&[0.5], interval, alerts)), expected);
    }
    let negative = message(alerts_per_day(&[0.5], 1.0, -1.0));
    assert_eq!(negative, "alertsPerDay must be a finite number greater than 0, got -1");
}
