//! The spec's mute windows in; whether an instant is in one of them, and in which, out.

use std::time::Duration;

use crd::mute_window::MuteWindow;
use crd::schedule::Schedule;
use jiff::Timestamp;

/// The windows in which no alarm is raised.
#[derive(Clone, Debug)]
pub struct MuteWindows(Vec<Window>);

#[derive(Clone, Debug)]
struct Window {
    opens: Schedule,
    stays_open: Duration,
}

impl MuteWindows {
    /// The windows of a spec.
    pub fn new(spec: &[MuteWindow]) -> Self {
        let window = |window: &MuteWindow| Window {
            opens: Schedule::new(&window.schedule, window.time_zone.as_deref())
                .expect("a rule of the spec: a schedule and a zone that exist"),
            stays_open: window.duration.into(),
        };
        Self(spec.iter().map(window).collect())
    }

    /// The first window, counted from 0 in the spec's order, that is open at this instant. A window includes
    /// the instant at which it opens, and excludes the one at which it closes.
    pub fn open_at(&self, instant: Timestamp) -> Option<usize> {
        self.0.iter().position(|window| window.is_open_at(instant))
    }
}

impl Window {
    /// Whether the window opened less than `stays_open` ago, so that it has not closed yet.
    fn is_open_at(&self, instant: Timestamp) -> bool {
        let Ok(closed) = instant.checked_sub(self.stays_open) else { return false };
        self.opens.next(closed).is_some_and(|opening| opening <= instant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(list: &[(&str, &str, Option<&str>)]) -> MuteWindows {
        let window = |(schedule, duration, zone): &(&str, &str, Option<&str>)| MuteWindow {
            schedule: (*schedule).to_owned(),
            duration: duration.parse().unwrap(),
            time_zone: zone.map(str::to_owned),
            reason: "maintenance".to_owned(),
        };
        MuteWindows::new(&list.iter().map(window).collect::<Vec<_>>())
    }

    fn open(windows: &MuteWindows, instant: &str) -> Option<usize> {
        windows.open_at(instant.parse().unwrap())
    }

    /// 2026-11-22 is a Sunday.
    #[test]
    fn a_window_is_open_from_its_opening_until_just_before_its_end() {
        let sundays = windows(&[("0 2 * * 0", "2h", None)]);
        for (instant, expected) in [
            ("2026-11-22T01:59:59.999Z", None),
            ("2026-11-22T02:00:00Z", Some(0)),
            ("2026-11-22T03:59:59.999Z", Some(0)),
            ("2026-11-22T04:00:00Z", None),
            ("2026-11-23T02:30:00Z", None),
        ] {
            assert_eq!(open(&sundays, instant), expected, "{instant}");
        }
    }

    #[test]
    fn a_window_keeps_the_time_of_its_zone_in_summer_and_in_winter() {
        let nightly = windows(&[("0 2 * * *", "1h", Some("America/New_York"))]);
        assert_eq!(open(&nightly, "2026-11-22T07:30:00Z"), Some(0));
        assert_eq!(open(&nightly, "2026-07-22T07:30:00Z"), None);
        assert_eq!(open(&nightly, "2026-07-22T06:30:00Z"), Some(0));
    }

    #[test]
    fn of_windows_that_overlap_or_outlast_their_next_opening_the_first_counts() {
        let both = windows(&[("30 * * * *", "10m", None), ("0 * * * *", "90m", None)]);
        assert_eq!(open(&both, "2026-11-22T12:35:00Z"), Some(0));
        assert_eq!(open(&both, "2026-11-22T12:45:00Z"), Some(1));
    }

    #[test]
    fn without_windows_it_is_never_muted() {
        assert_eq!(open(&windows(&[]), "2026-11-22T12:00:00Z"), None);
    }
}
