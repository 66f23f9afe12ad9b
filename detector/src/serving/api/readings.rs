//! `POST /readings`: readings that other programs push in; nothing out, or the verdicts on them with `?verdicts=true`.

use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Bytes, Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::ApiError;
use crate::ingest::source::Batch;
use crate::ingest::sources::http::json::{Items, items};
use crate::ingest::sources::http::{Inlet, PushError, Unauthorized};
use crate::serving::state::{Judged, State};
use crate::serving::verdict_json::verdict_json;

/// How many refused items are named in an answer.
const MOST_NAMED: usize = 20;
/// How long a request waits for its verdicts after the last one, or two intervals.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the answer is to be.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    /// The verdicts on what is pushed.
    #[serde(default)]
    verdicts: bool,
}

/// The handler.
pub(super) async fn push(
    state: Data<State>,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Result<HttpResponse, ApiError> {
    let options = Query::<Options>::from_query(request.query_string())
        .map_err(|error| ApiError::Malformed(format!("expected ?verdicts=true or nothing: {error}")))?;
    let inlet = admitted(&state, &request)?;
    let body = body.map_err(|error| match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => ApiError::TooLarge,
        _ => ApiError::Malformed(format!("the body could not be read: {error}")),
    })?;
    let items = items(&body, inlet, Timestamp::now()).map_err(|why| {
        inlet.refuse(&why);
        ApiError::Malformed(why)
    })?;
    let judged = state.judged();
    let times = items.readings.iter().map(|reading| reading.time);
    let span = times.clone().min().zip(times.max());
    let count = items.readings.len();
    let Items { readings, refused } = items;
    inlet.push(Batch { readings, ..Batch::default() }).map_err(|error| not_taken(&error))?;
    for (_, why) in &refused {
        inlet.refuse(why);
    }
    if !refused.is_empty() {
        return Err(ApiError::Items { accepted: count, refused: named(&refused) });
    }
    match span.filter(|_| options.verdicts) {
        None => Ok(HttpResponse::NoContent().finish()),
        Some((first, last)) => Ok(HttpResponse::Ok().json(verdicts(&state, judged, first, last).await)),
    }
}

/// The inlet, for whoever may push.
fn admitted<'a>(state: &'a State, request: &HttpRequest) -> Result<&'a Inlet, ApiError> {
    let inlet = state.inlet().ok_or_else(|| {
        let has_source = state.detector.sources().iter().any(|source| source.kind.is_pushed_to());
        if has_source { not_taken(&PushError::Closed) } else { ApiError::NoInlet }
    })?;
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    inlet.authorize(header).map_err(|error| match error {
        Unauthorized::Token => ApiError::Unauthorized(error.to_string()),
        Unauthorized::Unreadable(_) => ApiError::NotReady(error.to_string()),
    })?;
    Ok(inlet)
}

fn not_taken(error: &PushError) -> ApiError {
    match error {
        PushError::Full => ApiError::TooMany(error.to_string()),
        PushError::Closed => ApiError::NotReady(error.to_string()),
    }
}

fn named(refused: &[(usize, String)]) -> Vec<Value> {
    refused.iter().take(MOST_NAMED).map(|(item, why)| json!({ "item": item, "error": why })).collect()
}

/// The verdicts on the instants of a span, oldest first, as they are made; those that are not made in time are left out.
async fn verdicts(state: &State, mut judged: Receiver<Judged>, first: Timestamp, last: Timestamp) -> Value {
    if state.scorer().is_none() {
        return json!({ "verdicts": [], "message": state.why_no_model() });
    }
    let patience = PATIENCE.max(Duration::from(state.detector.spec().interval) * 2);
    let sensors: Vec<&str> = state.detector.sensors().map(|sensor| sensor.name).collect();
    let mut verdicts = Vec::new();
    loop {
        match tokio::time::timeout(patience, judged.recv()).await {
            Ok(Ok(Judged { time, verdict })) => {
                verdicts.extend(
                    verdict.filter(|_| time >= first).map(|verdict| verdict_json(&sensors, &verdict)),
                );
                if time >= last {
                    break;
                }
            }
            Ok(Err(RecvError::Lagged(_))) => {}
            Ok(Err(RecvError::Closed)) | Err(_) => break,
        }
    }
    json!({ "verdicts": verdicts })
}
