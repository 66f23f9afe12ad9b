//! `GET /verdicts`: the newest verdicts on the sensors' readings, newest first.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Map, Value, json};

use super::ApiError;
use super::limit::{Asked, within};
use crate::scoring::verdict::Verdict;
use crate::serving::state::{REMEMBERED, State};

/// The handler.
pub(super) async fn newest(state: Data<State>, asked: Asked) -> Result<HttpResponse, ApiError> {
    let limit = within(REMEMBERED, asked)?;
    let names: Vec<&str> = state.detector.sensors().map(|sensor| sensor.name).collect();
    let verdicts: Vec<Value> =
        state.verdicts(limit).iter().map(|verdict| verdict_json(&names, verdict)).collect();
    Ok(HttpResponse::Ok().json(json!({ "verdicts": verdicts })))
}

/// A verdict as JSON, sensors by name.
pub fn verdict_json(sensors: &[&str], verdict: &Verdict) -> Value {
    let by_name = |each: Vec<Value>| -> Map<String, Value> {
        sensors.iter().map(|name| (*name).to_owned()).zip(each).collect()
    };
    let judgement = &verdict.judgement;
    json!({
        "time": verdict.time,
        "values": by_name(verdict.values.iter().map(|value| json!(value)).collect()),
        "anomaly": u8::from(judgement.anomalous),
        "alarm": u8::from(verdict.alarm()),
        "score": judgement.score,
        "severity": judgement.severity,
        "contributions": by_name(judgement.contributions.iter().map(|share| json!(share)).collect()),
        "reasons": by_name(judgement.reasons.iter().map(|reason| json!(reason)).collect()),
        "model": &*judgement.model,
    })
}
