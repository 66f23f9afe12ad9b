//! A prediction request of any protocol in; its answer out, within the memory and time limits of all
//! requests.
//!
//! Small requests are answered on the thread that received them. Large or compressed ones are read, judged
//! and answered in the batch pool, piece by piece as the client reads.

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
use crate::model::judge::InvalidValue;
use crate::scoring::scorer::Scorer;
use crate::serving::body::{self, Body, SMALL};
use crate::serving::budget::Held;
use crate::serving::metrics::Protocol;
use crate::serving::state::State;

/// The largest request body, also when it is decompressed: larger batches must be split into several
/// requests.
pub(super) const MAX_BYTES: usize = 2 << 20;
/// The most rows of a request; the largest body, with rows of one digit, has about as many.
pub(super) const MAX_ROWS: usize = 600_000;
/// The most rows of a request that are explained: that costs ten times as much.
pub(super) const MAX_EXPLAINED: usize = 50_000;

/// Made once, because the value of a header is checked byte by byte.
static JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The content of a request.
pub(super) enum Asked {
    /// Judge these values as the reading that follows the newest one of the detector.
    Next {
        /// One value per sensor.
        values: Vec<f64>,
        /// Whether the judgement is explained.
        detail: bool,
    },
    /// Any other prediction, by its answer.
    Answer(Box<dyn Answer>),
}

/// Turn the answer to a prediction into a response, and count it with its duration since `began`. (The
/// argument is not the future that makes the answer: it would be moved, and lie in memory twice.)
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

/// Read the body, parse it by `read`, and answer the request. If the body is large, the memory that the
/// numbers of its JSON can need at most is already held; for more, `read` must grow [`Held`].
pub(super) async fn judged(
    state: &State,
    request: &HttpRequest,
    payload: Payload,
    read: impl FnOnce(&Arc<Scorer>, &[u8], &mut Held) -> Result<Asked, ApiError> + Send + 'static,
) -> Result<HttpResponse, ApiError> {
    let body = body::read(request, payload, &state.budget, MAX_BYTES).await?;
    judged_body(state, encoding(request), body, read)?.response().await
}

/// The answer to a request whose body was read.
pub(super) enum Judged<'a> {
    /// The response to a small request.
    Now(HttpResponse),
    /// The future response to a large one.
    Later(LocalBoxFuture<'a, Result<HttpResponse, ApiError>>),
}

impl Judged<'_> {
    /// Wait for the response.
    pub(super) async fn response(self) -> Result<HttpResponse, ApiError> {
        match self {
            Self::Now(response) => Ok(response),
            Self::Later(response) => response.await,
        }
    }
}

/// Do the same as [`judged`], for a body that was already read and has this Content-Encoding.
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

/// The answer to a body that is large or compressed.
async fn large(
    state: &State,
    encoding: String,
    body: Body,
    read: impl FnOnce(&Arc<Scorer>, &[u8], &mut Held) -> Result<Asked, ApiError> + Send + 'static,
) -> Result<HttpResponse, ApiError> {
    let scorer = state.scorer().ok_or_else(|| ApiError::NotReady(state.why_no_model()))?;
    let batch = state.batches.begin()?;
    let judge = scorer.clone();
    let work = batch.work(move || {
        let Body { bytes, mut held } = decompressed(&encoding, body, MAX_BYTES)?;
        // A number takes at least two characters. Memory that is not needed is given back below.
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
    match work.await?? {
        (Err((values, detail)), _) => next(&judge, &values, detail),
        (Ok(started), held) => Ok(started.response(batch, held)),
    }
}

/// Judge values as the reading that follows the newest one of the detector.
fn next(scorer: &Scorer, values: &[f64], detail: bool) -> Result<HttpResponse, ApiError> {
    let too_early =
        || ApiError::NotReady("the model needs earlier readings, which have not arrived yet".to_owned());
    let refused = |InvalidValue(value)| {
        let why = format!("too far from the previous readings to be judged: {value}");
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
