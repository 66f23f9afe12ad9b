//! PromQL in; its first syntax error, by line and column, out. Pure.
//!
//! The grammar is that of Prometheus 3 (promql/parser/generated_parser.y), including what is behind feature
//! flags: the server checks flags, functions and types. The library promql-parser is not used: it does not
//! report the place of an error, and is larger than all sources together.

/// The grammar.
mod parser;
/// The tokens of a query.
mod token;

use thiserror::Error;

use self::token::Fault;

/// A syntax error of a query: its place, and what was expected there.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {message}")]
pub struct SyntaxError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What was expected, and what was there.
    pub message: String,
}

/// Check a query by the grammar.
///
/// # Errors
/// The first syntax error.
pub fn check(query: &str) -> Result<(), SyntaxError> {
    parser::parse(query).map_err(|Fault { at, message }| {
        let before = &query[..at];
        let line = before.rfind('\n').map_or(before, |end| &before[end + 1..]);
        SyntaxError { line: 1 + before.matches('\n').count(), column: 1 + line.chars().count(), message }
    })
}

#[cfg(test)]
mod tests;
