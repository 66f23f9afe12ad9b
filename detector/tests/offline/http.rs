//! Every route, through the same `configure` as the program: the answers to good and bad requests.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{App, test};
use detector::ingest::alignment::Aligned;
use detector::ingest::progress::NoProgress;
use detector::ingest::reading::Readings;
use detector::ingest::sources::Sources;
use detector::ingest::sources::access::Access;
use detector::lifecycle::monitor;
use detector::model::judge::Explain;
use detector::model::judgement::Judgement;
use detector::scoring::scorer::Outcome;
use detector::scoring::verdict::AlarmState;
use detector::scoring::verdict::Verdict;
use detector::serving::api::{configure_metrics, configure_predict};
use detector::serving::state::State;
use jiff::Timestamp;
use serde_json::{Value, json};

fn manifest(sensors: &str, train: &str) -> crd::Valid {
    let text = format!(
        "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {{name: boiler}}\nspec:\n  sources:\n  - name: cellar\n    \
         simulated: {{seed: 7, sensors: [{sensors}]}}\n  model: {{train: {train}}}\n  threshold: {{contamination: 0.01}}\n"
    );
    crd::manifest::one_detector(&text).unwrap()
}

pub const ONE: &str = "{name: pressure, unit: pascal, baseline: 0.5, noise: {uniform: {halfWidth: 0.5}}}";
pub const TWO: &str = "{name: pressure, baseline: 5, noise: {gaussian: {standardDeviation: 1}}}, {name: flow, baseline: -3, noise: {gaussian: {standardDeviation: 1}}}";

