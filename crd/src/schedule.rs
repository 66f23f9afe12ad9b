//! Five fields of cron and a time zone in; the times that they name out.

use cronexpr::{Crontab, FallbackTimezoneOption, ParseOptions};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use thiserror::Error;

/// Times that come again and again, on some zone's clock. Where a clock is put forward, times that it skips are left
/// out; where it is put back, times that come twice are named twice.
///
/// ```
/// use crd::schedule::Schedule;
/// let nightly = Schedule::new("0 3 * * *", None)?;
/// let noon = "2026-11-22T12:00:00Z".parse()?;
/// assert_eq!(nightly.next(noon), Some("2026-11-23T03:00:00Z".parse()?));
/// assert_eq!(
///     Schedule::new("0 25 * * *", None).unwrap_err().to_string(),
///     r#"expected five fields of cron, such as "0 3 * * *", got "0 25 * * *": value must be in range 0..=23; found 25"#
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Schedule(Crontab);

/// Why a schedule names no times.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// Not five fields of cron.
    #[error("expected five fields of cron, such as \"0 3 * * *\", got {expression:?}: {reason}")]
    Expression {
        /// What was there.
        expression: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The IANA database has no such zone.
    #[error("expected a time zone of the IANA database, such as Europe/Berlin, got {0:?}")]
    Zone(String),
}

impl Schedule {
    /// The times of an expression. Zone: a name of the IANA database, `None` for UTC.
    ///
    /// # Errors
    /// The expression is not five fields of cron, or the zone is unknown.
    pub fn new(expression: &str, zone: Option<&str>) -> Result<Self, ScheduleError> {
        Self::check(expression)?;
        let Some(zone) = zone else { return parse(expression, expression).map(Self) };
        TimeZone::get(zone).map_err(|_| ScheduleError::Zone(zone.to_owned()))?;
        parse(&format!("{expression} {zone}"), expression).map(Self)
    }

    fn check(expression: &str) -> Result<(), ScheduleError> {
        let fields = expression.split_ascii_whitespace().count();
        if fields == 5 {
            return parse(expression, expression).map(|_| ());
        }
        let reason = format!("it has {fields} fields");
        Err(ScheduleError::Expression { expression: expression.to_owned(), reason })
    }

    /// The first time after an instant; none where there is none in the calendar, as for the 30th of February.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        Some(self.0.find_next(after).ok()?.timestamp())
    }
}

fn parse(text: &str, expression: &str) -> Result<Crontab, ScheduleError> {
    let mut options = ParseOptions::default();
    options.fallback_timezone_option = FallbackTimezoneOption::UTC;
    cronexpr::parse_crontab_with(text, options).map_err(|error| ScheduleError::Expression {
        expression: expression.to_owned(),
        reason: last_line(&error.to_string()),
    })
}

/// The reason alone, of an error that also draws where.
fn last_line(error: &str) -> String {
    error.lines().last().unwrap_or_default().trim_start_matches([' ', '^']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn times_are_those_of_the_zones_clock() {
        let nightly = Schedule::new("30 2 * * *", Some("Europe/Berlin")).unwrap();
        assert_eq!(nightly.next(at("2026-11-22T12:00:00Z")), Some(at("2026-11-23T01:30:00Z")));
        assert_eq!(nightly.next(at("2026-07-01T12:00:00Z")), Some(at("2026-07-02T00:30:00Z")));
    }

    #[test]
    fn a_day_that_never_comes_has_no_next_time() {
        let never = Schedule::new("0 0 30 2 *", None).unwrap();
        assert_eq!(never.next(at("2026-11-22T12:00:00Z")), None);
    }

    #[test]
    fn what_is_no_schedule_is_refused_in_a_sentence() {
        let refused = |expression, zone| Schedule::new(expression, zone).unwrap_err().to_string();
        assert_eq!(
            refused("0 3 * *", None),
            r#"expected five fields of cron, such as "0 3 * * *", got "0 3 * *": it has 4 fields"#
        );
        assert_eq!(
            refused("0 3 * * *", Some("Mars/Olympus")),
            r#"expected a time zone of the IANA database, such as Europe/Berlin, got "Mars/Olympus""#
        );
        assert!(refused("0 3 * * * UTC", None).ends_with("it has 6 fields"));
        assert!(refused("a b c d e", None).starts_with("expected five fields of cron"));
    }
}
