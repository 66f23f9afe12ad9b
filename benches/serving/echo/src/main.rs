//! `echo ADDRESS`: `POST /predict {"value":0.95}` in, `{"anomaly":0}` out, without a model: the cost of actix
//! alone.

use actix_web::{App, HttpServer, Responder, web};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Question {
    value: f64,
}

#[derive(Serialize)]
struct Answer {
    anomaly: u8,
}

async fn predict(question: web::Json<Question>) -> impl Responder {
    web::Json(Answer { anomaly: u8::from(question.value > 1.0) })
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).expect("echo ADDRESS");
    let app = || App::new().route("/predict", web::post().to(predict));
    HttpServer::new(app).bind(address)?.run().await
}
