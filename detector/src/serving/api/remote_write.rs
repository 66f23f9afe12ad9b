//! `POST /api/v1/write`: Prometheus' remote write, 1.0 and 2.0, in; 204, or an error on what was rejected,
//! out.

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError};

use super::ApiError;
use super::push::{MAX_METRICS, Taken, admitted, apart, header, take};
use crate::excerpt::{MAX_EXCERPT, excerpt};
use crate::ingest::sources::http::remote_write::{Version, Written, decompressed_length, items};
use crate::serving::body;
use crate::serving::state::State;
use crate::wall_clock;

/// The handler.
pub(super) async fn write(state: Data<State>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let version = Version::of(header(&request, CONTENT_TYPE));
    let (mut response, written) = match read(&state, &request, version, payload).await {
        Err(error) => (error.error_response(), Written::default()),
        Ok((taken, mut written)) => {
            let lost = taken.refused - written.refused_histograms + taken.receipt.late;
            written.samples -= lost;
            let is_whole = taken.refused + taken.receipt.late == 0;
            let response = if is_whole {
                HttpResponse::NoContent().finish()
            } else {
                taken.into_error().error_response()
            };
            (response, written)
        }
    };
    if version == Some(Version::Two) {
        add_counts(&mut response, written);
    }
    response
}

async fn read(
    state: &State,
    request: &HttpRequest,
    version: Option<Version>,
    payload: Payload,
) -> Result<(Taken, Written), ApiError> {
    let inlet = admitted(state, request)?.clone();
    let version = version.ok_or_else(|| {
        let got = excerpt(header(request, CONTENT_TYPE), MAX_EXCERPT);
        ApiError::Unsupported(format!(
            "Content-Type: expected application/x-protobuf, of proto prometheus.WriteRequest or io.prometheus.write.v2.Request, got {got:?}"
        ))
    })?;
    let encoding = header(request, CONTENT_ENCODING);
    if !matches!(encoding, "" | "snappy") {
        return Err(ApiError::Unsupported(format!(
            "Content-Encoding: expected snappy, got {:?}",
            excerpt(encoding, MAX_EXCERPT)
        )));
    }
    let mut body = body::read(request, payload, &state.budget, MAX_METRICS).await?;
    if let Ok(length) = decompressed_length(&body.bytes, MAX_METRICS) {
        body.held.grow(length)?;
    }
    apart(state, body, "snappy", move |body| {
        let mut written = Written::default();
        let items = items(&body.bytes, version, &inlet, MAX_METRICS, wall_clock::now());
        let items = items.map(|(items, of_kinds)| {
            written = of_kinds;
            items
        });
        Ok((take(&inlet, items)?, written))
    })
    .await
}

/// Add the counts of what was written. A sender of 2.0 takes an answer without them for that of a 1.0
/// receiver.
fn add_counts(response: &mut HttpResponse, written: Written) {
    use actix_web::http::header::{HeaderName, HeaderValue};
    let headers = response.headers_mut();
    for (name, count) in [
        ("x-prometheus-remote-write-samples-written", written.samples),
        ("x-prometheus-remote-write-histograms-written", written.histograms),
        ("x-prometheus-remote-write-exemplars-written", written.exemplars),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(count));
    }
}
