//! Routes for browsers and other programs: the page, the list of routes, the changes since the last request.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use actix_web::App;
use actix_web::http::{Method, StatusCode};
use actix_web::test as on;
use actix_web::web::Data;
use detector::serving::api::{configure_metrics, configure_predict};
use detector::serving::state::State;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::http::{ONE, TWO, ask, error, serving};
use crate::running::{Running, ask_with};

/// The status, a header and the body of an answer.
async fn get(
    state: &Data<State>,
    path: &str,
    asked: (&str, &str),
    header: &str,
) -> (StatusCode, String, Vec<u8>) {
    let app = App::new().app_data(state.clone()).configure(configure_predict).configure(configure_metrics);
    let app = on::init_service(app).await;
    let request = on::TestRequest::get().uri(path).insert_header(asked).to_request();
    let response = on::call_service(&app, request).await;
    let header =
        response.headers().get(header).map_or(String::new(), |value| value.to_str().unwrap().to_owned());
    (response.status(), header, on::read_body(response).await.to_vec())
}

#[actix_web::test]
async fn every_documented_route_is_there_and_takes_its_method() {
    let state = serving(ONE, "{}");
    let (_, _, index) = get(&state, "/", ("accept", "application/json"), "vary").await;
    let index: Value = serde_json::from_slice(&index).unwrap();
    assert_eq!(index["name"], "boiler");
    assert_eq!(index["model"], **state.scorer().unwrap().model().digest());
    let routes = index["routes"].as_array().unwrap();
    assert!(routes.len() > 20, "{index}");
    for route in routes {
        let version = &state.scorer().unwrap().model().digest()["sha256:".len()..][..12].to_owned();
        let path = route["path"].as_str().unwrap().replace("{model}", "boiler").replace("{version}", version);
        let app = on::init_service(App::new().app_data(state.clone()).configure(configure_predict)).await;
        let request = on::TestRequest::with_uri(&path).method(Method::OPTIONS).to_request();
        let response = on::call_service(&app, request).await;
        let allow = response.headers().get("allow").map_or("", |allow| allow.to_str().unwrap());
        assert!(allow.split(", ").any(|method| method == route["method"]), "{route}: {allow}");
    }
}

#[test]
fn every_route_of_the_predict_port_is_documented() {
    let source = include_str!("../../src/serving/api/mod.rs");
    let (_, source) = source.split_once("fn configure_predict").unwrap();
    let (source, _) = source.split_once("fn configure_metrics").unwrap();
    let openapi: Value = serde_json::from_str(include_str!("../../assets/openapi.json")).unwrap();
    let mut count = 0;
    for (kind, method) in [("post_route(\"", "post"), ("get_route(\"", "get")] {
        for part in source.split(kind).skip(1) {
            let (path, _) = part.split_once('"').unwrap();
            count += 1;
            // OpenAPI cannot describe gRPC.
            let is_left_out = path.starts_with("/page/") || path.starts_with("/inference.");
            assert_eq!(openapi["paths"][path][method].is_object(), !is_left_out, "{method} {path}");
        }
    }
    assert_eq!(count, source.matches(".service(").count(), "a route that this test does not see");
}

#[actix_web::test]
async fn browsers_get_a_page_that_reaches_nothing_else() {
    let state = serving(ONE, "{}");
    let accept = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let (status, policy, page) = get(&state, "/", accept, "content-security-policy").await;
    assert_eq!(status, StatusCode::OK);
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    let page = String::from_utf8(page).unwrap();
    let mut bytes = page.len();
    let loaded = page.split(['"', '\'']).filter(|part| part.starts_with("page/"));
    for file in loaded {
        let (status, kind, body) = get(&state, &format!("/{file}"), accept, "content-type").await;
        assert_eq!(status, StatusCode::OK, "{file}");
        assert!(kind.starts_with("text/"), "{kind}");
        bytes += body.len();
    }
    assert!((50_000..300 << 10).contains(&bytes), "{bytes}");
    assert!(!page.contains("http:") && !page.contains("https:"), "no outside assets");
    let (status, _, body) = get(&state, "/page/other", accept, "vary").await;
    assert_eq!(
        (status.as_u16(), String::from_utf8(body).unwrap()),
        (404, error("no such path: /page/other"))
    );
}

