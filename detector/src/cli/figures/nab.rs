//! Windows and detections in, the points of each by the Numenta Anomaly Benchmark out.
//!
//! The rules are those of Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms" (2015), with
//! the standard profile. The first detection in each window counts, more the earlier it is, by a sigmoid. A
//! missed window costs 1. A detection outside of all windows costs at most 0.11, and less shortly after a
//! window. The score is 0 without any detection, and 100 when each window is detected at its first instant.

/// The most that a detection outside of the windows costs.
const FALSE: f64 = 0.11;

/// The points as (index, points): for each detected window at its first index, and for each detection outside
/// of the windows. `windows`: first and last index of each, disjoint and ascending. `detections`: indices,
/// ascending.
pub fn points(windows: &[(usize, usize)], detections: &[usize]) -> Vec<(usize, f64)> {
    let mut points = Vec::new();
    let mut found = vec![false; windows.len()];
    for at in detections {
        let before = windows.partition_point(|window| window.0 <= *at);
        let Some((first, last)) = before.checked_sub(1).map(|window| windows[window]) else {
            points.push((*at, -FALSE));
            continue;
        };
        let length = (last - first + 1) as f64;
        if *at > last {
            let distance = (at - last) as f64 / (length - 1.0).max(1.0);
            points.push((*at, FALSE * if distance > 3.0 { -1.0 } else { sigmoid(distance) }));
        } else if !std::mem::replace(&mut found[before - 1], true) {
            let place = -((last + 1 - at) as f64) / length;
            // A detected window has the points that it gains over a missed one.
            points.push((first, 1.0 + sigmoid(place) / sigmoid(-1.0)));
        }
    }
    points
}

/// The most points of a window.
pub const MAX_POINTS: f64 = 2.0;

/// A sigmoid that falls from 1 far below 0 to -1 far above it.
fn sigmoid(x: f64) -> f64 {
    2.0 / (1.0 + libm::exp(5.0 * x)) - 1.0
}

#[cfg(test)]
mod tests {
    use super::points;

    fn score(windows: &[(usize, usize)], detections: &[usize]) -> f64 {
        points(windows, detections).iter().map(|(_, points)| points).sum::<f64>()
            / (2.0 * windows.len() as f64)
            * 100.0
    }

    #[test]
    fn nothing_is_worth_nothing_and_each_window_at_once_all() {
        assert_eq!(points(&[(10, 19)], &[]), []);
        assert!((score(&[(10, 19), (30, 39)], &[10, 12, 30]) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn later_is_worth_less_and_outside_costs() {
        let late = score(&[(10, 19)], &[18]);
        assert!((50.0..80.0).contains(&late), "{late}");
        assert!(score(&[(10, 19)], &[3]) < 0.0);
        let (near, far) = (score(&[(10, 19)], &[20]), score(&[(10, 19)], &[200]));
        assert!(far < near && near < 0.0 && (far + 5.5).abs() < 1e-9, "{near} {far}");
    }
}
