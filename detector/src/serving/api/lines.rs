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

/// The lines that are not empty, each with its index among all lines.
fn with_text(body: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let lines = body.split(|byte| *byte == b'\n').enumerate();
    lines.filter(|(_, line)| !line.trim_ascii().is_empty())
}

/// The index among all lines of the line that has this row.
pub(super) fn line_of(body: &[u8], row: usize) -> usize {
    with_text(body).nth(row).map_or(row, |(line, _)| line)
}

/// Read the rows of a body. Errors name the line.
pub(super) fn rows(expected: Expected<'_>, body: &[u8]) -> Result<Vec<f64>, ApiError> {
    let Expected { model, most_rows } = expected;
    let mut cells = Vec::with_capacity(body.len() / 2);
    for (row, (line, json)) in with_text(body).enumerate() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_row_counts_the_empty_lines_before_it() {
        let body = b"[1]\n\n \r\n[2]\n[3]";
        assert_eq!([0, 1, 2].map(|row| line_of(body, row)), [0, 3, 4]);
    }
}
