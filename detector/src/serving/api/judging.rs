//! A prediction request in, whichever protocol it speaks; its answer out, within the bounds of memory and time of all requests.
//!
//! What is small is answered where it arrives. What is large or compressed is read, judged and answered in the lane of
//! batches, piece by piece as the client takes it.

use std::sync::Arc;
use std::time::Instant;

use actix_web::http::header::HeaderValue;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use futures::future::LocalBoxFuture;

use super::answer::{AT_ONCE, Answer, Started, whole};
use super::error::ApiError;
use super::judgement_json::{Detailed, bare};
use super::push::{decompressed, encoding, is_plain};
use crate::model::judge::Unjudgeable;
use crate::scoring::scorer::Scorer;
use crate::serving::body::{self, Body, SMALL};
use crate::serving::budget::Held;
use crate::serving::metrics::Protocol;
use crate::serving::state::State;

/// The largest request body, also when it is decompressed: batches beyond it belong into several requests.
pub(super) const MAX_BYTES: usize = 2 << 20;
/// The most rows of a request; a body that is all rows of one digit has about as many.
pub(super) const MAX_ROWS: usize = 600_000;
/// The most rows of a request that are explained: that costs ten times as much.
pub(super) const MAX_EXPLAINED: usize = 50_000;

/// Made once: a header's value is checked byte by byte.
static JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What a request asks for.
pub(super) enum Asked {
    /// The judgement of these values as the reading that follows those that the detector has seen.
    Next {
        /// A value a sensor.
        values: Vec<f64>,
        /// Whether it is explained.
        detail: bool,
    },
    /// More than that.
    Answer(Box<dyn Answer>),
}

/// The response to a prediction that began then; it is counted. (The future that makes the answer is no argument: it would lie in memory
/// twice, and be moved.)
pub(super) fn counted(
    state: &State,
    protocol: Protocol,
    began: Instant,
    answer: Result<HttpResponse, ApiError>,
) -> HttpResponse {
    let response = answer.unwrap_or_else(|error| error.error_response());
    state.metrics.prediction(protocol, response.status().as_u16(), began.elapsed());
    response
}

/// Read the body, ask `read` what it asks for, and answer that. Where the body is large, `read` holds what the numbers of
/// JSON can need at most; of what it needs beyond, it asks [`Held`].
pub(super) async fn judged(
    state: &State,
    request: &HttpRequest,
    payload: Payload,
    read: impl FnOnce(&Arc<Scorer>, &[u8], &mut Held) -> Result<Asked, ApiError> + Send + 'static,
) -> Result<HttpResponse, ApiError> {
    let body = body::read(request, payload, &state.budget, MAX_BYTES).await?;
    judged_body(state, encoding(request), body, read)?.response().await
}

/// The answer on a body.
pub(super) enum Judged<'a> {
    /// What is small is answered where it arrives.
    Now(HttpResponse),
    /// What is not takes a while.
    Later(LocalBoxFuture<'a, Result<HttpResponse, ApiError>>),
}

impl Judged<'_> {
    /// The response, when it is there.
    pub(super) async fn response(self) -> Result<HttpResponse, ApiError> {
        match self {
            Self::Now(response) => Ok(response),
            Self::Later(response) => response.await,
        }
    }
}

/// As [`judged`] of a body that was read, and is compressed so.
pub(super) fn judged_body(
    state: &State,
    encoding: String,
    body: Body,
    read: impl FnOnce(&Arc<Scorer>, &[u8], &mut Held) -> Result<Asked, ApiError> + Send + 'static,
) -> Result<Judged<'_>, ApiError> {
    if body.bytes.len() > SMALL || !is_plain(&encoding) {
        return Ok(Judged::Later(Box::pin(large(state, encoding, body, read))));
    }
    let scorer = state.current_scorer();
    let scorer = scorer.as_ref().ok_or_else(|| ApiError::NotReady(state.why_no_model()))?;
    let Body { bytes, mut held } = body;
    Ok(match read(scorer, &bytes, &mut held)? {
        Asked::Next { values, detail } => Judged::Now(next(scorer, &values, detail)?),
        Asked::Answer(answer) if answer.is_short() => Judged::Now(whole(answer)),
        Asked::Answer(answer) => Judged::Later(Box::pin(long(state, answer, held))),
    })
}

/// A long answer to a short body.
async fn long(state: &State, answer: Box<dyn Answer>, mut held: Held) -> Result<HttpResponse, ApiError> {
    let batch = state.batches.begin()?;
    held.grow(answer.bytes() + AT_ONCE)?;
    let started = batch.work(move || Started::new(answer)).await?;
    Ok(started.response(batch, held))
}

/// A body that takes a while to read.
async fn large(
    state: &State,
    encoding: String,
    body: Body,
    read: impl FnOnce(&Arc<Scorer>, &[u8], &mut Held) -> Result<Asked, ApiError> + Send + 'static,
) -> Result<HttpResponse, ApiError> {
    let scorer = state.scorer().ok_or_else(|| ApiError::NotReady(state.why_no_model()))?;
    let batch = state.batches.begin()?;
    let judge = scorer.clone();
    let asked = batch.work(move || {
        let Body { bytes, mut held } = decompressed(&encoding, body, MAX_BYTES)?;
        // Two characters make a number at best. What is not needed is given back.
        held.grow(bytes.len() / 2 * size_of::<f64>())?;
        let started = match read(&scorer, &bytes, &mut held)? {
            Asked::Next { values, detail } => Err((values, detail)),
            Asked::Answer(answer) => {
                drop(bytes);
                held.hold(answer.bytes() + AT_ONCE)?;
                Ok(Started::new(answer))
            }
        };
        Ok::<_, ApiError>((started, held))
    });
    match asked.await?? {
        (Err((values, detail)), _) => next(&judge, &values, detail),
        (Ok(started), held) => Ok(started.response(batch, held)),
    }
}

/// Judge values as the reading that follows those that the detector has seen.
fn next(scorer: &Scorer, values: &[f64], detail: bool) -> Result<HttpResponse, ApiError> {
    let too_early =
        || ApiError::NotReady("the model looks back on readings that have not come yet".to_owned());
    let refused = |Unjudgeable(value)| {
        let why = format!("too far from the readings before to be judged: {value}");
        ApiError::Unprocessable("value".to_owned(), why)
    };
    let threshold = scorer.threshold();
    if detail {
        let judgement = scorer.judge_next(values).ok_or_else(too_early)?.map_err(refused)?;
        return Ok(HttpResponse::Ok().json(Detailed::new(scorer.model().sensors(), threshold, &judgement)));
    }
    let score = scorer.score_next(values).ok_or_else(too_early)?.map_err(refused)?;
    Ok(HttpResponse::Ok().content_type(JSON.clone()).body(bare(score > threshold)))
}
