//! The Open Inference Protocol, version 2, over REST: health, metadata, and tensors in and out, as JSON or binary.
//!
//! Shapes: <https://github.com/kserve/open-inference-protocol>, and Triton's binary tensor extension.

/// Arrays with a limit of items.
mod bounded;
/// Types of tensors' elements.
mod datatype;
/// Numbers of a tensor in JSON.
mod numbers;
/// The JSON of an inference request.
mod request;
/// Tensors -> rows.
mod rows;
/// The tensors that an answer can have.
mod output;
/// Rows -> numbers.
mod scored_rows;
/// Numbers -> tensors.
mod tensor_answer;
/// The same over gRPC.
pub(super) mod grpc;

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use self::output::{Output, Tensor};
use self::request::InferRequest;
use self::rows::{Cells, READINGS};
use self::tensor_answer::TensorAnswer;
use super::answer::JSON_LENGTH;
use super::error::ApiError;
use super::expected::{MAX_NAMED, Place};
use super::judging::{Asked, counted, judged};
use super::measured_rows::MeasuredRows;
use super::served::{check_model, check_version, version};
use crate::scoring::scorer::Scorer;
use crate::serving::body::SMALL;
use crate::serving::budget::Held;
use crate::serving::metrics::Protocol;
use crate::serving::pieces::Pieces;
use crate::serving::state::State;

/// The name of the one input of a model.
const INPUT: &str = "input";

/// `GET /v2`: the server's name, version and extensions.
pub(super) async fn server() -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "name": "anomaly-operator-detector",
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": ["binary_tensor_data"],
    }))
}

/// `GET /v2/health/live`: whether the server answers, and all threads that it needs are running.
pub(super) async fn live(state: Data<State>) -> Result<HttpResponse, ApiError> {
    let ended = state.threads.ended();
    ended.map_or(Ok(()), |name| Err(ApiError::NotReady(format!("the thread {name} has ended"))))?;
    Ok(HttpResponse::Ok().json(json!({ "live": true })))
}

/// `GET /v2/health/ready`: whether predictions will be answered; 503 if not.
pub(super) async fn ready(state: Data<State>) -> Result<HttpResponse, ApiError> {
    state.ready().map_err(ApiError::NotReady)?;
    Ok(HttpResponse::Ok().json(json!({ "live": true, "ready": true })))
}

/// `GET /v2/models/{model}`: the input's columns, the outputs, and metadata of the model.
pub(super) async fn model(state: Data<State>, name: Path<String>) -> Result<HttpResponse, ApiError> {
    check_model(&state, &name)?;
    metadata(&state, &*scorer(&state)?)
}

/// `GET /v2/models/{model}/versions/{version}`: the same, if this version serves. A version is the first 12
/// digits of the model's digest.
pub(super) async fn model_version(
    state: Data<State>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (name, version) = path.into_inner();
    check_model(&state, &name)?;
    let scorer = scorer(&state)?;
    check_version(scorer.model(), &version)?;
    metadata(&state, &scorer)
}

/// `GET /v2/models/{model}/ready`: whether the model is ready; 503 where it is not.
pub(super) async fn model_ready(state: Data<State>, name: Path<String>) -> Result<HttpResponse, ApiError> {
    check_model(&state, &name)?;
    state.ready().map_err(ApiError::NotReady)?;
    Ok(HttpResponse::Ok().json(json!({ "name": *name, "ready": true })))
}

/// `GET /v2/models/{model}/versions/{version}/ready`: the same, if this version serves.
pub(super) async fn version_ready(
    state: Data<State>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (name, version) = path.into_inner();
    check_model(&state, &name)?;
    check_version(scorer(&state)?.model(), &version)?;
    state.ready().map_err(ApiError::NotReady)?;
    Ok(HttpResponse::Ok().json(json!({ "name": name, "ready": true })))
}

/// `POST /v2/models/{model}/infer`: rows as one tensor, or as one tensor per column, in; `is_outlier`,
/// `instance_score` and `threshold` out, and `severity`, `predict` and `feature_score` if `outputs` names
/// them.
pub(super) async fn infer(
    state: Data<State>,
    name: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let began = Instant::now();
    counted(&state, Protocol::V2, began, tensors(&state, &name, None, &request, payload).await)
}

/// `POST /v2/models/{model}/versions/{version}/infer`: the same, if this version serves.
pub(super) async fn infer_version(
    state: Data<State>,
    path: Path<(String, String)>,
    request: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let (name, version) = path.into_inner();
    let began = Instant::now();
    counted(&state, Protocol::V2, began, tensors(&state, &name, Some(version), &request, payload).await)
}

fn scorer(state: &State) -> Result<Arc<Scorer>, ApiError> {
    state.scorer().ok_or_else(|| ApiError::NotReady(state.why_no_model()))
}

