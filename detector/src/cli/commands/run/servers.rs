//! The shared state in, two servers out: predictions, and metrics with probes.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_cors::Cors;
use actix_http::error::DispatchError;
use actix_http::{ConnectionType, HttpService};
use actix_service::{ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{AppConfig, Server, ServerHandle, ServiceResponse};
use actix_web::http::Version;
use actix_web::middleware::Condition;
use actix_web::rt::net::TcpStream;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, Error};
use socket2::{SockFilter, SockRef};

use super::address::Address;
use super::args::RunArgs;
use super::error::RunError;
use crate::serving::api::{configure_metrics, configure_predict};
use crate::serving::compression::compressed;
use crate::serving::connection::Connection;
use crate::serving::connections::{Connections, most_connections};
use crate::serving::state::State;

/// The most connections of probes and scrapes. They have their own, and their own files: see [`most_connections`].
const MAX_PROBES: usize = 64;
/// The longest that the first head of a connection may take.
const HEAD: Duration = Duration::from_secs(10);
/// How long a client may take to hear the end of an answer to a request that was not read to its end.
const LINGER: Duration = Duration::from_secs(2);
/// What the system keeps of what a client has sent, or has not taken, bytes: so it is no more than it is here.
const SOCKET_BYTES: usize = 64 << 10;
/// How long connections are still taken in that were made before new ones were refused.
const LAST_CONNECTIONS: Duration = Duration::from_millis(100);

/// The two servers: predictions on all cores, metrics and probes on a thread of their own, so that neither waits for
/// the other.
pub(super) struct Servers {
    predict: ServerHandle,
    metrics: ServerHandle,
    listener: TcpListener,
    connections: Arc<Connections>,
}

impl Servers {
    pub(super) fn start(args: &RunArgs, state: &Data<State>) -> Result<Self, RunError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (predict, metrics) = (listen(&args.predict_address)?, listen(&args.metrics_address)?);
        let listener = predict.try_clone().map_err(RunError::Start)?;
        let connections = Connections::new(most_connections());
        let silence = longest_silence(args, state);
        let serve = |listener, workers, connections: &Arc<Connections>, timeout, routes: Routes| {
            let (state, connections) = (state.clone(), connections.clone());
            let parts = Parts { state, connections, silence, routes };
            parts.serve(listener, workers, args.keep_alive.into(), timeout)
        };
        let refused = |address: &Address| {
            let address = address.clone();
            move |error| RunError::Listen(address, error)
        };
        let (for_predictions, for_metrics) = (Routes::predict(&args.cors_origin), Routes::metrics());
        let predict = serve(predict, cores, &connections, 10, for_predictions)
            .map_err(refused(&args.predict_address))?;
        let metrics = serve(metrics, 1, &Connections::new(MAX_PROBES), 1, for_metrics)
            .map_err(refused(&args.metrics_address))?;
        let servers = Self { predict: predict.handle(), metrics: metrics.handle(), listener, connections };
        actix_web::rt::spawn(predict);
        actix_web::rt::spawn(metrics);
        Ok(servers)
    }

    /// From now on each answer asks its client to connect elsewhere.
    pub(super) fn drain(&self) {
        self.connections.drain();
    }

    /// Refuse new connections, answer those that were made, and end.
    pub(super) async fn stop(self) {
        if refuse_new(&self.listener).is_ok() {
            tokio::time::sleep(LAST_CONNECTIONS).await;
        }
        self.predict.stop(true).await;
        self.metrics.stop(true).await;
    }
}

/// What can be asked of a server, and by whom.
#[derive(Clone)]
struct Routes {
    configure: fn(&mut ServiceConfig),
    /// The origins of other pages that may ask; none where browsers are to let no other page ask.
    origins: Vec<String>,
    /// Whether answers are gzipped for those who take it.
    compresses: bool,
}

impl Routes {
    fn predict(origins: &[String]) -> Self {
        Self { configure: configure_predict, origins: origins.to_vec(), compresses: true }
    }

    fn metrics() -> Self {
        Self { configure: configure_metrics, origins: Vec::new(), compresses: false }
    }

    /// Cross-origin resource sharing (Fetch, section 3.2).
    fn cors(&self) -> Condition<Cors> {
        let cors = Cors::default()
            .allowed_methods(["GET", "HEAD", "POST"])
            .allow_any_header()
            .expose_headers(["Inference-Header-Content-Length", "Retry-After"])
            .max_age(600);
        let cors = self.origins.iter().fold(cors, |cors, origin| match &**origin {
            "*" => cors.allow_any_origin().send_wildcard(),
            origin => cors.allowed_origin(origin),
        });
        Condition::new(!self.origins.is_empty(), cors)
    }
}

