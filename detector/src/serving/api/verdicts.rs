//! `GET /verdicts`: the newest verdicts on the sensors' readings, newest first: at most `?limit=`, and only
//! those after `?since=`.

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::error::ApiError;
use super::limit::{LimitQuery, within};
use crate::serving::newest_verdicts::MAX_VERDICTS;
use crate::serving::pieces;
use crate::serving::state::State;
use crate::serving::verdict_json::VerdictJson;

/// The handler.
pub(super) async fn newest(state: Data<State>, query: LimitQuery) -> Result<HttpResponse, ApiError> {
    let (most, since) = within(MAX_VERDICTS, query)?;
    let verdicts = state.verdicts(most, since);
    Ok(pieces::list("verdicts", verdicts, move |verdict, out| {
        let names: Vec<&str> = state.detector.sensors().map(|sensor| sensor.name).collect();
        serde_json::to_writer(out, &VerdictJson::new(&names, verdict))
    }))
}