async fn tensors(
    state: &State,
    name: &str,
    version: Option<String>,
    request: &HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    check_model(state, name)?;
    let json_length = json_length(request)?;
    let (name, interval) = (name.to_owned(), state.detector.spec().interval.into());
    judged(state, request, payload, move |scorer, body, held| {
        version.map_or(Ok(()), |version| check_version(scorer.model(), &version))?;
        answer(&name, scorer.clone(), json_length, body, held, interval)
    })
    .await
}

/// Where the JSON of the body ends, if binary tensors follow.
fn json_length(request: &HttpRequest) -> Result<Option<usize>, ApiError> {
    let Some(value) = request.headers().get(JSON_LENGTH) else { return Ok(None) };
    let length = value.to_str().ok().and_then(|value| value.trim().parse().ok());
    let refused = || ApiError::Malformed(format!("{JSON_LENGTH}: expected a number of bytes"));
    length.map(Some).ok_or_else(refused)
}

fn answer(
    name: &str,
    scorer: Arc<Scorer>,
    json_length: Option<usize>,
    body: &[u8],
    held: &mut Held,
    interval: Duration,
) -> Result<Asked, ApiError> {
    let (json, binary) = body.split_at_checked(json_length.unwrap_or(body.len())).ok_or_else(|| {
        let (got, length) = (json_length.unwrap_or_default(), body.len());
        ApiError::Malformed(format!("{JSON_LENGTH}: expected at most the body's {length} bytes, got {got}"))
    })?;
    let request = InferRequest::read(json)?;
    let outputs = request.outputs()?;
    let most_rows = most_rows(outputs.iter().map(|output| output.tensor));
    let id = request.id.clone();
    let cells = rows::cells(scorer.model(), request::tensors(request.inputs, binary)?, most_rows, held)?;
    let rows = measured(scorer, cells, interval)?;
    Ok(Asked::Answer(Box::new(TensorAnswer::new(name, id, rows, outputs)?)))
}

/// Make rows that the model can judge of the cells of a request.
fn measured(scorer: Arc<Scorer>, cells: Cells, interval: Duration) -> Result<MeasuredRows, ApiError> {
    let values = match cells {
        Cells::Rows(cells) => return MeasuredRows::new(scorer, cells, Place::Row),
        Cells::Readings(values) => values,
    };
    let rows = MeasuredRows::of_readings(scorer, values, None, interval)?;
    if rows.len() > 0 {
        return Ok(rows);
    }
    let (least, got) = (rows.scorer().model().recipe().memory(), rows.early());
    let why = format!("expected at least {least} rows, as the model looks back, got {got}");
    Err(ApiError::Unprocessable(format!("input {READINGS}"), why))
}

/// The most rows of a request for these outputs.
fn most_rows(mut outputs: impl Iterator<Item = Tensor>) -> usize {
    if outputs.any(Tensor::is_explained) { super::judging::MAX_EXPLAINED } else { super::judging::MAX_ROWS }
}

fn metadata(state: &State, scorer: &Scorer) -> Result<HttpResponse, ApiError> {
    let model = scorer.model();
    let outputs: Vec<Value> = Output::all().map(|tensor| tensor.metadata(model.sensors().len())).collect();
    let text = json!({
        "name": state.detector.name(),
        "versions": [version(model)],
        "platform": "isolation_forest",
        "inputs": [{ "name": INPUT, "datatype": "FP64", "shape": [-1, model.columns()] }],
        "outputs": outputs,
        "parameters": parameters(state, scorer),
    })
    .to_string();
    let mut held = state.budget.open();
    if text.len() > SMALL {
        held.grow(text.len())?;
    }
    Ok(HttpResponse::Ok().content_type("application/json").body(Pieces::new(text).holding(held)))
}

/// Metadata of the model for which the protocol has no fields of its own.
fn parameters(state: &State, scorer: &Scorer) -> Value {
    let (model, report) = (scorer.model(), scorer.model_report());
    let columns = (model.columns() <= MAX_NAMED).then(|| model.column_names());
    let sensors = state.detector.sensors();
    let sensors: Vec<Value> =
        sensors.map(|sensor| json!({ "name": sensor.name, "unit": sensor.unit })).collect();
    json!({
        "columns": columns,
        "looks_back": model.recipe().memory() - 1,
        "sensors": sensors,
        "digest": report.digest,
        "origin": report.origin,
        "trained_at": report.trained_at,
        "data_end_time": report.data_end_time,
        "samples": report.samples,
        "trees": model.trees(),
        "threshold": scorer.threshold(),
        "expected_alerts_per_day": report.expected_alerts_per_day,
        "warnings": report.warnings,
    })
}
