//! Five fields of cron and a time zone in; the times that they name out.

use cronexpr::{Crontab, FallbackTimezoneOption, ParseOptions};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Value, json};
use thiserror::Error;

use crate::names::schema;

/// Recurring times on the clock of a time zone. Where the clock is put forward, the skipped times are left
/// out; where it is put back, the repeated times occur twice.
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

/// Why a schedule is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// The expression is not five fields of cron.
    #[error("expected five fields of cron, such as \"0 3 * * *\", got {expression:?}: {reason}")]
    Expression {
        /// The refused expression.
        expression: String,
        /// Why it is refused.
        reason: String,
    },
    /// The expression names only days that do not exist, such as 30 February.
    #[error("expected a day that exists, got {0:?}: no such month has that day")]
    Never(String),
    /// The IANA database has no such zone.
    #[error("expected a time zone of the IANA database, such as Europe/Berlin, got {0:?}")]
    Zone(String),
}

impl Schedule {
    /// Parse an expression. `zone` is a name of the IANA database, `None` for UTC.
    ///
    /// # Errors
    /// The expression is not five fields of cron or never occurs, or the zone is unknown.
    pub fn new(expression: &str, zone: Option<&str>) -> Result<Self, ScheduleError> {
        Self::check(expression)?;
        let Some(zone) = zone else { return Self::coming(parse(expression, expression)?, expression) };
        // Upper and lower case must be as in the database: the API server's lookup of zones is
        // case-sensitive.
        let known = TimeZone::get(zone).is_ok_and(|known| known.iana_name() == Some(zone));
        if !known {
            return Err(ScheduleError::Zone(zone.to_owned()));
        }
        Self::coming(parse(&format!("{expression} {zone}"), expression)?, expression)
    }

    /// Return the schedule, or an error where it never occurs.
    fn coming(times: Crontab, expression: &str) -> Result<Self, ScheduleError> {
        let schedule = Self(times);
        match schedule.next(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err(ScheduleError::Never(expression.to_owned())),
        }
    }

    fn check(expression: &str) -> Result<(), ScheduleError> {
        let fields = expression.split_ascii_whitespace().count();
        if fields == 5 {
            return parse(expression, expression).map(|_| ());
        }
        let reason = format!("it has {fields} fields");
        Err(ScheduleError::Expression { expression: expression.to_owned(), reason })
    }

    /// The first time after an instant; none where no such time can be represented.
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

/// The schema of an expression: the checks of [`Schedule::new`] as a pattern and CEL rules.
pub(crate) fn expression_schema(_: &mut SchemaGenerator) -> Schema {
    schema(expression_rules())
}

/// The schema of an expression that may be left out.
pub(crate) fn optional_expression_schema(_: &mut SchemaGenerator) -> Schema {
    let mut rules = expression_rules();
    rules["nullable"] = json!(true);
    schema(rules)
}

fn expression_rules() -> Value {
    const MONTHS: &str = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC";
    const DAYS: &str = "SUN|MON|TUE|WED|THU|FRI|SAT";
    let list = |item: String| format!("({item})(,({item}))*");
    let numbers = |number: &str, step: &str| list(format!(r"(\\*|({number})(-({number}))?)(/0*({step}))?"));
    let named = |number: &str, name: &str, step: &str| {
        list(format!(r"\\*(/0*({step}))?|({number})(-({number}))?|({name})(-({name}))?"))
    };
    let fields = [
        numbers("[0-5]?[0-9]", "[1-9]|[1-5][0-9]"),
        numbers("[01]?[0-9]|2[0-3]", "[1-9]|1[0-9]|2[0-3]"),
        numbers("0?[1-9]|[12][0-9]|3[01]", "[1-9]|[12][0-9]|3[01]"),
        named("0?[1-9]|1[0-2]", MONTHS, "[1-9]|1[0-2]"),
        named("0?[0-7]", DAYS, "[1-7]"),
    ];
    let never = |days: &str, months: &str| {
        let day = list(format!("{days}(-{days})?(/[0-9]+)?"));
        let month = list(format!("({months})(-({months}))?"));
        format!("!self.matches('(?i)^[^ ]+ +[^ ]+ +{day} +{month} +[*][^ ]*$')")
    };
    json!({
        "type": "string",
        "maxLength": 128,
        "pattern": r"^\S+( +\S+){4}$",
        "x-kubernetes-validations": [
            {
                "rule": format!("self.matches('(?i)^{}$')", fields.join(" +")),
                "message": "must be five fields of cron, such as \"0 3 * * *\": lists of numbers, ranges, * and steps; names of months and days; steps of months and days of the week after * only",
            },
            {
                "rule": "self.findAll('[0-9]+-[0-9]+').all(range, int(range.split('-')[0]) <= int(range.split('-')[1]))",
                "message": "must have no range that ends before it starts",
            },
            {
                "rule": "self.upperAscii().findAll('[A-Z]{3}-[A-Z]{3}').all(range, 'JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDECSUNMONTUEWEDTHUFRISAT'.indexOf(range.split('-')[0]) <= 'JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDECSUNMONTUEWEDTHUFRISAT'.indexOf(range.split('-')[1]))",
                "message": "must have no range that ends before it starts",
            },
            {
                "rule": format!("{} && {}", never("3[01]", "0?2|FEB"), never("31", "0?[2469]|11|FEB|APR|JUN|SEP|NOV")),
                "message": "must name a day that exists",
            },
        ],
    })
}

/// The schema of a time zone that may be left out. Only the API server can check by CEL that the database has
/// the zone.
pub(crate) fn optional_zone_schema(_: &mut SchemaGenerator) -> Schema {
    schema(json!({
        "type": "string",
        "nullable": true,
        "maxLength": 64,
        "pattern": r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$",
        "x-kubernetes-validations": [{
            "rule": "self != 'Local' && timestamp('2026-01-01T00:00:00Z').getHours(self) >= 0",
            "message": "must be a time zone of the IANA database, such as Europe/Berlin",
        }],
    }))
}

/// Return the last line of a parser's error, its reason; the lines before it show the position.
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
    fn a_day_that_never_comes_is_refused() {
        for never in ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 30-31 FEB *"] {
            assert_eq!(Schedule::new(never, None).unwrap_err(), ScheduleError::Never(never.to_owned()));
        }
        let leap_day = Schedule::new("0 0 29 2 *", None).unwrap();
        assert_eq!(leap_day.next(at("2026-11-22T12:00:00Z")), Some(at("2028-02-29T00:00:00Z")));
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
