//! HTTP in, a call, HTTP out. `configure_*` are the routes; the program and the tests share them.

/// The only map from errors to status codes and JSON.
mod error;
/// One JSON value.
mod cell;
/// Arrays and objects.
mod shape;
/// What the model takes.
mod expected;
/// `{"NAME":number,…}`.
mod values;
/// `[[number,…],…]`.
mod rows;
/// What a prediction is asked for.
mod question;
/// What a prediction is answered with.
mod judgement_json;
/// What a batch is answered with.
mod batch_answer;
/// `POST /predict`.
mod predict;
/// What requests that push readings have in common.
mod push;
/// `POST /readings`.
mod readings;
/// `POST /api/v1/write`.
mod remote_write;
/// `POST /v1/metrics`.
mod otlp;
/// `?limit=`.
mod limit;
/// `GET /verdicts`.
mod verdicts;
/// `GET /events`.
mod events;
/// `/livez`, `/readyz`, `/status`, `/notifications`, `/metrics`, `/model`.
mod operations;

use actix_web::HttpRequest;
use actix_web::web::{self, ServiceConfig};

use error::ApiError;

/// The routes of the predict port. Expects `Data<State>`.
pub fn configure_predict(config: &mut ServiceConfig) {
    config
        .service(web::resource("/predict").post(predict::predict).default_service(web::to(wrong_method)))
        .service(web::resource("/readings").post(readings::push).default_service(web::to(wrong_method)))
        .service(
            web::resource("/api/v1/write").post(remote_write::write).default_service(web::to(wrong_method)),
        )
        .service(web::resource("/v1/metrics").post(otlp::metrics).default_service(web::to(wrong_method)))
        .service(web::resource("/verdicts").get(verdicts::newest).default_service(web::to(wrong_method)))
        .service(web::resource("/events").get(events::newest).default_service(web::to(wrong_method)))
        .default_service(web::to(no_such_path));
}

/// The routes of the metrics port. Expects `Data<State>`.
pub fn configure_metrics(config: &mut ServiceConfig) {
    config
        .service(web::resource("/livez").get(operations::live))
        .service(web::resource("/readyz").get(operations::ready))
        .service(web::resource("/status").get(operations::status))
        .service(web::resource("/notifications").get(operations::notifications))
        .service(web::resource("/metrics").get(operations::metrics))
        .service(web::resource("/model").get(operations::model))
        .default_service(web::to(no_such_path));
}

async fn no_such_path(request: HttpRequest) -> Result<String, ApiError> {
    Err(ApiError::NoSuchPath(request.path().to_owned()))
}

async fn wrong_method(request: HttpRequest) -> Result<String, ApiError> {
    Err(ApiError::WrongMethod { path: request.path().to_owned(), method: request.method().to_string() })
}
