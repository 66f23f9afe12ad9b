//! `GET /verdicts`: the newest verdicts on the sensors' readings, newest first.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Value, json};

use super::error::ApiError;
use super::limit::{Asked, within};
use crate::serving::state::{REMEMBERED, State};
use crate::serving::verdict_json::verdict_json;

/// The handler.
pub(super) async fn newest(state: Data<State>, asked: Asked) -> Result<HttpResponse, ApiError> {
    let limit = within(REMEMBERED, asked)?;
    let names: Vec<&str> = state.detector.sensors().map(|sensor| sensor.name).collect();
    let verdicts: Vec<Value> =
        state.verdicts(limit).iter().map(|verdict| verdict_json(&names, verdict)).collect();
    Ok(HttpResponse::Ok().json(json!({ "verdicts": verdicts })))
}
