//! The operator's own HTTP: /metrics for Prometheus, /healthz and /readyz for the kubelet.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};

use actix_web::dev::Server;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Data, ServiceConfig, get, resource};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use crd::status::ConditionType;
use rustls::ServerConfig;

use crate::client::cache::{Cache, Caches, Stored};
use crate::client::health::Health;
use crate::client::lease::Leadership;
use crate::serving::authorization::{Authorization, Refusal};
use crate::telemetry::metrics::Metrics;

/// The state that the handlers share.
#[derive(Clone)]
pub struct State {
    /// The metrics.
    pub metrics: Metrics,
    /// Whether this process leads.
    pub leadership: Leadership,
    /// The caches with the detectors, which are counted.
    pub caches: Caches,
    /// Whether the operator's view of the cluster is up to date.
    pub health: Health,
    /// Whether the metrics are refused on connections without TLS.
    pub metrics_by_tls_only: bool,
    /// Checks whether a client may read the metrics; none: every client may.
    pub authorization: Option<Authorization>,
}

/// Return the server, which runs when awaited. With TLS, the metrics are served on that port only; the probes
/// stay on `port`.
///
/// # Errors
/// A port is taken.
pub fn serve(state: State, port: u16, tls: Option<(u16, ServerConfig)>) -> io::Result<Server> {
    let server = HttpServer::new(move || App::new().app_data(Data::new(state.clone())).configure(routes));
    let server =
        server.workers(1).disable_signals().shutdown_timeout(1).listen(listen(&EVERY_ADDRESS, port)?)?;
    Ok(match tls {
        Some((port, config)) => server.listen_rustls_0_23(listen(&EVERY_ADDRESS, port)?, config)?,
        None => server,
    }
    .run())
}

/// All addresses of the node: IPv6 and IPv4, or IPv4 only where the node has no IPv6.
const EVERY_ADDRESS: [IpAddr; 2] = [IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)];

/// Listen on the first address that the node has. A port that is taken is an error at once.
fn listen(addresses: &[IpAddr], port: u16) -> io::Result<TcpListener> {
    let mut absent = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpListener::bind((*address, port)) {
            Err(error)
                if matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) =>
            {
                return Err(error);
            }
            Err(error) => absent = error,
            listener => return listener,
        }
    }
    Err(absent)
}

/// The routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(resource("/metrics").route(get().to(metrics)));
    config.service(resource("/healthz").route(get().to(healthz)));
    config.service(resource("/readyz").route(get().to(readyz)));
}

/// `GET /metrics`: the Prometheus text format; with `--metrics-authorization` only for clients that the
/// cluster allows.
async fn metrics(state: Data<State>, request: HttpRequest) -> HttpResponse {
    if state.metrics_by_tls_only && !request.app_config().secure() {
        return HttpResponse::NotFound().body("metrics are served by HTTPS");
    }
    if let Some(authorizer) = &state.authorization {
        let authorization = request.headers().get(AUTHORIZATION).and_then(|header| header.to_str().ok());
        if let Err(refusal) = authorizer.admit(authorization).await {
            return refused(&refusal);
        }
    }
    let (ready, not_ready) =
        state.caches.get().iter().map(|cache| count(cache)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    state.metrics.count_detectors(ready, not_ready);
    state.metrics.show_behind(&state.health.behind());
    state.metrics.leader.set(state.leadership.is_held().into());
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(state.metrics.text())
}

fn refused(refusal: &Refusal) -> HttpResponse {
    let mut answer = match refusal {
        Refusal::NoToken | Refusal::Unknown => HttpResponse::Unauthorized(),
        Refusal::Forbidden(_) => HttpResponse::Forbidden(),
        Refusal::Unavailable(_) => HttpResponse::ServiceUnavailable(),
    };
    answer.body(refusal.to_string())
}

/// `GET /healthz`: 200 while the program runs.
async fn healthz() -> HttpResponse {
    HttpResponse::Ok().body("ok")
}

/// `GET /readyz`: 503 while the operator starts or stops, or its view of the cluster is not up to date.
async fn readyz(state: Data<State>) -> HttpResponse {
    match state.health.not_ready() {
        None => HttpResponse::Ok().body("ok"),
        Some(why) => HttpResponse::ServiceUnavailable().body(why),
    }
}

/// The number of detectors that are Ready, and of those that are not.
fn count(cache: &Cache) -> (usize, usize) {
    let detectors = cache.detectors.state();
    let is_ready = |stored: &&std::sync::Arc<Stored>| {
        let status = stored.0.as_ref().ok().and_then(|detector| detector.status.as_ref());
        status.is_some_and(|status| ConditionType::Ready.status_in(&status.conditions) == "True")
    };
    let ready = detectors.iter().filter(is_ready).count();
    (ready, detectors.len() - ready)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_without_the_first_address_is_listened_to_on_the_next() {
        let documentation: IpAddr = "2001:db8::1".parse().unwrap(); // RFC 3849: no node has it
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let listener = listen(&[documentation, loopback], 0).unwrap();
        assert_eq!(listener.local_addr().unwrap().ip(), loopback);
        assert!(listen(&[documentation], 0).is_err());
    }

    #[test]
    fn a_port_that_is_taken_is_an_error() {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let first = listen(&[loopback], 0).unwrap();
        let port = first.local_addr().unwrap().port();
        assert_eq!(
            listen(&[loopback, IpAddr::V4(Ipv4Addr::UNSPECIFIED)], port).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
    }
}
