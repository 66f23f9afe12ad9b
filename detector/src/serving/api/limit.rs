//! The query `?limit=` in; how many of the newest are wanted out.

use actix_web::web::Query;
use serde::Deserialize;

use super::error::ApiError;

/// How many are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limit {
    #[serde(default = "hundred")]
    limit: usize,
}

/// The query, or what actix makes of one that is none.
pub(super) type Asked = Result<Query<Limit>, actix_web::Error>;

fn hundred() -> usize {
    100
}

/// 1 to `most`; 100 where nothing is said.
pub(super) fn within(most: usize, asked: Asked) -> Result<usize, ApiError> {
    let limit = asked.ok().map(|asked| asked.limit).filter(|limit| (1..=most).contains(limit));
    limit.ok_or_else(|| ApiError::Malformed(format!("expected ?limit= of 1 to {most}, or nothing")))
}
