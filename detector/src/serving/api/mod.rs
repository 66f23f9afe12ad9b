//! An HTTP request in, the answer of its route out. `configure_*` define the routes; the program and the
//! tests share them.

/// The only map from errors to status codes and JSON.
mod error;
/// Authentication of requests by tokens.
mod authentication;
/// One JSON value.
mod cell;
/// Reads a JSON array or object.
mod shape;
/// The model and the limits by which a prediction request is read.
mod expected;
/// `{"NAME":number,…}`.
mod values;
/// `[[number,…],…]`.
mod rows;
/// The JSON of a prediction request.
mod question;
/// Code that all requests that push readings share.
mod push;
/// The JSON of a prediction's answer.
mod judgement_json;
/// Rows in the form in which the model judges them.
mod measured_rows;
/// Answers that are produced while they are sent.
mod answer;
/// An answer with a prediction for each row.
mod row_answer;
/// A prediction, from body to answer.
mod judging;
/// Rows as lines of JSON.
mod lines;
/// `POST /predict`.
mod predict;
/// Checks the model and the version that a path names.
mod served;
/// `/v1/models`.
mod v1;
/// `/v2`.
mod v2;
/// `POST /readings`.
mod readings;
/// `POST /api/v1/write`.
mod remote_write;
/// `POST /v1/metrics`.
mod otlp;
/// `?limit=` and `?since=`.
mod limit;
/// `GET /verdicts`.
mod verdicts;
/// `GET /verdicts/stream`.
mod verdict_stream;
/// `GET /history`.
mod history;
/// `GET /events`.
mod events;
/// `GET /`.
mod page;
/// `/livez`, `/readyz`, `/startupz`, `/status`, `/notifications`, `/metrics`, `/model`.
mod operations;

use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder};

pub use authentication::authenticate;
use error::ApiError;

/// The routes of the predict port. Expects `Data<State>`.
pub fn configure_predict(config: &mut ServiceConfig) {
    config
        .service(post_route("/predict", predict::predict))
        .service(get_route("/v1/models", v1::models))
        .service(post_route("/v1/models/{model}:predict", v1::predict))
        .service(post_route("/v1/models/{model}:explain", v1::explain))
        .service(get_route("/v1/models/{model}", v1::model))
        .service(get_route("/v2", v2::server))
        .service(get_route("/v2/health/live", v2::live))
        .service(get_route("/v2/health/ready", v2::ready))
        .service(get_route("/v2/models/{model}", v2::model))
        .service(get_route("/v2/models/{model}/ready", v2::model_ready))
        .service(post_route("/v2/models/{model}/infer", v2::infer))
        .service(get_route("/v2/models/{model}/versions/{version}", v2::model_version))
        .service(get_route("/v2/models/{model}/versions/{version}/ready", v2::version_ready))
        .service(post_route("/v2/models/{model}/versions/{version}/infer", v2::infer_version))
        .service(post_route("/inference.GRPCInferenceService/{method}", v2::grpc::call))
        .service(post_route("/readings", readings::push))
        .service(post_route("/api/v1/write", remote_write::write))
        .service(post_route("/v1/metrics", otlp::metrics))
        .service(get_route("/verdicts", verdicts::newest))
        .service(get_route("/verdicts/stream", verdict_stream::follow))
        .service(get_route("/history", history::past))
        .service(get_route("/events", events::newest))
        .service(get_route("/", page::page))
        .service(get_route("/page/{file}", page::file))
        .service(get_route("/openapi.json", page::openapi))
        .default_service(web::to(no_such_path));
}

/// The routes of the metrics port. Expects `Data<State>`.
pub fn configure_metrics(config: &mut ServiceConfig) {
    config
        .service(get_route("/livez", operations::live))
        .service(get_route("/readyz", operations::ready))
        .service(get_route("/startupz", operations::started))
        .service(get_route("/status", operations::status))
        .service(get_route("/notifications", operations::notifications))
        .service(get_route("/metrics", operations::metrics))
        .service(get_route("/model", operations::model))
        .default_service(web::to(no_such_path));
}

/// A route for POST.
fn post_route<F, A>(path: &str, handler: F) -> Resource
where
    F: Handler<A>,
    A: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    with_other_methods(web::resource(path).route(web::post().to(handler)), "POST, OPTIONS")
}

/// A route for GET and HEAD. HEAD is GET without the body (RFC 9110, section 9.3.2), which the server omits.
fn get_route<F, A>(path: &str, handler: F) -> Resource
where
    F: Handler<A>,
    A: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let resource = web::resource(path).route(web::get().to(handler.clone())).route(web::head().to(handler));
    with_other_methods(resource, "GET, HEAD, OPTIONS")
}

/// Answer all other methods: OPTIONS with the allowed methods, any other one with an error.
fn with_other_methods(resource: Resource, allowed: &'static str) -> Resource {
    resource.default_service(web::to(move |request: HttpRequest| async move {
        if request.method() == Method::OPTIONS {
            return Ok(HttpResponse::NoContent().insert_header((ALLOW, allowed)).finish());
        }
        let (path, method) = (request.path().to_owned(), request.method().to_string());
        Err(ApiError::WrongMethod { path, method, allowed })
    }))
}

async fn no_such_path(request: HttpRequest) -> Result<String, ApiError> {
    Err(ApiError::NoSuchPath(request.path().to_owned()))
}
