//! `POST /predict`: one value, the values of all sensors, or whole rows in; 0 or 1 out, more with `?detail=true`.
//!
//! What is small is answered where it arrives. What is large is read, judged and answered in the lane of batches, piece by
//! piece as the client takes it.

use std::sync::Arc;
use std::time::Instant;

use actix_web::web::{Data, Payload, Query};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde::Deserialize;

use super::batch_answer::{BatchAnswer, Rows};
use super::error::ApiError;
use super::expected::Expected;
use super::judgement_json::{Bare, Detailed};
use super::question::Question;
use crate::model::model::{Explain, Unjudgeable};
use crate::scoring::scorer::Scorer;
use crate::serving::body::{self, Body, SMALL};
use crate::serving::metrics::Protocol;
use crate::serving::state::State;

/// The largest request body: batches beyond it belong into several requests.
const MAX_BYTES: usize = 2 << 20;
/// The most rows of a request; a body that is all rows of one digit has about as many.
const MAX_ROWS: usize = 600_000;
/// The most rows of a request that are explained: that costs ten times as much.
const MAX_EXPLAINED: usize = 50_000;
/// So many rows are judged where they arrive.
const FEW_ROWS: usize = 100;
const FEW_EXPLAINED: usize = 10;

/// How much of an answer is wanted.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// Score, severity, threshold, contributions, reasons and model beside the verdict.
    #[serde(default)]
    pub(super) detail: bool,
}

/// The handler: time it, count it, answer it.
pub(super) async fn predict(state: Data<State>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let began = Instant::now();
    let answer = answer(&state, &request, payload).await;
    let response = answer.unwrap_or_else(|error| error.error_response());
    state.metrics.prediction(Protocol::Predict, response.status().as_u16(), began.elapsed());
    response
}

async fn answer(state: &State, request: &HttpRequest, payload: Payload) -> Result<HttpResponse, ApiError> {
    let options = Query::<Options>::from_query(request.query_string())
        .map_err(|_| ApiError::Malformed("expected ?detail=true or nothing".to_owned()))?
        .into_inner();
    let body = body::read(request, payload, &state.budget, MAX_BYTES).await?;
    let scorer = state.scorer().ok_or_else(|| ApiError::NotReady(state.why_no_model()))?;
    if body.bytes.len() > SMALL {
        return large(state, scorer, options, body).await;
    }
    match question(&scorer, options, &body.bytes)? {
        Question::Next(values) => next(&scorer, options, &values),
        Question::Rows(cells) => {
            let few = if options.detail { FEW_EXPLAINED } else { FEW_ROWS };
            let rows = Rows::new(scorer, options.detail, cells)?;
            if rows.len() <= few {
                return Ok(json(rows.whole()));
            }
            let batch = state.batches.begin()?;
            let mut held = body.held;
            held.grow(rows.bytes())?;
            Ok(BatchAnswer::new(batch, rows, held).response())
        }
    }
}

/// A body that takes a while to read.
async fn large(
    state: &State,
    scorer: Arc<Scorer>,
    options: Options,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let batch = state.batches.begin()?;
    let Body { bytes, mut held } = body;
    // Two characters make a number at best. What is not needed is given back.
    let length = bytes.len();
    held.grow(length / 2 * size_of::<f64>())?;
    let read = batch.work(move || match question(&scorer, options, &bytes)? {
        Question::Next(values) => Ok(Err((scorer, values))),
        Question::Rows(cells) => Rows::new(scorer, options.detail, cells).map(Ok),
    });
    match read.await?? {
        Err((scorer, values)) => next(&scorer, options, &values),
        Ok(rows) => {
            held.shrink_to(rows.bytes());
            Ok(BatchAnswer::new(batch, rows, held).response())
        }
    }
}

fn question(scorer: &Scorer, options: Options, body: &[u8]) -> Result<Question, ApiError> {
    let model = scorer.model();
    let most_rows = if options.detail { MAX_EXPLAINED } else { MAX_ROWS };
    Expected { sensors: model.sensors(), columns: model.columns(), most_rows }.question(body)
}

/// Judge values as the reading that follows those that the detector has seen.
fn next(scorer: &Scorer, options: Options, values: &[f64]) -> Result<HttpResponse, ApiError> {
    let explain = if options.detail { Explain::Always } else { Explain::Never };
    let judgement = scorer.judge_next(values, explain).ok_or_else(|| {
        ApiError::NotReady("the model looks back on readings that have not come yet".to_owned())
    })?;
    let judgement = judgement.map_err(|Unjudgeable(value)| {
        ApiError::Unprocessable(
            "value".to_owned(),
            format!("too far from the readings before to be judged: {value}"),
        )
    })?;
    Ok(if options.detail {
        HttpResponse::Ok().json(Detailed::new(scorer.model().sensors(), scorer.threshold(), &judgement))
    } else {
        HttpResponse::Ok().json(Bare::new(judgement.anomalous))
    })
}

fn json(body: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(body)
}
