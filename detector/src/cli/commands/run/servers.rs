//! The shared state in, two servers out: predictions, and metrics with probes.

use std::net::TcpListener;

use actix_web::web::Data;
use actix_web::{App, HttpServer, dev::ServerHandle};

use super::address::Address;
use super::args::RunArgs;
use super::error::RunError;
use crate::serving::api::{configure_metrics, configure_predict};
use crate::serving::state::State;

/// The two servers: predictions on all cores, metrics and probes on a thread of their own, so that neither waits for
/// the other.
pub(super) struct Servers([ServerHandle; 2]);

impl Servers {
    pub(super) fn start(args: &RunArgs, state: &Data<State>) -> Result<Self, RunError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (predict, metrics) = (listen(&args.predict_address)?, listen(&args.metrics_address)?);
        let shared = state.clone();
        let predict =
            HttpServer::new(move || App::new().app_data(shared.clone()).configure(configure_predict))
                .workers(cores)
                .disable_signals()
                .shutdown_timeout(10)
                .listen(predict)
                .map_err(|error| RunError::Listen(args.predict_address.clone(), error))?
                .run();
        let shared = state.clone();
        let metrics =
            HttpServer::new(move || App::new().app_data(shared.clone()).configure(configure_metrics))
                .workers(1)
                .disable_signals()
                .shutdown_timeout(1)
                .listen(metrics)
                .map_err(|error| RunError::Listen(args.metrics_address.clone(), error))?
                .run();
        let handles = [predict.handle(), metrics.handle()];
        actix_web::rt::spawn(predict);
        actix_web::rt::spawn(metrics);
        Ok(Self(handles))
    }

    pub(super) async fn stop(self) {
        for server in self.0 {
            server.stop(true).await;
        }
    }
}

fn listen(address: &Address) -> Result<TcpListener, RunError> {
    address.listen().map_err(|error| RunError::Listen(address.clone(), error))
}
