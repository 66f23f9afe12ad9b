//! The routes for platforms: liveness, readiness, start, status, notifications, metrics, model.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::{ETag, EntityTag, IfNoneMatch};
use actix_web::web::{Data, Header};

use super::error::ApiError;
use crate::model::model::Model;
use crate::serving::pieces::Pieces;
use crate::serving::state::State;

/// `GET /livez`: whether the program answers, and all threads that it needs are running.
pub(super) async fn live(state: Data<State>) -> Result<&'static str, ApiError> {
    let ended = state.threads.ended();
    ended.map_or(Ok("ok\n"), |name| Err(ApiError::NotReady(format!("the thread {name} has ended"))))
}

/// `GET /readyz`: whether the detector is ready to answer predictions.
pub(super) async fn ready(state: Data<State>) -> Result<&'static str, ApiError> {
    state.ready().map(|()| "ok\n").map_err(ApiError::NotReady)
}

/// `GET /startupz`: whether the start is over: the detector is ready, or 30 s have passed.
pub(super) async fn started(state: Data<State>) -> Result<&'static str, ApiError> {
    state.started().map(|()| "ok\n").map_err(ApiError::NotReady)
}

/// `GET /status`: the report that the operator reads.
pub(super) async fn status(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(state.report())
}

/// `GET /notifications`: the delivery states of the newest messages, for the other replicas.
pub(super) async fn notifications(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(state.notifications())
}

/// `GET /metrics`: the Prometheus text format.
pub(super) async fn metrics(state: Data<State>) -> Result<HttpResponse, ApiError> {
    let text = state.metrics.text();
    let held = state.scrapes.hold(text.len())?;
    Ok(HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(Pieces::new(text).holding(held)))
}

/// `GET /model`: the artifact, as `detector inspect` reads it. Its ETag is the digest; 304 if `If-None-Match`
/// names it.
pub(super) async fn model(state: Data<State>, known: Header<IfNoneMatch>) -> Result<HttpResponse, ApiError> {
    let scorer = state.scorer().ok_or_else(|| ApiError::NotReady(state.why_no_model()))?;
    let model = scorer.model();
    let tag = EntityTag::new_strong(model.digest().to_string());
    let is_known = match &*known {
        IfNoneMatch::Any => true,
        IfNoneMatch::Items(tags) => tags.iter().any(|known| known.weak_eq(&tag)),
    };
    if is_known {
        return Ok(HttpResponse::NotModified().insert_header(ETag(tag)).finish());
    }
    Ok(HttpResponse::Ok()
        .insert_header(ETag(tag))
        .content_type("application/octet-stream")
        .body(Pieces::new(Artifact(model.clone()))))
}

/// The bytes of a shared model.
struct Artifact(Arc<Model>);

impl AsRef<[u8]> for Artifact {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}