#[actix_web::test]
async fn a_model_that_is_known_is_not_sent_again() {
    let state = serving(ONE, "{}");
    let (status, tag, body) = get(&state, "/model", ("accept", "*/*"), "etag").await;
    assert_eq!((status, tag), (StatusCode::OK, format!("\"{}\"", state.scorer().unwrap().model().digest())));
    assert!(body.len() > 1000);
    let tag = format!("\"{}\"", state.scorer().unwrap().model().digest());
    for (known, expected) in [
        (tag.clone(), StatusCode::NOT_MODIFIED),
        (format!("\"a\", W/{tag}"), StatusCode::NOT_MODIFIED),
        ("*".to_owned(), StatusCode::NOT_MODIFIED),
        ("\"a\"".to_owned(), StatusCode::OK),
    ] {
        assert_eq!(get(&state, "/model", ("if-none-match", &known), "etag").await.0, expected, "{known}");
    }
}

#[actix_web::test]
async fn what_was_seen_already_is_left_out() {
    let state = serving(TWO, "{}");
    let verdicts = async |query: &str| {
        let (status, text) = ask(&state, Method::GET, &format!("/verdicts{query}"), b"").await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        (status.as_u16(), answer["verdicts"].as_array().map_or(0, Vec::len))
    };
    // The one verdict is of 1970-01-12T13:46:40Z.
    for (query, count) in [
        ("?since=1970-01-12T13:46:39Z", 1),
        ("?since=1970-01-12T13:46:40Z", 0),
        ("?since=999999&limit=3", 1),
        ("?since=1000001", 0),
    ] {
        assert_eq!(verdicts(query).await, (200, count), "{query}");
    }
    for path in ["/verdicts", "/events", "/verdicts/stream"] {
        let (status, text) = ask(&state, Method::GET, &format!("{path}?since=noon"), b"").await;
        let sentence = "since: expected a time such as 2026-01-31T12:00:00Z, or seconds since 1970, got noon";
        assert_eq!((status.as_u16(), text), (400, error(sentence)), "{path}");
    }
    let (_, events) = ask(&state, Method::GET, "/events?since=2026-01-01T00:00:00Z", b"").await;
    assert_eq!(serde_json::from_str::<Value>(&events).unwrap(), json!({ "events": [] }));
}

/// `detector run` on a sensor with a reading every 100 ms.
fn running(arguments: &[&str]) -> (tempfile::TempDir, Running) {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("detector.yaml");
    let text = format!(
        "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {{name: boiler}}\nspec:\n  interval: 100ms\n  sources:\n  \
         - {{name: cellar, simulated: {{seed: 7, sensors: [{ONE}]}}}}\n  model: {{train: {{samples: 100}}}}\n"
    );
    std::fs::write(&manifest, text).unwrap();
    let running = Running::start(folder.path(), &manifest, arguments);
    running.until_serving();
    (folder, running)
}

#[test]
fn verdicts_are_sent_as_they_are_made_and_missed_ones_first() {
    let (_folder, running) = running(&[]);
    let follow = |last: &str| {
        let mut stream = TcpStream::connect(running.predict).unwrap();
        write!(stream, "GET /verdicts/stream HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n{last}\r\n")
            .unwrap();
        let lines = BufReader::new(stream).lines().map(Result::unwrap);
        let ids = lines.filter_map(|line| Some(line.strip_prefix("id: ")?.parse().unwrap()));
        ids.take(5).collect::<Vec<Timestamp>>()
    };
    let seen = follow("");
    assert!(seen.is_sorted() && seen.len() == 5, "{seen:?}");
    assert_eq!(follow(&format!("Last-Event-ID: {}\r\n", seen[1]))[..3], seen[2..]);
}

#[test]
fn other_pages_may_ask_only_where_they_are_let() {
    let ask = |running: &Running, origin: &str| {
        let mut stream = TcpStream::connect(running.predict).unwrap();
        let head = "OPTIONS /predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccess-Control-Request-Method: POST\r\n";
        write!(stream, "{head}Access-Control-Request-Headers: content-type\r\nOrigin: {origin}\r\n\r\n")
            .unwrap();
        let lines: Vec<String> = BufReader::new(stream).lines().map(Result::unwrap).collect();
        let allowed = lines.iter().find_map(|line| line.strip_prefix("access-control-allow-origin: "));
        allowed.map(str::to_owned)
    };
    let (_closed, closed) = running(&[]);
    assert_eq!(ask(&closed, "https://example.org"), None);
    let (_open, open) = running(&["--cors-origin", "https://example.org"]);
    assert_eq!(ask(&open, "https://example.org"), Some("https://example.org".to_owned()));
    assert_eq!(ask(&open, "https://example.com"), None);
    let (code, answer) = ask_with(open.predict, "POST /predict", "", r#"{"value":0.5}"#).unwrap();
    assert_eq!((code, &*answer), (200, r#"{"anomaly":0}"#), "programs are no browsers");
}
