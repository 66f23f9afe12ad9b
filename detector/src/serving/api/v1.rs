//! KServe's protocol of version 1: the model's name and state, labels and explanations of rows.
//!
//! Shapes: <https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol>.

use std::time::Instant;

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::error::ApiError;
use super::expected::{Expected, Place};
use super::judging::{Asked, MAX_EXPLAINED, counted, judged};
use super::measured_rows::MeasuredRows;
use super::predict::Options;
use super::question::Question;
use super::row_answer::{Form, RowAnswer};
use super::served::check_model;
use crate::serving::metrics::Protocol;
use crate::serving::state::State;

/// `GET /v1/models`: the names of the models that serve here: only the detector's.
pub(super) async fn models(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "models": [state.detector.name()] }))
}

/// `GET /v1/models/{model}`: whether the model is ready; 503 where it is not.
pub(super) async fn model(state: Data<State>, name: Path<String>) -> Result<HttpResponse, ApiError> {
    check_model(&state, &name)?;
    state.ready().map_err(ApiError::NotReady)?;
    Ok(HttpResponse::Ok().json(json!({ "name": *name, "ready": true })))
}

/// `POST /v1/models/{model}:predict`: rows under `instances` or `inputs` in; `{"predictions":[1,-1]}` out as
/// in scikit-learn, where -1 is anomalous. With `?detail=true` each prediction is an object as in `/predict`.
pub(super) async fn predict(
    state: Data<State>,
    name: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let began = Instant::now();
    let answer = async {
        let options = Options::of(&request)?;
        let form = if options.detail { Form::Detailed } else { Form::Labels };
        rows(&state, &name, &request, payload, options.most_rows(), form).await
    };
    counted(&state, Protocol::V1, began, answer.await)
}

/// `POST /v1/models/{model}:explain`: the same rows in; the labels, and the explanation of each row as in
/// `/predict?detail=true`, out.
pub(super) async fn explain(
    state: Data<State>,
    name: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let began = Instant::now();
    let answer = rows(&state, &name, &request, payload, MAX_EXPLAINED, Form::Explanations);
    counted(&state, Protocol::V1, began, answer.await)
}

async fn rows(
    state: &State,
    name: &str,
    request: &HttpRequest,
    payload: Payload,
    most_rows: usize,
    form: Form,
) -> Result<HttpResponse, ApiError> {
    check_model(state, name)?;
    let interval = state.detector.spec().interval.into();
    judged(state, request, payload, move |scorer, body, _| {
        let rows = match (Expected { model: scorer.model(), most_rows }).question(body)? {
            Question::Next(_) => {
                return Err(ApiError::Malformed("expected instances, inputs or readings".to_owned()));
            }
            Question::Rows(cells) => MeasuredRows::new(scorer.clone(), cells, Place::Instance)?,
            Question::Readings { values, start } => {
                MeasuredRows::of_readings(scorer.clone(), values, start, interval)?
            }
        };
        Ok(Asked::Answer(Box::new(RowAnswer::new(rows, form))))
    })
    .await
}
