//! The query `?limit=` and `?since=` in; how many of the newest items are requested, and after which time,
//! out.

use actix_web::web::Query;
use jiff::Timestamp;
use serde::Deserialize;

use super::error::ApiError;
use crate::excerpt::{MAX_EXCERPT, excerpt};

/// The query, not checked yet.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limit {
    #[serde(default = "hundred")]
    limit: usize,
    since: Option<String>,
}

/// The query, or actix's error if it is not valid.
pub(super) type LimitQuery = Result<Query<Limit>, actix_web::Error>;

fn hundred() -> usize {
    100
}

/// The number of newest items, 1 to `most`, by default 100; and the time after which they must be, by default
/// any.
pub(super) fn within(most: usize, query: LimitQuery) -> Result<(usize, Timestamp), ApiError> {
    let query = query.ok().filter(|query| (1..=most).contains(&query.limit));
    let query =
        query.ok_or_else(|| ApiError::Malformed(format!("expected ?limit= of 1 to {most}, or nothing")))?;
    let since = query.since.as_deref().map_or(Ok(Timestamp::MIN), |since| time("since", since))?;
    Ok((query.limit, since))
}

/// Read a time in RFC 3339, or in seconds since 1970. Errors name `field`.
pub(super) fn time(field: &str, text: &str) -> Result<Timestamp, ApiError> {
    let seconds = || text.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    text.parse().ok().or_else(seconds).ok_or_else(|| {
        let got = excerpt(text, MAX_EXCERPT);
        ApiError::Malformed(format!(
            "{field}: expected a time such as 2026-01-31T12:00:00Z, or seconds since 1970, got {got}"
        ))
    })
}
