//! `GET /`: for browsers a page that shows what the detector sees, for other clients the list of routes in
//! JSON. The page and its files are embedded in the program: it works offline, and its
//! Content-Security-Policy lets it connect only to its own detector.

use std::sync::LazyLock;

use actix_web::http::header::ACCEPT;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde_json::{Value, json};

use super::error::ApiError;
use super::push::header;
use crate::assets::{Asset, CHARTS_SCRIPT, REPORT_STYLE, UPLOT_SCRIPT, UPLOT_STYLE, asset};
use crate::serving::state::State;

/// The routes of the predict port, in OpenAPI 3.1.
static OPENAPI: Asset = asset!("openapi.json");
static PAGE: Asset = asset!("page/page.html");
static PAGE_SCRIPT: Asset = asset!("page/page.js");
static PAGE_STYLE: Asset = asset!("page/page.css");
static ROUTES_PAGE: Asset = asset!("page/api.html");
static ROUTES_SCRIPT: Asset = asset!("page/api.js");
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The handler.
pub(super) async fn page(state: Data<State>, request: HttpRequest) -> HttpResponse {
    if header(&request, ACCEPT).contains("text/html") {
        return guarded(HTML).insert_header(("Vary", "Accept")).body(PAGE.as_str());
    }
    let scorer = state.scorer();
    let index = json!({
        "name": state.detector.name(),
        "version": env!("CARGO_PKG_VERSION"),
        "model": scorer.as_ref().map(|scorer| scorer.model().digest().to_string()),
        "message": scorer.is_none().then(|| state.why_no_model()),
        "openapi": "/openapi.json",
        "routes": *ROUTES,
    });
    HttpResponse::Ok().insert_header(("Vary", "Accept")).json(index)
}

/// `GET /openapi.json`: these routes in OpenAPI 3.1.
pub(super) async fn openapi() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(OPENAPI.as_str())
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// `GET /page/{file}`: the files that the page loads, and the page that lists the routes.
pub(super) async fn file(name: Path<String>) -> Result<HttpResponse, ApiError> {
    let (kind, parts): (_, &[&Asset]) = match &**name {
        "uplot.js" => (SCRIPT, &[&UPLOT_SCRIPT]),
        "page.js" => (SCRIPT, &[&CHARTS_SCRIPT, &PAGE_SCRIPT]),
        "api.js" => (SCRIPT, &[&ROUTES_SCRIPT]),
        "api.html" => (HTML, &[&ROUTES_PAGE]),
        "page.css" => ("text/css; charset=utf-8", &[&UPLOT_STYLE, &REPORT_STYLE, &PAGE_STYLE]),
        other => return Err(ApiError::NoSuchPath(format!("/page/{other}"))),
    };
    Ok(guarded(kind)
        .insert_header(("Cache-Control", "no-cache"))
        .body(parts.iter().map(|part| part.as_str()).collect::<String>()))
}

/// The head of an answer for browsers. Its headers let a page connect only to this detector.
fn guarded(kind: &'static str) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.content_type(kind).insert_header(("X-Content-Type-Options", "nosniff"));
    if kind == HTML {
        response
            .insert_header(("Content-Security-Policy", POLICY))
            .insert_header(("Referrer-Policy", "no-referrer"));
    }
    response
}

/// Each route with its method and what it does, from [`OPENAPI`].
static ROUTES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let openapi: Value = serde_json::from_str(&OPENAPI).expect("a test reads it");
    let paths = openapi["paths"].as_object().into_iter().flatten();
    let routes = paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.filter(|(_, operation)| operation.get("summary").is_some()).map(move |(method, operation)| {
            json!({ "method": method.to_uppercase(), "path": path, "summary": operation["summary"] })
        })
    });
    routes.collect()
});
