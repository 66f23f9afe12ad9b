//! `GET /history`: the readings and severities of the last 24 hours, oldest first, and only those after
//! `?since=`.

use actix_web::HttpResponse;
use actix_web::web::{Data, Query};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::error::ApiError;
use super::limit::time;
use crate::serving::pieces;
use crate::serving::state::State;

/// The query of a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Since {
    since: Option<String>,
}

/// The handler: `{"columns":["time","severity",SENSOR,…],"rows":[[1764212400,0.31,61.2],…]}`. Times are seconds since 1970.
pub(super) async fn past(
    state: Data<State>,
    query: Result<Query<Since>, actix_web::Error>,
) -> Result<HttpResponse, ApiError> {
    let query = query.map_err(|_| ApiError::Malformed("expected ?since= or nothing".to_owned()))?;
    let since = query.since.as_deref().map_or(Ok(Timestamp::MIN), |since| time("since", since))?;
    let (width, chunks) = state.history(since);
    let sensors = state.detector.sensors().map(|sensor| sensor.name);
    let columns: Vec<&str> = ["time", "severity"].into_iter().chain(sensors).collect();
    let before = format!("{{\"columns\":{},\"rows\":[", json!(columns));
    Ok(pieces::list_after(before, chunks, move |chunk, out| {
        chunk.write(since, width, out).map_err(serde_json::Error::io)
    }))
}