/// A detector that has judged one instant.
pub fn serving(sensors: &str, train: &str) -> Data<State> {
    let state = State::new(manifest(sensors, train));
    let sources = Arc::new(Sources::open(&state.detector, &Access::default(), state.sources()).unwrap());
    let mut trained =
        monitor::train(&state.detector, &sources, at(1_000_000), Explain::Always, &NoProgress).unwrap();
    state.serve(&trained.scorer, Duration::from_millis(5));
    sources.set_connected(None);
    let readings = trained.stream.as_scheduled().unwrap().next().unwrap().unwrap();
    let outcome = trained.scorer.judge(&readings);
    state.outcome(&Aligned { readings, carried: Vec::new(), faults: Vec::new() }, &outcome);
    state.remember(&trained.scorer);
    Data::new(state)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub async fn ask(state: &Data<State>, method: Method, path: &str, body: &[u8]) -> (StatusCode, String) {
    let configure = |config: &mut actix_web::web::ServiceConfig| match path {
        path if ["/predict", "/readings", "/verdicts", "/events", "/v1/", "/v2", "/openapi.json"]
            .iter()
            .any(|route| path.starts_with(route)) =>
        {
            configure_predict(config);
        }
        _ => configure_metrics(config),
    };
    let app = test::init_service(App::new().app_data(state.clone()).configure(configure)).await;
    let request = test::TestRequest::with_uri(path).method(method).set_payload(body.to_vec()).to_request();
    let response = test::call_service(&app, request).await;
    let status = response.status();
    (status, String::from_utf8(test::read_body(response).await.to_vec()).unwrap())
}

pub async fn predict(state: &Data<State>, body: &str) -> (u16, String) {
    let (status, text) = ask(state, Method::POST, "/predict", body.as_bytes()).await;
    (status.as_u16(), text)
}

pub fn error(sentence: &str) -> String {
    json!({ "error": sentence }).to_string()
}

#[actix_web::test]
async fn one_value_gets_the_contract_for_ever() {
    let state = serving(ONE, "{}");
    assert_eq!(predict(&state, r#"{"value":0.95}"#).await, (200, r#"{"anomaly":0}"#.to_owned()));
    assert_eq!(predict(&state, r#"{"value":1.5}"#).await, (200, r#"{"anomaly":1}"#.to_owned()));
    assert_eq!(predict(&state, r#"{"value":-7}"#).await, (200, r#"{"anomaly":1}"#.to_owned()));
}

#[actix_web::test]
async fn several_values_are_named_and_rows_come_in_batches() {
    let state = serving(TWO, "{}");
    assert_eq!(
        predict(&state, r#"{"values":{"flow":-3,"pressure":5}}"#).await,
        (200, r#"{"anomaly":0}"#.to_owned())
    );
    let (status, text) = predict(&state, r#"{"instances":[[5,-3],[5,60]]}"#).await;
    assert_eq!((status, text.as_str()), (200, r#"{"predictions":[{"anomaly":0},{"anomaly":1}]}"#));
    assert_eq!(predict(&state, r#"{"instances":[]}"#).await, (200, r#"{"predictions":[]}"#.to_owned()));
}

#[actix_web::test]
async fn detail_says_how_strange_and_why() {
    let state = serving(TWO, "{}");
    let body = br#"{"values":{"pressure":5,"flow":60}}"#;
    let (_, text) = ask(&state, Method::POST, "/predict?detail=true", body).await;
    let answer: Value = serde_json::from_str(&text).unwrap();
    let model = state.scorer().unwrap().model().clone();
    assert_eq!(answer["anomaly"], 1);
    assert!(answer["score"].as_f64().unwrap() > answer["threshold"].as_f64().unwrap());
    assert!(answer["severity"].as_f64().unwrap() > 1.0);
    assert_eq!(answer["model"], **model.digest());
    let share = |sensor: &str| answer["contributions"][sensor].as_f64().unwrap();
    assert!((share("pressure") + share("flow") - 1.0).abs() < 1e-9);
    assert!(share("flow") > 0.8, "{answer}");
    let reason = &answer["reasons"]["flow"];
    assert_eq!(
        (&reason["feature"], &reason["direction"], &reason["lag"]),
        (&json!("Value"), &json!("High"), &json!(0))
    );
    assert_eq!(reason["value"], 60.0);
    assert!(reason["expected"][0].as_f64() < reason["expected"][1].as_f64(), "{answer}");
    assert!(reason["expected"][1].as_f64() < Some(60.0), "{answer}");
}

#[actix_web::test]
async fn a_model_that_looks_back_takes_a_value_as_the_reading_that_comes_next() {
    let state = serving(ONE, "{features: [Value, Difference], lags: 1}");
    let columns = state.scorer().unwrap().model().columns();
    assert_eq!(columns, 4);
    assert_eq!(predict(&state, r#"{"value":0.5}"#).await.0, 200);
    let before = state.verdicts(1, Timestamp::MIN)[0].values[0].unwrap();
    let row = |value: f64| format!(r#"{{"instances":[[{value},{},{before},0]]}}"#, value - before);
    for value in [0.5, 9.0] {
        let ask =
            async |body: String| ask(&state, Method::POST, "/predict?detail=true", body.as_bytes()).await.1;
        let next: Value = serde_json::from_str(&ask(format!(r#"{{"value":{value}}}"#)).await).unwrap();
        let whole: Value = serde_json::from_str(&ask(row(value)).await).unwrap();
        // The row assumes that nothing had changed before; the detector knows the real change.
        let (next, whole) =
            (next["severity"].as_f64().unwrap(), whole["predictions"][0]["severity"].as_f64().unwrap());
        assert!((next - whole).abs() < 0.2, "{next} {whole}");
    }
    assert_eq!(
        predict(&state, r#"{"instances":[[0.5]]}"#).await,
        (422, error("instances[0]: expected 4 numbers, one a column, got 1"))
    );
}

#[actix_web::test]
async fn a_bad_question_gets_one_sentence_that_names_the_field() {
    let one = serving(ONE, "{}");
    for (body, status, sentence) in [
        (r#"{"value":"x"}"#, 422, r#"value: expected a finite number, got "x""#),
        (r#"{"value":null}"#, 422, "value: expected a finite number, got null"),
        (r#"{"value":1e39}"#, 422, "value: expected a finite number, got 1e+39"),
        (r#"{"values":{"pressure":"NaN"}}"#, 422, r#"values.pressure: expected a finite number, got "NaN""#),
        (r#"{"values":{}}"#, 422, "values.pressure: expected a finite number, got nothing"),
        (r#"{"values":{"pressure":1,"heat":2}}"#, 422, "values.heat: no such sensor: expected pressure"),
        (r#"{"values":{"pressure":1,"pressure":1}}"#, 422, "values.pressure: expected it once, got it twice"),
        (r#"{"values":[1]}"#, 422, "values: expected an object, got [1]"),
        (r#"{"instances":7}"#, 422, "instances: expected an array of rows, got 7"),
        (r#"{"instances":[[1],[true]]}"#, 422, "instances[1][0]: expected a finite number, got true"),
        ("{}", 400, "expected exactly one of value, values, instances, readings"),
        (r#"{"value":1,"instances":[]}"#, 400, "expected exactly one of value, values, instances, readings"),
    ] {
        assert_eq!(predict(&one, body).await, (status, error(sentence)), "{body}");
    }
    for body in [
        "",
        "{",
        "[1]",
        r#"{"value":NaN}"#,
        r#"{"value":1e400}"#,
        r#"{"valeu":1}"#,
        r#"{"value":1,"value":2}"#,
    ] {
        let (status, text) = predict(&one, body).await;
        assert_eq!(status, 400, "{body}");
        assert!(text.contains(r#"expected JSON such as {\"value\":0.95}: "#), "{text}");
    }
    let two = serving(TWO, "{}");
    assert_eq!(
        predict(&two, r#"{"value":1}"#).await,
        (422, error("value: the model has 2 sensors, pressure, flow: expected {\"values\":{…}} with each"))
    );
}

#[actix_web::test]
async fn a_body_that_is_too_large_or_no_text_is_refused() {
    let state = serving(ONE, "{}");
    let (status, text) = ask(&state, Method::POST, "/predict", &vec![b' '; 10 << 20]).await;
    assert_eq!((status.as_u16(), text), (413, error("expected a body of at most 2097152 bytes")));
    let (status, _) = ask(&state, Method::POST, "/predict", &[0xff, 0xfe, 0x00]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let nested = "[".repeat(1 << 20);
    assert_eq!(predict(&state, &format!(r#"{{"value":{nested}"#)).await.0, 400);
}

#[actix_web::test]
async fn other_paths_and_methods_are_refused_in_json() {
    let state = serving(ONE, "{}");
    let (status, text) = ask(&state, Method::GET, "/predict", b"").await;
    assert_eq!(
        (status.as_u16(), text),
        (405, error("/predict does not take GET: expected one of POST, OPTIONS"))
    );
    let (status, text) = ask(&state, Method::GET, "/metricz", b"").await;
    assert_eq!((status.as_u16(), text), (404, error("no such path: /metricz")));
    let (status, text) = ask(&state, Method::POST, "/predict?detial=true", br#"{"value":1}"#).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("expected ?detail=true or nothing"), "{text}");
}

#[actix_web::test]
async fn a_path_says_which_methods_it_takes() {
    let state = serving(ONE, "{}");
    let app = App::new().app_data(state.clone()).configure(configure_predict).configure(configure_metrics);
    let app = test::init_service(app).await;
    for (method, path, status, allowed) in [
        (Method::OPTIONS, "/predict", 204, Some("POST, OPTIONS")),
        (Method::DELETE, "/predict", 405, Some("POST, OPTIONS")),
        (Method::OPTIONS, "/verdicts", 204, Some("GET, HEAD, OPTIONS")),
        (Method::PUT, "/status", 405, Some("GET, HEAD, OPTIONS")),
        (Method::HEAD, "/verdicts", 200, None),
        (Method::HEAD, "/model", 200, None),
    ] {
        let request = test::TestRequest::with_uri(path).method(method.clone()).to_request();
        let response = test::call_service(&app, request).await;
        let allow = response.headers().get("allow").map(|value| value.to_str().unwrap());
        assert_eq!((response.status().as_u16(), allow), (status, allowed), "{method} {path}");
    }
}

#[actix_web::test]
async fn the_newest_verdicts_come_first_and_are_bounded() {
    let state = serving(ONE, "{}");
    let (status, text) = ask(&state, Method::GET, "/verdicts?limit=5", b"").await;
    assert_eq!(status, StatusCode::OK);
    let answer: Value = serde_json::from_str(&text).unwrap();
    let [verdict] = answer["verdicts"].as_array().unwrap().as_slice() else { panic!("{answer}") };
    assert_eq!(verdict["time"], "1970-01-12T13:46:40Z");
    assert_eq!(verdict["contributions"], json!({ "pressure": 1.0 }));
    for query in ["?limit=0", "?limit=1001", "?limit=x", "?last=1"] {
        let (status, text) = ask(&state, Method::GET, &format!("/verdicts{query}"), b"").await;
        assert_eq!((status.as_u16(), text), (400, error("expected ?limit= of 1 to 1000, or nothing")));
    }
}

/// Record one judged instant in the state.
fn judged(state: &State, second: i64, severity: f64, alarm_state: AlarmState) {
    let model = state.scorer().unwrap().model().digest().clone();
    let judgement = Judgement {
        score: 0.6,
        severity,
        anomalous: severity > 1.0,
        contributions: vec![0.25, 0.75],
        reasons: Vec::new(),
        model,
    };
    let values = vec![Some(5.0), Some(-3.0)];
    let readings = Readings { time: at(second), values, truth: None };
    let verdict = Verdict::new(&readings, judgement, alarm_state);
    state.outcome(&Aligned { readings, carried: Vec::new(), faults: Vec::new() }, &Outcome::Verdict(verdict));
}

#[actix_web::test]
async fn events_are_listed_newest_first_and_the_one_that_goes_on_has_no_end() {
    let state = serving(TWO, "{}");
    for (second, severity, alarm_state) in [
        (2_000_000, 1.25, AlarmState::Alarm),
        (2_000_001, 1.5, AlarmState::Ongoing),
        (2_000_004, 0.5, AlarmState::Normal),
        (2_000_005, 1.75, AlarmState::CoolingDown),
    ] {
        judged(&state, second, severity, alarm_state);
    }
    let (status, text) = ask(&state, Method::GET, "/events", b"").await;
    assert_eq!(status, StatusCode::OK);
    let sensors = json!([{"name": "flow", "share": 0.75}, {"name": "pressure", "share": 0.25}]);
    let ongoing = json!({
        "start": "1970-01-24T03:33:25Z", "end": null, "durationSeconds": 0.0,
        "peak": {"time": "1970-01-24T03:33:25Z", "severity": 1.75}, "verdicts": 1, "outcome": "cooling_down", "sensors": sensors,
    });
    let ended = json!({
        "start": "1970-01-24T03:33:20Z", "end": "1970-01-24T03:33:24Z", "durationSeconds": 4.0,
        "peak": {"time": "1970-01-24T03:33:21Z", "severity": 1.5}, "verdicts": 2, "outcome": "alarmed",
        "alarmedAt": "1970-01-24T03:33:20Z", "sensors": sensors,
    });
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer, json!({ "events": [ongoing, ended] }));
    let (_, newest) = ask(&state, Method::GET, "/events?limit=1", b"").await;
    assert_eq!(serde_json::from_str::<Value>(&newest).unwrap(), json!({ "events": [ongoing] }));
    let (_, report) = ask(&state, Method::GET, "/status", b"").await;
    assert_eq!(serde_json::from_str::<Value>(&report).unwrap()["newestEvents"], json!([ongoing, ended]));
    let (status, text) = ask(&state, Method::GET, "/events?limit=1001", b"").await;
    assert_eq!((status.as_u16(), text), (400, error("expected ?limit= of 1 to 1000, or nothing")));
}

#[actix_web::test]
async fn an_event_is_counted_once_and_the_alarm_is_on_while_it_goes_on() {
    let state = serving(TWO, "{}");
    let metrics = async || ask(&state, Method::GET, "/metrics", b"").await.1;
    let events = |outcome: &str, count: u32| {
        format!("anomaly_events_total{{outcome=\"{outcome}\",detector=\"boiler\"}} {count}\n")
    };
    let alarm = |on: u32| format!("anomaly_alarm{{detector=\"boiler\"}} {on}\n");
    judged(&state, 2_000_000, 1.25, AlarmState::TooShort);
    let text = metrics().await;
    assert!(text.contains(&alarm(0)) && text.contains(&events("too_short", 0)), "{text}");
    judged(&state, 2_000_001, 1.25, AlarmState::Alarm);
    judged(&state, 2_000_002, 1.25, AlarmState::Ongoing);
    let text = metrics().await;
    assert!(text.contains(&alarm(1)) && text.contains(&events("alarmed", 1)), "{text}");
    judged(&state, 2_000_003, 0.25, AlarmState::Normal);
    judged(&state, 2_000_004, 1.25, AlarmState::TooShort);
    judged(&state, 2_000_005, 0.25, AlarmState::Normal);
    let text = metrics().await;
    assert!(text.contains(&alarm(0)) && text.contains(&events("alarmed", 1)), "{text}");
    assert!(text.contains(&events("too_short", 1)) && text.contains(&events("muted", 0)), "{text}");
}

#[actix_web::test]
async fn probes_tell_alive_from_ready() {
    let warming = Data::new(State::new(manifest(ONE, "{samples: 10}")));
    assert_eq!(ask(&warming, Method::GET, "/livez", b"").await.0, StatusCode::OK);
    assert_eq!(
        ask(&warming, Method::GET, "/readyz", b"").await,
        (StatusCode::SERVICE_UNAVAILABLE, error("warming up: 0 of 10 samples to train on"))
    );
    assert_eq!(
        ask(&warming, Method::GET, "/startupz", b"").await,
        (StatusCode::SERVICE_UNAVAILABLE, error("warming up: 0 of 10 samples to train on"))
    );
    assert_eq!(predict(&warming, r#"{"value":1}"#).await.0, 503);
    assert_eq!(ask(&warming, Method::GET, "/model", b"").await.0, StatusCode::SERVICE_UNAVAILABLE);
    let serving = serving(ONE, "{}");
    assert_eq!(ask(&serving, Method::GET, "/readyz", b"").await.0, StatusCode::OK);
    assert_eq!(ask(&serving, Method::GET, "/startupz", b"").await.0, StatusCode::OK);
    serving.drain();
    assert_eq!(
        ask(&serving, Method::GET, "/readyz", b"").await,
        (StatusCode::SERVICE_UNAVAILABLE, error("the detector is stopping"))
    );
    assert_eq!(predict(&serving, r#"{"value":0.5}"#).await.0, 200, "a draining detector still answers");
}

#[actix_web::test]
async fn the_report_says_what_serves() {
    let state = serving(ONE, "{samples: 300}");
    let (_, text) = ask(&state, Method::GET, "/status", b"").await;
    let report: crd::contract::Report = serde_json::from_str(&text).unwrap();
    assert_eq!(report.phase, crd::contract::Phase::Serving);
    let model = report.model.unwrap();
    assert_eq!(model.samples, 300);
    assert_eq!(model.digest, **state.scorer().unwrap().model().digest());
    assert_eq!(report.sources[0].name, "cellar");
    assert!(report.sources[0].connected);
}

#[actix_web::test]
async fn the_artifact_opens_as_the_model_that_serves() {
    let state = serving(TWO, "{features: [Value, LogStdDev], lags: 2}");
    let app = test::init_service(App::new().app_data(state.clone()).configure(configure_metrics)).await;
    let response = test::call_service(&app, test::TestRequest::get().uri("/model").to_request()).await;
    let opened = detector::model::model::Model::open(test::read_body(response).await.to_vec()).unwrap();
    assert_eq!(opened.digest(), state.scorer().unwrap().model().digest());
    assert_eq!(opened.recipe(), state.scorer().unwrap().model().recipe());
}

#[actix_web::test]
async fn metrics_are_those_of_the_contract() {
    let state = serving(ONE, "{}");
    predict(&state, r#"{"value":0.5}"#).await;
    let (_, text) = ask(&state, Method::GET, "/metrics", b"").await;
    // Values change with the model; names, labels and help are the contract.
    let contract: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("# TYPE") && !line.contains("_bucket"))
        .map(|line| if line.starts_with('#') { line } else { line.rsplit_once(' ').unwrap().0 })
        .collect();
    let contract = contract.join("\n").replace(&**state.scorer().unwrap().model().digest(), "DIGEST");
    insta::assert_snapshot!(contract);
    assert!(text.contains("anomaly_score{detector=\"boiler\"} 0"), "{text}");
}

/// The number of series that Prometheus would keep.
async fn series(state: &Data<State>) -> usize {
    let (_, text) = ask(state, Method::GET, "/metrics", b"").await;
    text.lines().filter(|line| !line.starts_with('#')).count()
}

#[actix_web::test]
async fn the_spec_bounds_the_series_and_no_request_adds_to_them() {
    let sensors = |count: usize| -> String {
        let sensor = |i| format!("{{name: s{i}, noise: {{uniform: {{halfWidth: 1}}}}}}");
        (0..count).map(sensor).collect::<Vec<_>>().join(", ")
    };
    let (one, ten) = (serving(&sensors(1), "{samples: 50}"), serving(&sensors(10), "{samples: 50}"));
    assert_eq!(series(&ten).await - series(&one).await, 9 * 3, "contribution, value and time of each sensor");
    for body in ["", "{}", r#"{"value":0}"#, r#"{"value":"x"}"#] {
        predict(&one, body).await;
    }
    let before = series(&one).await;
    for i in 0..50 {
        predict(&one, &format!(r#"{{"values":{{"s{i}":{i}}}}}"#)).await;
        predict(&one, &format!(r#"{{"value":"{i}"}}"#)).await;
        ask(&one, Method::POST, &format!("/predict/{i}"), b"{}").await;
        ask(&one, Method::GET, &format!("/verdicts?limit=x{i}"), b"").await;
    }
    assert_eq!(series(&one).await, before);
}

#[actix_web::test]
async fn a_metric_without_a_verdict_yet_does_not_pretend_to_be_one() {
    let warming = Data::new(State::new(manifest(ONE, "{samples: 10}")));
    let (_, text) = ask(&warming, Method::GET, "/metrics", b"").await;
    assert!(!text.contains("anomaly_score"), "{text}");
    assert!(text.contains("anomaly_source_up{source=\"cellar\",detector=\"boiler\"} 0"), "{text}");
}

#[actix_web::test]
async fn nothing_can_be_pushed_to_a_detector_without_a_source_for_it() {
    let state = serving(ONE, "{}");
    assert_eq!(
        ask(&state, Method::POST, "/readings", b"{}").await,
        (StatusCode::NOT_FOUND, error("the detector has no source of kind http to push readings to"))
    );
    assert_eq!(ask(&state, Method::GET, "/readings", b"").await.0, StatusCode::METHOD_NOT_ALLOWED);
}
