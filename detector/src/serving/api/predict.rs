//! `POST /predict`: one value, the values of all sensors, or whole rows in; 0 or 1 out, more with `?detail=true`.

use std::sync::Arc;
use std::time::Instant;

use actix_web::error::PayloadError;
use actix_web::web::{Bytes, Data, Query};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::error::{ApiError, MAX_BYTES};
use crate::model::judgement::Judgement;
use crate::model::model::{Explain, Unjudgeable};
use crate::scoring::scorer::Scorer;
use crate::serving::metrics::Protocol;
use crate::serving::state::State;

/// Exactly one of the three.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    /// The reading of the only sensor.
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
    /// A reading of every sensor, by name.
    #[serde(default, deserialize_with = "present")]
    values: Option<Value>,
    /// Whole rows, as the model sees them.
    #[serde(default, deserialize_with = "present")]
    instances: Option<Value>,
}

/// How much of an answer is wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Score, severity, threshold, contributions, reasons and model beside the verdict.
    #[serde(default)]
    detail: bool,
}

/// `null` is a value, and a wrong one; only what is not there is absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The handler: time it, count it, answer it.
pub(super) async fn predict(
    state: Data<State>,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> HttpResponse {
    let began = Instant::now();
    let answer = answer(&state, &request, body);
    let response = answer.map_or_else(|error| error.error_response(), |json| HttpResponse::Ok().json(json));
    state.metrics.prediction(Protocol::Predict, response.status().as_u16(), began.elapsed());
    response
}

fn answer(
    state: &State,
    request: &HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Result<Value, ApiError> {
    let options = Query::<Options>::from_query(request.query_string())
        .map_err(|error| ApiError::Malformed(format!("expected ?detail=true or nothing: {error}")))?;
    let body = body.map_err(|error| unreadable(&error))?;
    let scorer = state.scorer().ok_or_else(|| ApiError::NotReady(state.why_no_model()))?;
    let question = question(&body)?;
    let explain = if options.detail { Explain::Always } else { Explain::Never };
    let one = |judgement: &Judgement| {
        if options.detail { detail(&scorer, judgement) } else { bare(judgement) }
    };
    match (question.value, question.values, question.instances) {
        (Some(value), None, None) => Ok(one(&judge_value(&scorer, &value, explain)?)),
        (None, Some(values), None) => Ok(one(&judge_values(&scorer, values, explain)?)),
        (None, None, Some(rows)) => {
            let judgements = judge_rows(&scorer, rows, explain)?;
            Ok(json!({ "predictions": judgements.iter().map(one).collect::<Vec<_>>() }))
        }
        _ => Err(ApiError::Malformed("expected exactly one of value, values, instances".to_owned())),
    }
}

/// An object with the fields of [`Question`], each at most once. (An array of their values would pass for one.)
fn question(body: &[u8]) -> Result<Question, ApiError> {
    let refused = |why: &str| ApiError::Malformed(format!("expected JSON such as {{\"value\":0.95}}: {why}"));
    match body.trim_ascii_start().first() {
        Some(b'[') => Err(refused("an array is no object")),
        _ => serde_json::from_slice(body).map_err(|error| refused(&error.to_string())),
    }
}

fn unreadable(error: &actix_web::Error) -> ApiError {
    match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => ApiError::TooLarge(MAX_BYTES),
        _ => ApiError::Malformed(format!("the body could not be read: {error}")),
    }
}

fn judge_value(scorer: &Arc<Scorer>, value: &Value, explain: Explain) -> Result<Judgement, ApiError> {
    match scorer.model().sensors() {
        [_] => judge_next(scorer, &[number("value", value)?], explain),
        sensors => Err(ApiError::Unprocessable(
            "value".to_owned(),
            format!(
                "the model has {} sensors, {}: expected {{\"values\":{{…}}}} with each",
                sensors.len(),
                sensors.join(", ")
            ),
        )),
    }
}

fn judge_values(scorer: &Arc<Scorer>, values: Value, explain: Explain) -> Result<Judgement, ApiError> {
    let Value::Object(mut values) = values else {
        return Err(ApiError::Unprocessable(
            "values".to_owned(),
            format!("expected an object, got {}", shown(&values)),
        ));
    };
    let sensors = scorer.model().sensors();
    let row = sensors.iter().map(|sensor| {
        let field = format!("values.{sensor}");
        let value = values.remove(sensor).ok_or_else(|| missing(&field))?;
        number(&field, &value)
    });
    let row = row.collect::<Result<Vec<f64>, _>>()?;
    if let Some((unknown, _)) = values.iter().next() {
        let sentence = format!("no such sensor: expected {}", sensors.join(", "));
        return Err(ApiError::Unprocessable(format!("values.{unknown}"), sentence));
    }
    judge_next(scorer, &row, explain)
}

/// Judge values as the reading that follows those that the detector has seen.
fn judge_next(scorer: &Arc<Scorer>, values: &[f64], explain: Explain) -> Result<Judgement, ApiError> {
    let judgement = scorer.judge_next(values, explain).ok_or_else(|| {
        ApiError::NotReady("the model looks back on readings that have not come yet".to_owned())
    })?;
    judgement.map_err(|Unjudgeable(value)| {
        ApiError::Unprocessable(
            "value".to_owned(),
            format!("too far from the readings before to be judged: {value}"),
        )
    })
}

fn judge_rows(scorer: &Scorer, rows: Value, explain: Explain) -> Result<Vec<Judgement>, ApiError> {
    let Value::Array(rows) = rows else {
        return Err(ApiError::Unprocessable(
            "instances".to_owned(),
            format!("expected an array of rows, got {}", shown(&rows)),
        ));
    };
    rows.iter()
        .enumerate()
        .map(|(i, row)| judge_row(scorer, &format!("instances[{i}]"), row, explain))
        .collect()
}

fn judge_row(scorer: &Scorer, field: &str, row: &Value, explain: Explain) -> Result<Judgement, ApiError> {
    let columns = scorer.model().columns();
    let cells = match row {
        Value::Array(cells) if cells.len() == columns => cells,
        Value::Array(cells) => {
            let sentence = format!("expected {columns} numbers, one a column, got {}", cells.len());
            return Err(ApiError::Unprocessable(field.to_owned(), sentence));
        }
        other => {
            let sentence = format!("expected an array of {columns} numbers, got {}", shown(other));
            return Err(ApiError::Unprocessable(field.to_owned(), sentence));
        }
    };
    let cells = cells.iter().enumerate().map(|(j, cell)| number(&format!("{field}[{j}]"), cell));
    let vector = cells.collect::<Result<Vec<f64>, _>>()?;
    scorer
        .judge_vector(vector, explain)
        .map_err(|error| ApiError::Unprocessable(field.to_owned(), error.to_string()))
}

/// A finite number that a 32-bit float can hold, as the forest sees numbers.
fn number(field: &str, value: &Value) -> Result<f64, ApiError> {
    value.as_f64().filter(|number| forest::cell(*number).is_some()).ok_or_else(|| {
        ApiError::Unprocessable(field.to_owned(), format!("expected a finite number, got {}", shown(value)))
    })
}

fn missing(field: &str) -> ApiError {
    ApiError::Unprocessable(field.to_owned(), "expected a finite number, got nothing".to_owned())
}

/// The value as JSON, cut where it is long.
fn shown(value: &Value) -> String {
    const MAX: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(MAX) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

fn bare(judgement: &Judgement) -> Value {
    json!({ "anomaly": u8::from(judgement.anomalous) })
}

fn detail(scorer: &Scorer, judgement: &Judgement) -> Value {
    let model = scorer.model();
    let shares =
        model.sensors().iter().cloned().zip(judgement.contributions.iter().map(|share| json!(share)));
    let reasons = model.sensors().iter().cloned().zip(judgement.reasons.iter().map(|reason| json!(reason)));
    json!({
        "anomaly": u8::from(judgement.anomalous),
        "score": judgement.score,
        "severity": judgement.severity,
        "threshold": scorer.threshold(),
        "contributions": shares.collect::<Map<String, Value>>(),
        "reasons": reasons.collect::<Map<String, Value>>(),
        "model": &*judgement.model,
    })
}
