//! Lines of JSON in, one row per line, an array or an object by name; all numbers in one flat buffer, or the
//! first line that is wrong, out. Empty lines are ignored.

use serde::de::DeserializeSeed;

use super::error::ApiError;
use super::expected::{Expected, Place};
use super::rows::Row;
use super::shape::By;

/// Whether a Content-Type means lines of JSON, with any parameters.
pub(super) fn is_lines(content_type: &str) -> bool {
    let names =
        ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"];
    names.iter().any(|name| {
        let parts = content_type.split_at_checked(name.len());
        parts.is_some_and(|(begin, rest)| {
            begin.eq_ignore_ascii_case(name) && matches!(rest.trim_start().as_bytes(), [] | [b';', ..])
        })
    })
}

/// Read the rows of a body. Errors name the line.
pub(super) fn rows(expected: Expected<'_>, body: &[u8]) -> Result<Vec<f64>, ApiError> {
    let Expected { model, most_rows } = expected;
    let mut cells = Vec::with_capacity(body.len() / 2);
    let lines = body.split(|byte| *byte == b'\n').enumerate();
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    for (row, (line, json)) in lines.enumerate() {
        if row == most_rows {
            return Err(ApiError::TooManyRows(most_rows));
        }
        let place = Place::Line(line);
        let refused =
            |error: serde_json::Error| ApiError::Malformed(format!("{place}: expected JSON: {error}"));
        let mut json = serde_json::Deserializer::from_slice(json);
        By(Row { model, place, cells: &mut cells }).deserialize(&mut json).map_err(refused)??;
        json.end().map_err(refused)?;
    }
    cells.shrink_to_fit();
    Ok(cells)
}
