//! `GET /events`: the newest events, newest first; the one that goes on has no end.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::json;

use super::error::ApiError;
use super::limit::{Asked, within};
use crate::alerting::event::REMEMBERED;
use crate::serving::state::State;

/// The handler.
pub(super) async fn newest(state: Data<State>, asked: Asked) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(json!({ "events": state.events(within(REMEMBERED, asked)?) })))
}
