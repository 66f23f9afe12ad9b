//! `POST /predict`: one value, the values of all sensors, whole rows, or rows of readings in; 0 or 1 out,
//! more with `?detail=true`. With the Content-Type `application/x-ndjson`, lines of JSON with one row per
//! line.

use std::time::Instant;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Data, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use super::error::ApiError;
use super::expected::{Expected, Place};
use super::judging::{Asked, MAX_EXPLAINED, MAX_ROWS, counted, judged};
use super::lines;
use super::measured_rows::MeasuredRows;
use super::push::header;
use super::question::Question;
use super::row_answer::{Form, RowAnswer};
use crate::serving::metrics::Protocol;
use crate::serving::state::State;

/// The options of a request.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// Whether the answer has score, severity, threshold, contributions, reasons and model beside the
    /// verdict.
    #[serde(default)]
    pub(super) detail: bool,
}

impl Options {
    /// The options in a query.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        if request.query_string().is_empty() {
            return Ok(Self::default());
        }
        let options = Query::<Self>::from_query(request.query_string());
        let options =
            options.map_err(|_| ApiError::Malformed("expected ?detail=true or nothing".to_owned()))?;
        Ok(options.into_inner())
    }

    /// The most rows that are accepted.
    pub(super) fn most_rows(self) -> usize {
        if self.detail { MAX_EXPLAINED } else { MAX_ROWS }
    }
}

/// The handler.
pub(super) async fn predict(request: HttpRequest, payload: Payload) -> HttpResponse {
    // Not extracted, which would change the reference count: threads would wait for each other at it.
    let state = request.app_data::<Data<State>>().expect("the server is configured with its state");
    let began = Instant::now();
    counted(state, Protocol::Predict, began, answer(state, &request, payload).await)
}

async fn answer(state: &State, request: &HttpRequest, payload: Payload) -> Result<HttpResponse, ApiError> {
    let options = Options::of(request)?;
    if lines::is_lines(header(request, CONTENT_TYPE)) {
        return Box::pin(by_lines(state, request, payload, options)).await;
    }
    let interval = state.detector.spec().interval.into();
    judged(state, request, payload, move |scorer, body, _| {
        let Options { detail } = options;
        let form = if detail { Form::Detailed } else { Form::Predictions };
        match (Expected { model: scorer.model(), most_rows: options.most_rows() }).question(body)? {
            Question::Next(values) => Ok(Asked::Next { values, detail }),
            Question::Rows(cells) => {
                let rows = MeasuredRows::new(scorer.clone(), cells, Place::Instance)?;
                Ok(Asked::Answer(Box::new(RowAnswer::new(rows, form))))
            }
            Question::Readings { values, start } => {
                let rows = MeasuredRows::of_readings(scorer.clone(), values, start, interval)?;
                Ok(Asked::Answer(Box::new(RowAnswer::new(rows, form))))
            }
        }
    })
    .await
}

async fn by_lines(
    state: &State,
    request: &HttpRequest,
    payload: Payload,
    options: Options,
) -> Result<HttpResponse, ApiError> {
    judged(state, request, payload, move |scorer, body, _| {
        let expected = Expected { model: scorer.model(), most_rows: options.most_rows() };
        let cells = lines::rows(expected, body)?;
        let place = |row| Place::Line(lines::line_of(body, row));
        let rows = MeasuredRows::new(scorer.clone(), cells, place)?;
        let form = if options.detail { Form::DetailedLines } else { Form::Lines };
        Ok(Asked::Answer(Box::new(RowAnswer::new(rows, form))))
    })
    .await
}
