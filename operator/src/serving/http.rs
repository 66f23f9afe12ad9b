//! The operator's own HTTP: /metrics for Prometheus, /healthz and /readyz for the kubelet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::dev::Server;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Data, ServiceConfig, get, resource};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use crd::status::ConditionType;
use rustls::ServerConfig;

use crate::client::cache::Cache;
use crate::client::lease::Leadership;
use crate::serving::authorization::{Guard, Refusal};
use crate::serving::metrics::Metrics;
use crate::status::status_of;

/// What the handlers answer from.
#[derive(Clone)]
pub struct State {
    /// The metrics.
    pub metrics: Metrics,
    /// Whether this process leads.
    pub leadership: Leadership,
    /// The detectors, one cache a scope.
    pub caches: Vec<Arc<Cache>>,
    /// Set once the API server has answered, cleared when the operator stops.
    pub is_ready: Arc<AtomicBool>,
    /// Whether the metrics are kept from those who come without TLS.
    pub metrics_by_tls_only: bool,
    /// Who asks whether somebody may read the metrics; none: anybody may.
    pub guard: Option<Guard>,
}

/// The server, which runs when awaited. With TLS the metrics are served there, and there alone; probes stay where they are.
///
/// # Errors
/// A port is taken.
pub fn serve(state: State, port: u16, tls: Option<(u16, ServerConfig)>) -> std::io::Result<Server> {
    let server = HttpServer::new(move || App::new().app_data(Data::new(state.clone())).configure(routes));
    let server = server.workers(1).disable_signals().shutdown_timeout(1).bind(("::", port))?;
    Ok(match tls {
        Some((port, config)) => server.bind_rustls_0_23(("::", port), config)?,
        None => server,
    }
    .run())
}

/// The routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(resource("/metrics").route(get().to(metrics)));
    config.service(resource("/healthz").route(get().to(healthz)));
    config.service(resource("/readyz").route(get().to(readyz)));
}

/// `GET /metrics`: the Prometheus text format; with `--metrics-authorization` for those whom the cluster allows.
async fn metrics(state: Data<State>, request: HttpRequest) -> HttpResponse {
    if state.metrics_by_tls_only && !request.app_config().secure() {
        return HttpResponse::NotFound().body("metrics are served by HTTPS");
    }
    if let Some(guard) = &state.guard {
        let authorization = request.headers().get(AUTHORIZATION).and_then(|header| header.to_str().ok());
        if let Err(refusal) = guard.admit(authorization).await {
            return refused(&refusal);
        }
    }
    let (ready, not_ready) =
        state.caches.iter().map(|cache| count(cache)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    state.metrics.count_detectors(ready, not_ready);
    state.metrics.leader.set(state.leadership.is_held().into());
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(state.metrics.text())
}

fn refused(refusal: &Refusal) -> HttpResponse {
    let mut answer = match refusal {
        Refusal::NoToken | Refusal::Unknown => HttpResponse::Unauthorized(),
        Refusal::Forbidden(_) => HttpResponse::Forbidden(),
        Refusal::Unasked(_) => HttpResponse::ServiceUnavailable(),
    };
    answer.body(refusal.to_string())
}

/// `GET /healthz`: the program answers.
async fn healthz() -> HttpResponse {
    HttpResponse::Ok().body("ok")
}

/// `GET /readyz`: 503 while the operator starts or stops.
async fn readyz(state: Data<State>) -> HttpResponse {
    if state.is_ready.load(Ordering::Relaxed) {
        HttpResponse::Ok().body("ok")
    } else {
        HttpResponse::ServiceUnavailable().body("starting or stopping")
    }
}

/// Detectors that are ready, and those that are not.
fn count(cache: &Cache) -> (usize, usize) {
    let detectors = cache.detectors.state();
    let is_ready = |stored: &&Arc<crate::client::cache::Stored>| {
        let status = stored.0.as_ref().ok().and_then(|detector| detector.status.as_ref());
        status.is_some_and(|status| status_of(&status.conditions, ConditionType::Ready) == "True")
    };
    let ready = detectors.iter().filter(is_ready).count();
    (ready, detectors.len() - ready)
}
