//! The Open Inference Protocol, version 2, over gRPC: `inference.GRPCInferenceService`, as KServe, Triton and MLServer have it.
//!
//! A call is an HTTP/2 request to `/inference.GRPCInferenceService/METHOD`, with one message in and one out.
//! Errors are returned here as in REST; `serving::grpc_status` turns them into gRPC statuses.

/// A message in its frame.
mod frame;
/// The messages of calls.
mod request;
/// Writes protobuf messages.
mod message;
/// Numbers -> messages.
mod tensor_message;

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::Version;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};

use self::frame::framed;
use self::message::Message;
use self::request::{InferCall, NamedCall};
use self::tensor_message::TensorMessage;
use super::super::error::ApiError;
use super::super::judging::{Asked, MAX_BYTES, counted, judged_body};
use super::super::push::header;
use super::super::served::{check_model, check_version, version};
use super::output::Output;
use super::{INPUT, rows, scorer};
use crate::excerpt::{MAX_EXCERPT, excerpt};
use crate::scoring::scorer::Scorer;
use crate::serving::body;
use crate::serving::budget::Held;
use crate::serving::grpc_status::CONTENT;
use crate::serving::metrics::Protocol;
use crate::serving::state::State;

/// `POST /inference.GRPCInferenceService/{method}`: a call of `ServerLive`, `ServerReady`, `ServerMetadata`, `ModelReady`, `ModelMetadata` or
/// `ModelInfer`.
pub(in super::super) async fn call(
    state: Data<State>,
    method: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    if *method == "ModelInfer" {
        let began = Instant::now();
        return counted(&state, Protocol::Grpc, began, infer(&state, &request, payload).await);
    }
    let answer = about(&state, &method, &request, payload).await;
    answer.unwrap_or_else(|error| actix_web::ResponseError::error_response(&error))
}

/// Receive the message of a call, without its frame, and its compression.
async fn received(
    state: &State,
    request: &HttpRequest,
    payload: Payload,
) -> Result<(body::Body, String), ApiError> {
    let kind = header(request, CONTENT_TYPE);
    if request.version() != Version::HTTP_2 || !kind.starts_with(CONTENT) {
        let (got, version) = (excerpt(kind, MAX_EXCERPT), request.version());
        let why = format!("expected HTTP/2 with Content-Type: {CONTENT}, got {version:?} with {got:?}");
        return Err(ApiError::Unsupported(why));
    }
    let body = body::read(request, payload, &state.budget, MAX_BYTES + frame::HEAD).await?;
    frame::message(request, body)
}

async fn about(
    state: &State,
    method: &str,
    request: &HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let (body, _) = received(state, request, payload).await?;
    let message = match method {
        "ServerLive" => {
            let ended = state.threads.ended();
            ended.map_or(Ok(()), |name| Err(ApiError::NotReady(format!("the thread {name} has ended"))))?;
            Message::default().flag(1, true)
        }
        "ServerReady" => Message::default().flag(1, state.ready().is_ok()),
        "ServerMetadata" => {
            Message::default().text(1, "anomaly-operator-detector").text(2, env!("CARGO_PKG_VERSION"))
        }
        "ModelReady" => {
            NamedCall::read(&body.bytes)?.check(state)?;
            Message::default().flag(1, state.ready().is_ok())
        }
        "ModelMetadata" => {
            NamedCall::read(&body.bytes)?.check(state)?;
            metadata(state, &*scorer(state)?)
        }
        other => return Err(ApiError::NoSuchPath(format!("/inference.GRPCInferenceService/{other}"))),
    };
    Ok(HttpResponse::Ok().content_type(CONTENT).body(framed(&message)))
}

fn metadata(state: &State, scorer: &Scorer) -> Message {
    let model = scorer.model();
    let input = Message::tensor(INPUT, "FP64", &[-1, i64::try_from(model.columns()).unwrap_or(i64::MAX)]);
    let sensors = i64::try_from(model.sensors().len()).unwrap_or(i64::MAX);
    let message = Message::default()
        .text(1, &state.detector.name())
        .text(2, version(model))
        .text(3, "isolation_forest")
        .message(4, &input);
    Output::all().fold(message, |message, output| {
        let shape = output.shape(-1, sensors);
        message.message(5, &Message::tensor(output.name(), output.datatype(), &shape))
    })
}

async fn infer(state: &State, request: &HttpRequest, payload: Payload) -> Result<HttpResponse, ApiError> {
    let (body, encoding) = received(state, request, payload).await?;
    let (expected, interval) = (state.detector.name(), state.detector.spec().interval.into());
    let read = move |scorer: &Arc<Scorer>, body: &[u8], held: &mut Held| {
        answer(&expected, scorer.clone(), body, held, interval)
    };
    judged_body(state, encoding, body, read)?.response().await
}

fn answer(
    expected: &str,
    scorer: Arc<Scorer>,
    body: &[u8],
    held: &mut Held,
    interval: Duration,
) -> Result<Asked, ApiError> {
    let call = InferCall::read(body)?;
    call.model.check_name(expected)?;
    call.model.check_version(scorer.model())?;
    let most_rows = super::most_rows(call.outputs.iter().copied());
    let (id, is_raw, outputs) = (call.id.to_owned(), call.is_raw, call.outputs);
    let cells = rows::cells(scorer.model(), call.inputs, most_rows, held)?;
    let rows = super::measured(scorer, cells, interval)?;
    Ok(Asked::Answer(Box::new(TensorMessage::new(expected, &id, rows, outputs, is_raw))))
}

impl NamedCall<'_> {
    /// Check the model, and the version if the call names one.
    ///
    /// # Errors
    /// Another model, or another version, serves here.
    fn check(&self, state: &State) -> Result<(), ApiError> {
        check_model(state, self.name)?;
        if self.version.is_empty() { Ok(()) } else { check_version(scorer(state)?.model(), self.version) }
    }

    fn check_name(&self, expected: &str) -> Result<(), ApiError> {
        super::super::served::check_name(self.name, expected)
    }

    fn check_version(&self, model: &crate::model::model::Model) -> Result<(), ApiError> {
        if self.version.is_empty() { Ok(()) } else { check_version(model, self.version) }
    }
}
