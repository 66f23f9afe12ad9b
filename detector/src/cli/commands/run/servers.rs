//! The shared state in, two servers out: predictions, and metrics with probes.

use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_cors::Cors;
use actix_http::error::DispatchError;
use actix_http::h1::H1Service;
use actix_http::{ConnectionType, HttpService, Request, Response};
use actix_service::boxed::{BoxServiceFactory, factory};
use actix_service::{IntoService, Service, ServiceFactory, apply_fn_factory, fn_factory, map_config};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{AppConfig, Server, ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::http::Version;
use actix_web::middleware::{Condition, from_fn};
use actix_web::rt::net::TcpStream;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, Error};
use socket2::{SockFilter, SockRef};

use super::address::Address;
use super::args::RunArgs;
use super::error::RunError;
use super::security::Security;
use crate::serving::api::{authenticate, configure_metrics, configure_predict};
use crate::serving::budget::{Budget, usable_memory};
use crate::serving::compression::compressed;
use crate::serving::connection::Connection;
use crate::serving::connections::{Connections, most_connections};
use crate::serving::http2::Http2;
use crate::serving::state::State;

/// The most connections of the metrics server, for probes and scrapes. Open files are reserved for them: see
/// [`most_connections`].
const MAX_PROBES: usize = 64;
/// The deadline for the first request head of a connection.
const HEAD: Duration = Duration::from_secs(10);
/// The time that a client has to read the end of an answer, where the server has not read the whole request.
const LINGER: Duration = Duration::from_secs(2);
/// The size of the kernel's receive and send buffers of a connection, in bytes, so that the kernel buffers no
/// more of a connection than this program does.
const SOCKET_BYTES: usize = 64 << 10;
/// The requests of HTTP/2 connections may hold the usable memory divided by this.
const HTTP2_SHARE: usize = 8;
/// How long the server still accepts connections that were made before it refused new ones.
const LAST_CONNECTIONS: Duration = Duration::from_millis(100);
/// The time that a client has to send a first request, if it connected before the server stops.
const LAST_REQUESTS: Duration = Duration::from_secs(1);

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
        let serving = &state.detector.spec().serving;
        let keep_alive = args.keep_alive.unwrap_or(serving.keep_alive).into();
        let silence = longest_silence(keep_alive, state);
        let budget = Budget::new(usable_memory() / HTTP2_SHARE);
        let serve = |listener, workers, connections: &Arc<Connections>, timeout, routes: Routes| {
            let (state, connections) = (state.clone(), connections.clone());
            let http2 = Http2 { budget: budget.clone(), connections: connections.clone(), keep_alive };
            let parts = Parts { state, connections, silence, routes, http2 };
            parts.serve(listener, workers, timeout)
        };
        let refused = |address: &Address| {
            let address = address.clone();
            move |error| RunError::Listen(address, error)
        };
        let (for_predictions, for_metrics) = (Routes::predict(args, state)?, Routes::metrics());
        let predict = serve(predict, cores, &connections, 10, for_predictions)
            .map_err(refused(&args.predict_address))?;
        let metrics = serve(metrics, 1, &Connections::new(MAX_PROBES), 1, for_metrics)
            .map_err(refused(&args.metrics_address))?;
        let servers = Self { predict: predict.handle(), metrics: metrics.handle(), listener, connections };
        actix_web::rt::spawn(predict);
        actix_web::rt::spawn(metrics);
        Ok(servers)
    }

    /// From now on, each answer asks its client to close the connection.
    pub(super) fn drain(&self) {
        self.connections.drain();
    }

    /// Refuse new connections, answer the requests of the existing ones, and stop.
    pub(super) async fn stop(self) {
        if refuse_new(&self.listener).is_ok() {
            tokio::time::sleep(LAST_CONNECTIONS).await;
        }
        self.predict.stop(true).await;
        self.metrics.stop(true).await;
    }
}

