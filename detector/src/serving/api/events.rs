//! `GET /events`: the newest events, newest first; what goes on has no end. Those with `"kind": "sensor"` are faults of sensors.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::json;

use super::error::ApiError;
use super::limit::{Asked, within};
use crate::alerting::event::REMEMBERED;
use crate::serving::state::State;

/// The handler.
pub(super) async fn newest(state: Data<State>, asked: Asked) -> Result<HttpResponse, ApiError> {
    let most = within(REMEMBERED, asked)?;
    let of_process = state.events(most).into_iter().map(|event| (event.start, json!(event)));
    let of_sensors = state.sensor_events(most).into_iter().map(|event| (event.start, json!(event)));
    let mut events: Vec<_> = of_process.chain(of_sensors).collect();
    events.sort_by_key(|(start, _)| std::cmp::Reverse(*start));
    let events: Vec<_> = events.into_iter().take(most).map(|(_, event)| event).collect();
    Ok(HttpResponse::Ok().json(json!({ "events": events })))
}
