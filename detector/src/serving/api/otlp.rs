//! `POST /v1/metrics`: OpenTelemetry's metrics (OTLP/HTTP, protobuf or JSON) in; a success, or a partial
//! success if data points were rejected, out.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use prost::Message;
use serde_json::json;

use super::ApiError;
use super::push::{MAX_METRICS, Taken, admitted, apart, decompressed, encoding, header, take};
use crate::excerpt::{MAX_EXCERPT, excerpt};
use crate::ingest::sources::http::otlp::{Encoding, items};
use crate::serving::body;
use crate::serving::state::State;
use crate::wall_clock;

/// `ExportMetricsServiceResponse`.
#[derive(Message)]
struct Response {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

/// `ExportMetricsPartialSuccess`.
#[derive(Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_data_points: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// `google.rpc.Status`, without the code, which HTTP clients have in the status code.
#[derive(Message)]
struct Status {
    #[prost(string, tag = "2")]
    message: String,
}

/// The handler.
pub(super) async fn metrics(state: Data<State>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let format = Encoding::of(header(&request, CONTENT_TYPE));
    match read(&state, &request, format, payload).await {
        Ok(taken) => success(format, taken),
        Err(error) => failure(format, &error),
    }
}

async fn read(
    state: &State,
    request: &HttpRequest,
    format: Option<Encoding>,
    payload: Payload,
) -> Result<Taken, ApiError> {
    let inlet = admitted(state, request)?.clone();
    let format = format.ok_or_else(|| {
        let got = excerpt(header(request, CONTENT_TYPE), MAX_EXCERPT);
        let expected = "application/x-protobuf or application/json";
        ApiError::Unsupported(format!("Content-Type: expected {expected}, got {got:?}"))
    })?;
    let body = body::read(request, payload, &state.budget, MAX_METRICS).await?;
    let encoding = encoding(request);
    apart(state, body, &encoding.clone(), move |body| {
        let body = decompressed(&encoding, body, MAX_METRICS)?;
        take(&inlet, items(&body.bytes, format, &inlet, wall_clock::now()))
    })
    .await
}

fn success(format: Option<Encoding>, taken: Taken) -> HttpResponse {
    let rejected = taken.refused + taken.receipt.late;
    let partial = (rejected > 0).then(|| PartialSuccess {
        rejected_data_points: rejected.cast_signed() as i64,
        error_message: taken.into_error().to_string(),
    });
    let json = partial.as_ref().map_or(json!({}), |partial| {
        // Integers of 64 bits are strings in protobuf's JSON.
        let rejected = partial.rejected_data_points.to_string();
        json!({ "partialSuccess": { "rejectedDataPoints": rejected, "errorMessage": partial.error_message } })
    });
    answer(StatusCode::OK, format, &json, &Response { partial_success: partial })
}

fn failure(format: Option<Encoding>, error: &ApiError) -> HttpResponse {
    let status = Status { message: error.to_string() };
    let mut response = answer(error.status_code(), format, &json!({ "message": status.message }), &status);
    for (name, value) in error.error_response().headers() {
        if name == RETRY_AFTER || name == actix_web::http::header::WWW_AUTHENTICATE {
            response.headers_mut().insert(name.clone(), value.clone());
        }
    }
    response
}

/// Make an answer in the encoding of the request; in JSON if that is unknown.
fn answer(
    status: StatusCode,
    format: Option<Encoding>,
    json: &serde_json::Value,
    message: &impl Message,
) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    match format {
        Some(Encoding::Protobuf) => {
            response.content_type("application/x-protobuf").body(message.encode_to_vec())
        }
        Some(Encoding::Json) | None => response.json(json),
    }
}