/// The routes of a server, and the clients that may use them.
#[derive(Clone)]
struct Routes {
    configure: fn(&mut ServiceConfig),
    /// The origins of other web pages that may send requests (CORS). If empty, browsers let no other page
    /// send any.
    origins: Vec<String>,
    /// The certificate of the server, and the tokens that clients need.
    security: Security,
    /// Whether answers are compressed for clients that accept it.
    compresses: bool,
}

impl Routes {
    /// The routes for predictions, with the settings of the arguments, else those of the spec.
    fn predict(args: &RunArgs, state: &State) -> Result<Self, RunError> {
        let serving = &state.detector.spec().serving;
        let of_spec = serving.cors.as_ref().map(|cors| cors.allowed_origins.clone()).unwrap_or_default();
        let origins = if args.cors_origin.is_empty() { of_spec } else { args.cors_origin.clone() };
        let security = Security::new(args, serving).map_err(RunError::Serving)?;
        Ok(Self { configure: configure_predict, origins, security, compresses: true })
    }

    fn metrics() -> Self {
        let (origins, security) = (Vec::new(), Security::default());
        Self { configure: configure_metrics, origins, security, compresses: false }
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

/// The factory of the routes of a thread.
type Routed = BoxServiceFactory<(), Request, Response<BoxBody>, Error, ()>;

/// The parts that a server needs to answer requests.
#[derive(Clone)]
struct Parts {
    state: Data<State>,
    connections: Arc<Connections>,
    silence: Duration,
    routes: Routes,
    http2: Http2,
}

impl Parts {
    fn serve(self, listener: TcpListener, workers: usize, stop_timeout: u64) -> std::io::Result<Server> {
        let server = Server::build().workers(workers).disable_signals().shutdown_timeout(stop_timeout);
        let stopping = server.graceful_shutdown_signal();
        // Eight more than may stay open: new connections that wait until others have closed.
        let most = self.connections.most().div_ceil(workers) + 8;
        let service = move || {
            let (parts, stopping) = (self.clone(), stopping.clone());
            fn_factory(move || {
                let (parts, stopping) = (parts.clone(), stopping.clone());
                async move {
                    let stopped = move || {
                        let stopping = stopping.clone();
                        async move { stopping.notified().await }
                    };
                    parts.protocols(stopped).await
                }
            })
        };
        Ok(server.max_concurrent_connections(most).listen("http", listener, service)?.run())
    }

    /// The service by which a thread answers its connections: the routes behind HTTP/1, and behind HTTP/2.
    async fn protocols<F: Future<Output = ()> + 'static>(
        self,
        stopped: impl Fn() -> F + Clone + 'static,
    ) -> Result<impl Service<TcpStream, Response = (), Error = DispatchError>, ()> {
        let http1: H1Service<Connection, _, _> = HttpService::build()
            .keep_alive(self.http2.keep_alive)
            .client_request_timeout(HEAD)
            .client_disconnect_timeout(LINGER)
            .graceful_shutdown_signal(stopped.clone())
            .h1(self.app());
        let http1 = Rc::new(http1.new_service(()).await?);
        let http2 = Rc::new(self.app().new_service(()).await?);
        let serve = move |stream: TcpStream| {
            let (parts, http1, http2, stopped) =
                (self.clone(), http1.clone(), http2.clone(), stopped.clone());
            async move {
                let (connection, peer, is_http2) = tokio::select! {
                    biased;
                    asking = parts.asking(stream) => asking?,
                    () = after(stopped()) => return Ok(()),
                };
                if is_http2 {
                    parts.http2.serve(connection, http2, stopped()).await;
                    return Ok(());
                }
                http1.call((connection, peer)).await
            }
        };
        Ok(serve.into_service())
    }

    /// Wait until a client begins a request. Returns the connection, the client's address, and whether it
    /// speaks HTTP/2.
    async fn asking(&self, stream: TcpStream) -> std::io::Result<(Connection, Option<SocketAddr>, bool)> {
        let (peer, tls) = (stream.peer_addr().ok(), self.routes.security.tls());
        let mut connection = Connection::accept(stream, &self.connections, tls, self.silence).await?;
        let is_http2 = connection.is_http2().await?;
        Ok((connection, peer, is_http2))
    }

    /// The routes behind the checks of tokens and CORS; without tokens and origins, the routes alone.
    fn app(&self) -> Routed {
        let app = App::new().app_data(self.state.clone()).configure(self.routes.configure);
        let tokens = self.routes.security.tokens.clone();
        if tokens.is_none() && self.routes.origins.is_empty() {
            return self.answering(app);
        }
        let (is_guarded, tokens) = (tokens.is_some(), Rc::new(tokens));
        let guard = from_fn(move |request, next| authenticate(tokens.clone(), request, next));
        self.answering(app.wrap(Condition::new(is_guarded, guard)).wrap(self.routes.cors()))
    }

    /// Finish the answers of these routes for sending: compress them, and mark the last answer of a
    /// connection. HTTP/1.0 has no chunked encoding: there, the end of the connection ends an answer whose
    /// length is not known beforehand (RFC 9112, section 6.3).
    fn answering<T, B>(&self, app: App<T>) -> Routed
    where
        T: ServiceFactory<
                ServiceRequest,
                Config = (),
                Response = ServiceResponse<B>,
                Error = Error,
                InitError = (),
            > + 'static,
        T::Service: 'static,
        T::Future: 'static,
        B: MessageBody + 'static,
    {
        // Each request clones this handle of its thread, so that threads do not contend for a reference
        // count.
        let parts = Rc::new(self.clone());
        let answer = move |request, app: &_| {
            let (parts, answer) = (parts.clone(), Service::call(app, request));
            async move {
                let response: ServiceResponse<B> = answer.await?;
                Ok(parts.finished(response.map_into_boxed_body()).into())
            }
        };
        factory(apply_fn_factory(map_config(app, |()| AppConfig::default()), answer))
    }

    fn finished(&self, response: ServiceResponse) -> ServiceResponse {
        let mut response =
            if self.routes.compresses { compressed(response, &self.state.budget) } else { response };
        let is_old = response.request().version() < Version::HTTP_11;
        let is_endless = is_old && matches!(response.response().body().size(), BodySize::Stream);
        if is_endless {
            response.response_mut().head_mut().no_chunking(true);
        }
        if is_endless || self.connections.is_closing() {
            response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        }
        response
    }
}

/// Wait until a stopping server drops the clients that have not sent a request yet.
async fn after(stopped: impl Future<Output = ()>) {
    stopped.await;
    tokio::time::sleep(LAST_REQUESTS).await;
}

/// The longest time without traffic on a connection: longer than an idle connection may stay open, and than a
/// client may wait for its verdicts.
fn longest_silence(keep_alive: Duration, state: &State) -> Duration {
    let interval = Duration::from(state.detector.spec().interval);
    keep_alive.saturating_add(interval.saturating_mul(2)).saturating_add(HEAD * 3)
}

fn listen(address: &Address) -> Result<TcpListener, RunError> {
    let listener = address.listen().map_err(|error| RunError::Listen(address.clone(), error))?;
    let socket = SockRef::from(&listener);
    // Accepted sockets inherit the buffer sizes of the listening one. If these cannot be set, connections
    // take more memory, but work.
    let _ = socket.set_send_buffer_size(SOCKET_BYTES);
    let _ = socket.set_recv_buffer_size(SOCKET_BYTES);
    Ok(listener)
}

/// Refuse new connections, but lose none that was made: closing the socket would reset those that wait to be
/// accepted. A filter (classic BPF) drops the packets that begin a connection (SYN without ACK). Their sender
/// retries, and then finds no server.
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
