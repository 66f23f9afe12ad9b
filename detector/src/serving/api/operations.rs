//! What platforms ask: is it alive, is it ready, how is it, its metrics, its model.

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::error::ApiError;
use crate::serving::state::State;

/// `GET /livez`: the program answers.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: predictions will be answered.
pub(super) async fn ready(state: Data<State>) -> Result<&'static str, ApiError> {
    state.ready().map(|()| "ok\n").map_err(ApiError::NotReady)
}

/// `GET /status`: the report that the operator reads.
pub(super) async fn status(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(state.report())
}

/// `GET /notifications`: what became of the newest messages, for the other replicas.
pub(super) async fn notifications(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(state.notifications())
}

/// `GET /metrics`: the Prometheus text format.
pub(super) async fn metrics(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(state.metrics.text())
}

/// `GET /model`: the artifact, as `detector inspect` reads it.
pub(super) async fn model(state: Data<State>) -> Result<HttpResponse, ApiError> {
    let scorer = state.scorer().ok_or_else(|| ApiError::NotReady(state.why_no_model()))?;
    let model = scorer.model();
    Ok(HttpResponse::Ok()
        .insert_header(("ETag", format!("\"{}\"", model.digest())))
        .content_type("application/octet-stream")
        .body(model.bytes().to_vec()))
}
