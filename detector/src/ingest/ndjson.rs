//! JSON objects, one per line, in; the same rows as comma-separated text, for the readers of tables, out.
//!
//! The fields of the first object are the columns. A later object may lack some of them, which are missing
//! then, and must not have other ones.

use std::collections::VecDeque;
use std::io::{self, BufRead, ErrorKind, Read};

use serde_json::{Map, Value};

use crate::excerpt::{MAX_EXCERPT, excerpt};

/// The longest line, in bytes.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// Lines of JSON, read as comma-separated text.
pub struct Ndjson<R> {
    lines: R,
    columns: Option<Vec<String>>,
    line: u64,
    /// Text that is produced and not read yet.
    text: VecDeque<u8>,
}

impl<R: BufRead> Ndjson<R> {
    /// A reader that starts at the first line.
    pub fn new(lines: R) -> Self {
        Self { lines, columns: None, line: 0, text: VecDeque::new() }
    }

    /// Turn the next line into a row; false after the last.
    fn advance(&mut self) -> io::Result<bool> {
        let mut line = Vec::new();
        loop {
            line.clear();
            self.line += 1;
            let length = self.lines.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
            if length == 0 {
                return Ok(false);
            }
            if !line.trim_ascii().is_empty() {
                break;
            }
        }
        let fields: Map<String, Value> = serde_json::from_slice(&line)
            .map_err(|error| self.refused(&format!("expected a JSON object, got {error}")))?;
        let mut writer = csv::Writer::from_writer(Vec::new());
        let columns = if let Some(columns) = self.columns.take() {
            columns
        } else {
            let columns: Vec<String> = fields.keys().cloned().collect();
            writer.write_record(&columns)?;
            columns
        };
        if let Some(other) = fields.keys().find(|name| !columns.contains(name)) {
            let name = excerpt(other, MAX_EXCERPT);
            return Err(self.refused(&format!("expected the fields of the first object, got {name:?} too")));
        }
        let cells: Result<Vec<String>, String> =
            columns.iter().map(|name| cell(name, fields.get(name))).collect();
        writer.write_record(cells.map_err(|why| self.refused(&why))?)?;
        self.text = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?.into();
        self.columns = Some(columns);
        Ok(true)
    }

    fn refused(&self, why: &str) -> io::Error {
        io::Error::new(ErrorKind::InvalidData, format!("line {}: {why}", self.line))
    }
}

/// The text of a table's cell; empty for a missing value.
fn cell(name: &str, value: Option<&Value>) -> Result<String, String> {
    match value {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Bool(is)) => Ok(is.to_string()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(Value::Array(_)) => Err(format!("field {name:?}: expected a number or a text, got a list")),
        Some(Value::Object(_)) => Err(format!("field {name:?}: expected a number or a text, got an object")),
    }
}

impl<R: BufRead> Read for Ndjson<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.text.is_empty() && !self.advance()? {
            return Ok(0);
        }
        self.text.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &str) -> Result<String, String> {
        let mut text = String::new();
        Ndjson::new(lines.as_bytes()).read_to_string(&mut text).map_err(|error| error.to_string())?;
        Ok(text)
    }

    #[test]
    fn objects_are_rows_and_what_they_lack_is_missing() {
        let lines = "{\"b\":1.5,\"a\":\"x,y\"}\n\n{\"a\":null,\"b\":-2}\n{\"b\":true}";
        assert_eq!(text(lines).unwrap(), "a,b\n\"x,y\",1.5\n,-2\n,true\n");
    }

    #[test]
    fn what_is_no_row_is_refused_with_its_line() {
        for (lines, sentence) in [
            ("{\"a\":1}\n{\"b\":1}", "line 2: expected the fields of the first object, got \"b\" too"),
            ("{\"a\":[1]}", "line 1: field \"a\": expected a number or a text, got a list"),
            ("{\"a\":{}}", "line 1: field \"a\": expected a number or a text, got an object"),
        ] {
            assert_eq!(text(lines).unwrap_err(), sentence);
        }
        assert!(
            text("{\"a\":1}\n[1]")
                .unwrap_err()
                .starts_with("line 2: expected a JSON object, got invalid type")
        );
    }
}
