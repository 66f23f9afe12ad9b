//! A prediction request in, whichever protocol it speaks; its answer out, within the bounds of memory and time of all requests.
//!
//! What is small is answered where it arrives. What is large or compressed is read, judged and answered in the lane of
//! batches, piece by piece as the client takes it.

use std::sync::Arc;
use std::time::Instant;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError};

use super::answer::{AT_ONCE, Answer, Started, whole};
use super::error::ApiError;
use super::judgement_json::{Bare, Detailed};
use super::push::{decompressed, encoding, is_plain};
use crate::model::judge::{Explain, Unjudgeable};
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

/// Time a prediction, count it, answer it.
pub(super) async fn counted(
    state: &Data<State>,
    protocol: Protocol,
    answer: impl Future<Output = Result<HttpResponse, ApiError>>,
) -> HttpResponse {
    let began = Instant::now();
    let response = answer.await.unwrap_or_else(|error| error.error_response());
    state.metrics.prediction(protocol, response.status().as_u16(), began.elapsed());
    response
}

/// Read the body, ask `read` what it asks for, and answer that. Where the body is large, `read` holds what the numbers of
/// JSON can need at most; of what it needs beyond, it asks [`Held`].
pub(super) async fn judged(
    state: &State,
    request: &HttpRequest,
    payload: Payload,
    read: impl FnOnce(Arc<Scorer>, &[u8], &mut Held) -> Result<Asked, ApiError> + Send + 'static,
) -> Result<HttpResponse, ApiError> {
    let body = body::read(request, payload, &state.budget, MAX_BYTES).await?;
    judged_body(state, encoding(request), body, read).await
}

/// The same for a body that was read, and is compressed so.
pub(super) async fn judged_body(
    state: &State,
    encoding: String,
    body: Body,
    read: impl FnOnce(Arc<Scorer>, &[u8], &mut Held) -> Result<Asked, ApiError> + Send + 'static,
) -> Result<HttpResponse, ApiError> {
    let scorer = state.scorer().ok_or_else(|| ApiError::NotReady(state.why_no_model()))?;
    if body.bytes.len() > SMALL || !is_plain(&encoding) {
        return large(state, scorer, encoding, body, read).await;
    }
    let Body { bytes, mut held } = body;
    match read(scorer.clone(), &bytes, &mut held)? {
        Asked::Next { values, detail } => next(&scorer, &values, detail),
        Asked::Answer(answer) if answer.is_short() => Ok(whole(answer)),
        Asked::Answer(answer) => {
            let batch = state.batches.begin()?;
            held.grow(answer.bytes() + AT_ONCE)?;
            let started = batch.work(move || Started::new(answer)).await?;
            Ok(started.response(batch, held))
        }
    }
}

/// A body that takes a while to read.
async fn large(
    state: &State,
    scorer: Arc<Scorer>,
    encoding: String,
    body: Body,
    read: impl FnOnce(Arc<Scorer>, &[u8], &mut Held) -> Result<Asked, ApiError> + Send + 'static,
) -> Result<HttpResponse, ApiError> {
    let batch = state.batches.begin()?;
    let judge = scorer.clone();
    let asked = batch.work(move || {
        let Body { bytes, mut held } = decompressed(&encoding, body, MAX_BYTES)?;
        // Two characters make a number at best. What is not needed is given back.
        held.grow(bytes.len() / 2 * size_of::<f64>())?;
        let started = match read(scorer, &bytes, &mut held)? {
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
    let explain = if detail { Explain::Always } else { Explain::Never };
    let judgement = scorer.judge_next(values, explain).ok_or_else(|| {
        ApiError::NotReady("the model looks back on readings that have not come yet".to_owned())
    })?;
    let judgement = judgement.map_err(|Unjudgeable(value)| {
        ApiError::Unprocessable(
            "value".to_owned(),
            format!("too far from the readings before to be judged: {value}"),
        )
    })?;
    Ok(if detail {
        HttpResponse::Ok().json(Detailed::new(scorer.model().sensors(), scorer.threshold(), &judgement))
    } else {
        HttpResponse::Ok().json(Bare::new(judgement.anomalous))
    })
}
