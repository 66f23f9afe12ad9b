//! `POST /readings`: readings that other programs push in; nothing, the number of readings that came too
//! late, or the verdicts with `?verdicts=true` out.

use std::time::Duration;

use actix_web::web::{Data, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::ApiError;
use super::push::{admitted, apart, decompressed, encoding, take};
use crate::ingest::sources::http::json::items;
use crate::serving::body;
use crate::serving::state::{Judged, State};
use crate::serving::verdict_json::verdict_json;
use crate::wall_clock;

/// The largest request body: larger batches must be split into several requests.
const MAX_BYTES: usize = 2 << 20;
/// How long a request waits for its next verdict; two intervals if that is longer.
const PATIENCE: Duration = Duration::from_secs(3);

/// The options of a request.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Whether the answer has the verdicts on the pushed readings.
    #[serde(default)]
    verdicts: bool,
}

/// The handler.
pub(super) async fn push(
    state: Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let options = Query::<Options>::from_query(request.query_string())
        .map_err(|error| ApiError::Malformed(format!("expected ?verdicts=true or nothing: {error}")))?;
    let inlet = admitted(&state, &request)?.clone();
    let body = body::read(&request, payload, &state.budget, MAX_BYTES).await?;
    let judged = state.judged();
    let encoding = encoding(&request);
    let (receipt, span) = apart(&state, body, &encoding.clone(), move |body| {
        let body = decompressed(&encoding, body, MAX_BYTES)?;
        let items = items(&body.bytes, &inlet, wall_clock::now());
        let times = items.iter().flat_map(|items| items.readings.iter().map(|reading| reading.time));
        let span = times.clone().min().zip(times.max());
        Ok((take(&inlet, items)?.unless_refused()?, span))
    })
    .await?;
    let mut answer = match span.filter(|_| options.verdicts) {
        Some((first, last)) if receipt.accepted > 0 => verdicts(&state, judged, first, last).await,
        Some(_) => json!({ "verdicts": [] }),
        None if receipt.late == 0 => return Ok(HttpResponse::NoContent().finish()),
        None => json!({}),
    };
    if let Some(dropped) = receipt.dropped() {
        answer["accepted"] = json!(receipt.accepted);
        answer["dropped"] = json!(receipt.late);
        answer["message"] = json!(dropped);
    }
    Ok(HttpResponse::Ok().json(answer))
}

/// Wait for the verdicts on the instants of a span, oldest first. Verdicts that are not made in time are left
/// out.
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