/// What a server answers by.
#[derive(Clone)]
struct Parts {
    state: Data<State>,
    connections: Arc<Connections>,
    silence: Duration,
    routes: Routes,
}

impl Parts {
    fn serve(
        self,
        listener: TcpListener,
        workers: usize,
        keep_alive: Duration,
        stop_timeout: u64,
    ) -> std::io::Result<Server> {
        let server = Server::build().workers(workers).disable_signals().shutdown_timeout(stop_timeout);
        let stopping = server.graceful_shutdown_signal();
        // Beyond what may stay: those that have to wait until others have made room.
        let most = self.connections.most().div_ceil(workers) + 8;
        let service = move || {
            let stopping = stopping.clone();
            let http = HttpService::build()
                .keep_alive(keep_alive)
                .client_request_timeout(HEAD)
                .client_disconnect_timeout(LINGER)
                .graceful_shutdown_signal(move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                })
                .h1(self.app());
            let (connections, silence) = (self.connections.clone(), self.silence);
            let connect = move |stream: TcpStream| {
                let peer = stream.peer_addr().ok();
                let connection = Connection::new(stream, &connections, silence);
                async move { Ok::<_, DispatchError>((connection, peer)) }
            };
            fn_service(connect).and_then(http)
        };
        Ok(server.max_concurrent_connections(most).listen("http", listener, service)?.run())
    }

    /// The routes. An answer says so where it is the last of its connection. HTTP/1.0 knows no chunks: there the end of an
    /// answer whose length is not known beforehand is the end of the connection (RFC 9112, section 6.3).
    fn app(
        &self,
    ) -> impl ServiceFactory<
        actix_http::Request,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = actix_http::Response<BoxBody>,
        InitError = (),
    > + use<> {
        let (connections, state, compresses) =
            (self.connections.clone(), self.state.clone(), self.routes.compresses);
        let app =
            App::new().app_data(self.state.clone()).wrap(self.routes.cors()).configure(self.routes.configure);
        map_config(app, |()| AppConfig::default()).map_err(|error: Error| error.error_response().into()).map(
            move |response: ServiceResponse<_>| {
                let response = response.map_into_boxed_body();
                let mut response = if compresses { compressed(response, &state.budget) } else { response };
                let is_old = response.request().version() < Version::HTTP_11;
                let is_endless = is_old && matches!(response.response().body().size(), BodySize::Stream);
                if is_endless {
                    response.response_mut().head_mut().no_chunking(true);
                }
                if is_endless || connections.is_closing() {
                    response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
                }
                response
            },
        )
    }
}

/// Nothing may come or go for longer than an idle connection may stay, or a client may wait for its verdicts.
fn longest_silence(args: &RunArgs, state: &State) -> Duration {
    let interval = Duration::from(state.detector.spec().interval);
    Duration::from(args.keep_alive).saturating_add(interval.saturating_mul(2)).saturating_add(HEAD * 3)
}

fn listen(address: &Address) -> Result<TcpListener, RunError> {
    let listener = address.listen().map_err(|error| RunError::Listen(address.clone(), error))?;
    let socket = SockRef::from(&listener);
    // Accepted sockets have the sizes of the one that listens. Without them they take more memory, and work.
    let _ = socket.set_send_buffer_size(SOCKET_BYTES);
    let _ = socket.set_recv_buffer_size(SOCKET_BYTES);
    Ok(listener)
}

/// Let no new connection be made, and lose none that was: a socket that is closed resets those that wait in it. A filter
/// (classic BPF) drops the packets that begin one (SYN without ACK); who sent it tries again, and finds nobody.
fn refuse_new(listener: &TcpListener) -> std::io::Result<()> {
    const FLAGS: u32 = 13; // their place in the TCP header
    const SYN: u32 = 0x02;
    const SYN_ACK: u32 = 0x12;
    SockRef::from(listener).attach_filter(&[
        SockFilter::new(0x30, 0, 0, FLAGS),    // load a byte
        SockFilter::new(0x54, 0, 0, SYN_ACK),  // and
        SockFilter::new(0x15, 0, 1, SYN),      // if equal, the next, else the one after it
        SockFilter::new(0x06, 0, 0, 0),        // drop
        SockFilter::new(0x06, 0, 0, u32::MAX), // keep
    ])
}
