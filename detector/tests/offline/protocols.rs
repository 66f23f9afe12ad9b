//! Predictions by the protocols of others: KServe version 1, Open Inference Protocol version 2, lines of JSON.

use actix_web::http::{Method, Version};
use actix_web::web::Data;
use actix_web::{App, test};
use detector::serving::api::configure_predict;
use detector::serving::state::State;
use detector::serving::zstd;
use serde_json::{Value, json};

use crate::http::{ONE, TWO, ask, error, predict, serving};

const JSON_LENGTH: &str = "inference-header-content-length";

async fn post(state: &Data<State>, path: &str, body: &str) -> (u16, Value) {
    let (status, text) = ask(state, Method::POST, path, body.as_bytes()).await;
    (status.as_u16(), serde_json::from_str(&text).unwrap())
}

async fn get(state: &Data<State>, path: &str) -> (u16, Value) {
    let (status, text) = ask(state, Method::GET, path, b"").await;
    (status.as_u16(), serde_json::from_str(&text).unwrap())
}

/// Send a body with headers. Return the status, the JSON's length of a binary answer, and the body.
async fn send(
    state: &Data<State>,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> (u16, Option<usize>, Vec<u8>) {
    let app = test::init_service(App::new().app_data(state.clone()).configure(configure_predict)).await;
    let request = test::TestRequest::post().uri(path).set_payload(body);
    let request = headers.iter().fold(request, |request, header| request.insert_header(*header));
    let response = test::call_service(&app, request.to_request()).await;
    let status = response.status().as_u16();
    let length = response.headers().get(JSON_LENGTH).map(|value| value.to_str().unwrap().parse().unwrap());
    (status, length, test::read_body(response).await.to_vec())
}

fn unavailable() -> Data<State> {
    let text = "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {name: boiler}\nspec:\n  sources:\n  \
                - {name: cellar, simulated: {seed: 7, sensors: [{name: pressure}]}}\n  model: {train: {}}\n";
    Data::new(State::new(crd::manifest::one_detector(text).unwrap()))
}

#[actix_web::test]
async fn a_number_as_a_string_is_taken() {
    let state = serving(ONE, "{}");
    assert_eq!(predict(&state, r#"{"value":"0.5"}"#).await, (200, r#"{"anomaly":0}"#.to_owned()));
    assert_eq!(
        predict(&state, r#"{"values":{"pressure":" 7 "}}"#).await,
        (200, r#"{"anomaly":1}"#.to_owned())
    );
}

#[actix_web::test]
async fn rows_of_readings_become_the_columns_that_the_pipeline_makes_of_them() {
    let state = serving(TWO, "{features: [Value, Difference], lags: 1}");
    let readings = r#"{"readings":[[5,-3],{"flow":-3.5,"pressure":"5.5"},[5,-3],[5,60]]}"#;
    // Each vector has the value and the difference of each sensor, now and one reading back.
    let rows = r#"{"instances":[[5,-0.5,-3,0.5,5.5,0.5,-3.5,-0.5],[5,0,60,63,5,-0.5,-3,0.5]]}"#;
    for (path, list) in [("/predict", "predictions"), ("/predict?detail=true", "predictions")] {
        let (status, answer) = post(&state, path, readings).await;
        assert_eq!(status, 200, "{answer}");
        let (_, expected) = post(&state, path, rows).await;
        let (got, expected) = (answer[list].as_array().unwrap(), expected[list].as_array().unwrap());
        assert_eq!(got[..2], [Value::Null, Value::Null], "they are looked back on");
        assert_eq!((got.len(), &got[2]["score"]), (4, &expected[0]["score"]));
        assert_eq!((&got[3]["score"], &got[3]["anomaly"]), (&expected[1]["score"], &json!(1)));
    }
    let (_, answer) = post(&state, "/v1/models/boiler:predict", readings).await;
    assert_eq!(answer["predictions"], json!([null, null, 1, -1]));
    let (_, answer) = post(&state, "/v1/models/boiler:explain", readings).await;
    assert_eq!(answer["predictions"], json!([null, null, 1, -1]));
    assert_eq!(
        (&answer["explanations"][0], &answer["explanations"][3]["anomaly"]),
        (&Value::Null, &json!(1))
    );
    let flat = "[5,-3,5.5,-3.5,5,-3,5,60]";
    let tensor =
        format!(r#"{{"inputs":[{{"name":"readings","shape":[4,2],"datatype":"FP64","data":{flat}}}]}}"#);
    let (_, answer) = post(&state, "/v2/models/boiler/infer", &tensor).await;
    assert_eq!(
        (&answer["outputs"][0]["shape"], &answer["outputs"][0]["data"]),
        (&json!([2]), &json!([0, 1]))
    );
    assert_eq!(get(&state, "/v2/models/boiler").await.1["parameters"]["looks_back"], 2);
    let (_, answer) = post(&state, "/predict", r#"{"readings":[[5,-3]]}"#).await;
    assert_eq!(answer["predictions"], json!([null]), "too few to judge any");
}

#[actix_web::test]
async fn rows_of_readings_that_cannot_be_judged_say_why() {
    let state = serving(TWO, "{features: [Value, Difference]}");
    for (path, body, code, sentence) in [
        (
            "/predict",
            r#"{"readings":[[5,-3],[5]]}"#,
            422,
            "readings[1]: expected 2 numbers, one a sensor, got 1",
        ),
        ("/predict", r#"{"readings":7}"#, 422, "readings: expected an array of rows, got 7"),
        (
            "/predict",
            r#"{"readings":[{"flow":1}]}"#,
            422,
            "readings[0].pressure: expected a finite number, got nothing",
        ),
        (
            "/predict",
            r#"{"readings":[],"start":"soon"}"#,
            400,
            "start: expected a time such as 2026-01-31T12:00:00Z, or seconds since 1970, got soon",
        ),
        ("/predict", r#"{"value":1,"start":"1"}"#, 400, "start: expected only beside readings"),
        (
            "/v2/models/boiler/infer",
            r#"{"inputs":[{"name":"readings","shape":[1,2],"datatype":"FP64","data":[1,2]}]}"#,
            422,
            "input readings: expected at least 2 rows, as the model looks back, got 1",
        ),
        (
            "/v2/models/boiler/infer",
            r#"{"inputs":[{"name":"readings","shape":[1,4],"datatype":"FP64","data":[1,2,3,4]}]}"#,
            422,
            "input readings: expected the shape [rows, 2], got [1, 4]",
        ),
    ] {
        assert_eq!(post(&state, path, body).await, (code, json!({ "error": sentence })), "{body}");
    }
    let daily = serving(ONE, "{features: [Value, DailyResidual]}");
    let (code, answer) = post(&daily, "/predict", r#"{"readings":[[0.5]]}"#).await;
    assert_eq!(code, 422, "{answer}");
    let (code, _) = post(&daily, "/predict", r#"{"readings":[[0.5]],"start":"2026-01-31T12:00:00Z"}"#).await;
    assert_eq!(code, 200);
}

#[actix_web::test]
async fn many_rows_of_readings_are_judged_beside_single_rows_and_in_their_order() {
    let state = serving(ONE, "{features: [Value, RollingMean], window: 50, lags: 3}");
    let readings: Vec<[f64; 1]> = (0..9000).map(|row| [if row % 1000 == 999 { 40.0 } else { 0.5 }]).collect();
    let (status, answer) = post(&state, "/predict", &json!({ "readings": readings }).to_string()).await;
    assert_eq!(status, 200);
    let predictions = answer["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), 9000);
    assert!(predictions[..52].iter().all(Value::is_null) && !predictions[52].is_null());
    assert!((999..9000).step_by(1000).all(|row| predictions[row]["anomaly"] == 1));
    assert_eq!(predictions[900]["anomaly"], 0);
}

#[actix_web::test]
async fn rows_come_by_name_in_any_order() {
    let state = serving(TWO, "{}");
    let body = r#"{"instances":[{"flow":-3,"pressure":5},[5,60],{"pressure":5,"flow":"60"}]}"#;
    let expected = r#"{"predictions":[{"anomaly":0},{"anomaly":1},{"anomaly":1}]}"#;
    assert_eq!(predict(&state, body).await, (200, expected.to_owned()));
    for (body, sentence) in [
        (r#"{"instances":[{"flow":-3}]}"#, "instances[0].pressure: expected a finite number, got nothing"),
        (
            r#"{"instances":[[5,-3],{"flow":-3,"pressure":5,"heat":1}]}"#,
            "instances[1].heat: no such column: expected pressure, flow",
        ),
        (
            r#"{"instances":[{"flow":-3,"flow":-3,"pressure":5}]}"#,
            "instances[0].flow: expected it once, got it twice",
        ),
        (
            r#"{"instances":[{"flow":null,"pressure":5}]}"#,
            "instances[0].flow: expected a finite number, got null",
        ),
    ] {
        assert_eq!(predict(&state, body).await, (422, error(sentence)), "{body}");
    }
}

#[actix_web::test]
async fn a_model_that_looks_back_names_its_columns() {
    let state = serving(ONE, "{features: [Value, Difference], lags: 1}");
    let row = r#"{"instances":[{"pressure":0.5,"pressure.difference":0,"pressure.lag1":0.5,"pressure.difference.lag1":0}]}"#;
    assert_eq!(predict(&state, row).await, predict(&state, r#"{"instances":[[0.5,0,0.5,0]]}"#).await);
    let (_, metadata) = get(&state, "/v2/models/boiler").await;
    let names = ["pressure", "pressure.difference", "pressure.lag1", "pressure.difference.lag1"];
    assert_eq!(metadata["parameters"]["columns"], json!(names));
    assert_eq!(metadata["inputs"][0]["shape"], json!([-1, 4]));
}

#[actix_web::test]
async fn lines_in_are_lines_out_whatever_their_number() {
    let state = serving(TWO, "{}");
    let lines =
        |count: usize| format!("[5,-3]\n\n{{\"flow\":60,\"pressure\":5}}\r\n{}", "[5,-3]\n".repeat(count));
    for count in [0, 5000] {
        let body = lines(count).into_bytes();
        let header = [("content-type", "application/x-ndjson; charset=utf-8")];
        let (status, _, answer) = send(&state, "/predict", &header, body).await;
        let expected = format!("{{\"anomaly\":0}}\n{{\"anomaly\":1}}\n{}", "{\"anomaly\":0}\n".repeat(count));
        assert_eq!((status, String::from_utf8(answer).unwrap()), (200, expected));
    }
    for (body, status, sentence) in [
        ("[5,-3]\n\n[5]\n", 422, "line 3: expected 2 numbers, one a column, got 1"),
        ("[5,-3]\n{\"flow\":1}", 422, "line 2.pressure: expected a finite number, got nothing"),
        ("7", 422, "line 1: expected an array of 2 numbers, got 7"),
        ("[5,-3]\n\n[1e300,5]\n", 422, "line 3[0]: expected a finite number, got 1e+300"),
        ("[5,-3][5,-3]", 400, "line 1: expected JSON: trailing characters at line 1 column 7"),
    ] {
        let header = [("content-type", "application/jsonl")];
        let (code, _, answer) = send(&state, "/predict", &header, body.into()).await;
        assert_eq!((code, String::from_utf8(answer).unwrap()), (status, error(sentence)), "{body}");
    }
}

#[actix_web::test]
async fn a_body_may_be_compressed_and_no_bomb_goes_off() {
    use std::io::Write;
    let state = serving(ONE, "{}");
    let packed = |body: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    };
    let gzip = [("content-encoding", "gzip")];
    for (body, status, answer) in [
        (packed(br#"{"value":7}"#), 200, r#"{"anomaly":1}"#.to_owned()),
        (packed(br#"{"instances":[[0.5]]}"#), 200, r#"{"predictions":[{"anomaly":0}]}"#.to_owned()),
        (packed(&vec![b' '; 64 << 20]), 413, error("expected a body of at most 2097152 bytes")),
        (b"this is no gzip".to_vec(), 400, error("expected gzip: invalid gzip header")),
    ] {
        let (code, _, text) = send(&state, "/predict", &gzip, body).await;
        assert_eq!((code, String::from_utf8(text).unwrap()), (status, answer));
    }
    for (body, status, answer) in [
        (zstd::frame(br#"{"instances":[[0.5]]}"#), 200, r#"{"predictions":[{"anomaly":0}]}"#.to_owned()),
        (zstd::frame(&vec![b' '; 64 << 20]), 413, error("expected a body of at most 2097152 bytes")),
        (b"none".to_vec(), 400, error("expected zstd: Read wrong magic number: 0x656E6F6E")),
    ] {
        let (code, _, text) = send(&state, "/predict", &[("content-encoding", "zstd")], body).await;
        assert_eq!((code, String::from_utf8(text).unwrap()), (status, answer));
    }
    let (code, ..) = send(&state, "/predict", &[("content-encoding", "br")], b"x".to_vec()).await;
    assert_eq!(code, 415);
}

#[actix_web::test]
async fn version_1_predicts_as_scikit_learn_and_explains() {
    let state = serving(TWO, "{}");
    assert_eq!(get(&state, "/v1/models").await, (200, json!({ "models": ["boiler"] })));
    assert_eq!(get(&state, "/v1/models/boiler").await, (200, json!({ "name": "boiler", "ready": true })));
    let rows = r#"[[5,-3],{"pressure":5,"flow":60}]"#;
    for field in ["instances", "inputs"] {
        let body = format!("{{\"{field}\":{rows}}}");
        let answer = post(&state, "/v1/models/boiler:predict", &body).await;
        assert_eq!(answer, (200, json!({ "predictions": [1, -1] })));
    }
    let body = format!("{{\"instances\":{rows}}}");
    let (_, detailed) = post(&state, "/v1/models/boiler:predict?detail=true", &body).await;
    let (_, native) = post(&state, "/predict?detail=true", &body).await;
    assert_eq!(detailed, native);
    let (status, explained) = post(&state, "/v1/models/boiler:explain", &body).await;
    assert_eq!(status, 200);
    assert_eq!(explained, json!({ "explanations": native["predictions"], "predictions": [1, -1] }));
    let none = post(&state, "/v1/models/boiler:explain", r#"{"instances":[]}"#).await;
    assert_eq!(none, (200, json!({ "explanations": [], "predictions": [] })));
    let many = format!("{{\"instances\":[{}[5,60]]}}", "[5,-3],".repeat(300));
    let (_, many) = post(&state, "/v1/models/boiler:explain", &many).await;
    assert_eq!(many["predictions"].as_array().unwrap().iter().filter(|label| **label == -1).count(), 1);
    assert_eq!(many["explanations"].as_array().unwrap().len(), 301);
}

#[actix_web::test]
async fn another_model_is_not_found_and_one_in_training_is_not_ready() {
    let state = serving(ONE, "{}");
    let sentence = json!({ "error": "no such model: oven, expected boiler" });
    for path in ["/v1/models/oven", "/v2/models/oven", "/v2/models/oven/ready"] {
        assert_eq!(get(&state, path).await, (404, sentence.clone()), "{path}");
    }
    for path in ["/v1/models/oven:predict", "/v1/models/oven:explain", "/v2/models/oven/infer"] {
        assert_eq!(post(&state, path, "{}").await, (404, sentence.clone()), "{path}");
    }
    let version = state.scorer().unwrap().model().digest()["sha256:".len()..][..12].to_owned();
    assert_eq!(get(&state, &format!("/v2/models/boiler/versions/{version}/ready")).await.0, 200);
    assert_eq!(
        get(&state, "/v2/models/boiler/versions/7").await,
        (404, json!({ "error": format!("no such version: 7, expected {version}") }))
    );
    let training = unavailable();
    for path in ["/v1/models/boiler", "/v2/health/ready", "/v2/models/boiler", "/v2/models/boiler/ready"] {
        assert_eq!(get(&training, path).await.0, 503, "{path}");
    }
    assert_eq!(get(&training, "/v2/health/live").await, (200, json!({ "live": true })));
    assert_eq!(post(&training, "/v2/models/boiler/infer", "{}").await.0, 503);
}

fn tensor(shape: &str, datatype: &str, data: &str) -> String {
    format!(
        r#"{{"id":"a7","inputs":[{{"name":"x","shape":{shape},"datatype":"{datatype}","data":{data}}}]}}"#
    )
}

#[actix_web::test]
async fn version_2_takes_a_tensor_flat_or_nested() {
    let state = serving(TWO, "{}");
    let expected = state.scorer().unwrap().threshold();
    for (datatype, data) in [
        ("FP64", "[5,-3,5,60]"),
        ("FP32", "[[5,-3],[5,60]]"),
        ("INT16", "[5,-3,5,60]"),
        ("BYTES", r#"["5","-3","5","60"]"#),
    ] {
        let (status, answer) =
            post(&state, "/v2/models/boiler/infer", &tensor("[2,2]", datatype, data)).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!((&answer["model_name"], &answer["id"]), (&json!("boiler"), &json!("a7")));
        let [outlier, score, threshold] = answer["outputs"].as_array().unwrap().as_slice() else {
            panic!("{answer}")
        };
        assert_eq!(
            outlier,
            &json!({"name": "is_outlier", "datatype": "INT64", "shape": [2], "data": [0, 1]})
        );
        assert_eq!((&score["name"], &score["shape"]), (&json!("instance_score"), &json!([2])));
        assert_eq!(threshold["data"], json!([expected]));
    }
}

#[actix_web::test]
async fn version_2_takes_a_tensor_a_column_and_answers_what_is_asked_for() {
    let state = serving(TWO, "{}");
    let column = |name: &str, shape: &str, data: &str| {
        format!(r#"{{"name":"{name}","shape":{shape},"datatype":"FP64","data":{data}}}"#)
    };
    let inputs = [column("flow", "[2]", "[-3,60]"), column("pressure", "[2,1]", "[5,5]")].join(",");
    let outputs = r#"[{"name":"predict"},{"name":"severity"},{"name":"feature_score"}]"#;
    let body = format!(r#"{{"inputs":[{inputs}],"outputs":{outputs}}}"#);
    let (status, answer) = post(&state, "/v2/models/boiler/infer", &body).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["outputs"][0]["data"], json!([1, -1]));
    assert!(answer["outputs"][1]["data"][1].as_f64() > Some(1.0), "{answer}");
    let shares = &answer["outputs"][2];
    assert_eq!(shares["shape"], json!([2, 2]));
    assert!(shares["data"][3].as_f64() > Some(0.8), "flow of the second row: {answer}");
    for (inputs, sentence) in [
        (
            column("flow", "[2]", "[-3,60]"),
            "inputs: expected a tensor of shape [rows, 2] or a tensor a column, got one of shape [2]",
        ),
        (
            [column("flow", "[2]", "[1,2]"), column("heat", "[2]", "[1,2]")].join(","),
            "input heat: no such column: expected pressure, flow",
        ),
        (
            [column("flow", "[2]", "[1,2]"), column("flow", "[2]", "[1,2]")].join(","),
            "input flow: expected it once, got it twice",
        ),
        (
            [column("flow", "[2]", "[1,2]"), column("pressure", "[3]", "[1,2,3]")].join(","),
            "input pressure: expected the shape [rows] or [rows, 1], the same as the other columns, got [3]",
        ),
        (column("x", "[1,2]", "[1,2,3]"), "input x: expected as many numbers as the shape [1, 2] has, got 3"),
        (column("x", "[1,2]", "[1,null]"), "input x: data[1]: expected a finite number, got null"),
        (column("x", "[9223372036854775807,2]", "[1]"), ""),
    ] {
        let (status, answer) =
            post(&state, "/v2/models/boiler/infer", &format!(r#"{{"inputs":[{inputs}]}}"#)).await;
        assert!(matches!(status, 413 | 422), "{inputs}: {answer}");
        assert!(sentence.is_empty() || answer["error"] == sentence, "{answer}");
    }
    let body = format!(r#"{{"inputs":[{inputs}],"outputs":[{{"name":"y"}}]}}"#);
    assert_eq!(
        post(&state, "/v2/models/boiler/infer", &body).await.1["error"],
        "outputs: no such output: y, expected is_outlier, instance_score, threshold, severity, predict, feature_score"
    );
}

#[actix_web::test]
async fn binary_tensors_go_both_ways_and_score_as_json_does() {
    let state = serving(TWO, "{}");
    let rows: Vec<f64> = (0..5000).flat_map(|row| [5.0, f64::from(row % 100) - 50.0]).collect();
    let data: Vec<u8> = rows.iter().flat_map(|number| number.to_le_bytes()).collect();
    let json = format!(
        r#"{{"inputs":[{{"name":"x","shape":[5000,2],"datatype":"FP64","parameters":{{"binary_data_size":{}}}}}],"parameters":{{"binary_data_output":true}}}}"#,
        data.len()
    );
    let body = [json.as_bytes(), &data].concat();
    let length = json.len().to_string();
    let (status, length, answer) =
        send(&state, "/v2/models/boiler/infer", &[(JSON_LENGTH, &length)], body).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    let (head, binary) = answer.split_at(length.unwrap());
    let head: Value = serde_json::from_slice(head).unwrap();
    assert_eq!(head["outputs"][0]["parameters"]["binary_data_size"], 40_000);
    assert_eq!(binary.len(), 40_000 + 40_000 + 8);
    let scores: Vec<f64> =
        binary[40_000..80_000].as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    let numbers = serde_json::to_string(&rows).unwrap();
    let (_, in_json) = post(&state, "/v2/models/boiler/infer", &tensor("[5000,2]", "FP64", &numbers)).await;
    assert_eq!(in_json["outputs"][1]["data"], json!(scores));
}

#[actix_web::test]
async fn an_answer_may_be_partly_json_and_partly_binary() {
    let state = serving(ONE, "{}");
    let outputs = r#"[{"name":"is_outlier","parameters":{"binary_data":true}},{"name":"severity"}]"#;
    for rows in [2, 3000] {
        let data = format!("[0.5{}]", ",7".repeat(rows - 1));
        let body = format!(
            r#"{{"inputs":[{{"name":"x","shape":[{rows}],"datatype":"FP64","data":{data}}}],"outputs":{outputs}}}"#
        );
        let (status, length, answer) = send(&state, "/v2/models/boiler/infer", &[], body.into()).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
        let (head, binary) = answer.split_at(length.unwrap());
        let head: Value = serde_json::from_slice(head).unwrap();
        assert_eq!(head["outputs"][1]["data"].as_array().unwrap().len(), rows);
        assert_eq!((binary.len(), binary[0], binary[8]), (8 * rows, 0, 1));
    }
}

#[actix_web::test]
async fn binary_tensors_that_break_off_are_refused() {
    let state = serving(ONE, "{}");
    let head = |size: usize| {
        format!(
            r#"{{"inputs":[{{"name":"x","shape":[1,1],"datatype":"FP32","parameters":{{"binary_data_size":{size}}}}}]}}"#
        )
    };
    for (size, binary, length, status, sentence) in [
        (4, &b"\0\0\0"[..], None, 422, "input x: expected 4 bytes of it after the JSON, got 3"),
        (4, b"\0\0\0\0\0", None, 400, "expected no bytes after the last tensor, got 1"),
        (3, b"\0\0\0", None, 422, "input x: expected whole elements, got 3 bytes"),
        (
            8,
            b"\0\0\0\0\0\0\0\0",
            None,
            422,
            "input x: expected as many numbers as the shape [1, 1] has, got 2",
        ),
        (
            4,
            b"\0\0\xc0\x7f",
            None,
            422,
            "row 0 of the inputs: expected a finite number within the range of 32-bit floats, got NaN",
        ),
        (4, b"\0\0\0\0", Some("9999"), 400, "Inference-Header-Content-Length: expected at most the body's"),
        (4, b"\0\0\0\0", Some("x"), 400, "Inference-Header-Content-Length: expected a number of bytes"),
    ] {
        let json = head(size);
        let length = length.map_or(json.len().to_string(), str::to_owned);
        let body = [json.as_bytes(), binary].concat();
        let (code, _, answer) =
            send(&state, "/v2/models/boiler/infer", &[(JSON_LENGTH, &length)], body).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(code, status, "{answer}");
        assert!(answer["error"].as_str().unwrap().starts_with(sentence), "{answer}");
    }
}

/// A field of protobuf that has a length.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(content.len()).unwrap()], content].concat()
}

/// An inference request with one row, 0.5, in the field of its type.
fn infer_request() -> Vec<u8> {
    let contents = field(5, &field(7, &0.5_f64.to_le_bytes()));
    let tensor = [field(1, b"input"), field(2, b"FP64"), field(3, &[1, 1]), contents].concat();
    [field(1, b"boiler"), field(5, &tensor)].concat()
}

/// Call a gRPC method. Return the message of the answer.
async fn call(state: &Data<State>, method: &str, message: &[u8]) -> Vec<u8> {
    let app = test::init_service(App::new().app_data(state.clone()).configure(configure_predict)).await;
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let request = test::TestRequest::post()
        .version(Version::HTTP_2)
        .uri(&format!("/inference.GRPCInferenceService/{method}"))
        .insert_header(("content-type", "application/grpc"))
        .set_payload([&[0], &length[..], message].concat());
    let response = test::call_service(&app, request.to_request()).await;
    assert_eq!(response.headers().get("content-type").unwrap(), "application/grpc");
    let body = test::read_body(response).await;
    let (&[flag, a, b, c, d], message) = body.split_first_chunk().unwrap();
    assert_eq!((flag, u32::from_be_bytes([a, b, c, d]) as usize), (0, message.len()));
    message.to_vec()
}

#[actix_web::test]
async fn a_row_is_judged_over_grpc() {
    let state = serving(ONE, "{}");
    let answer = call(&state, "ModelInfer", &infer_request()).await;
    let has = |part: &[u8]| answer.windows(part.len()).any(|window| window == part);
    assert!(has(&field(1, b"boiler")));
    for (name, kind) in [("is_outlier", "INT64"), ("instance_score", "FP64"), ("threshold", "FP64")] {
        assert!(has(&[field(1, name.as_bytes()), field(2, kind.as_bytes())].concat()), "{name}");
    }
    assert!(has(&field(5, &field(3, &[0]))), "it is no outlier");
    assert_eq!(call(&state, "ServerReady", &[]).await, [8, 1]);
}

#[actix_web::test]
async fn protocols_are_counted_apart() {
    let state = serving(ONE, "{}");
    predict(&state, r#"{"value":0.5}"#).await;
    post(&state, "/v1/models/boiler:predict", r#"{"instances":[[0.5]]}"#).await;
    post(&state, "/v2/models/boiler/infer", "{}").await;
    call(&state, "ModelInfer", &infer_request()).await;
    let (_, text) = ask(&state, Method::GET, "/metrics", b"").await;
    for (protocol, code) in [("predict", 200), ("v1", 200), ("v2", 400), ("grpc", 200)] {
        let line = format!(
            r#"anomaly_predictions_total{{code="{code}",protocol="{protocol}",detector="boiler"}} 1"#
        );
        assert!(text.contains(&line), "{line}\n{text}");
    }
}
