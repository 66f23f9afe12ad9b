//! A Python literal's text in, its value out: the little of Python's grammar that an `.npy` header uses.

use super::error::NumpyError;

/// The most levels to which lists, tuples and dicts may nest: a header needs three.
const DEPTH_LIMIT: usize = 8;

/// A Python literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Literal {
    Text(String),
    Int(u64),
    Bool(bool),
    None,
    /// A list or a tuple.
    Sequence(Vec<Literal>),
    Dict(Vec<(Literal, Literal)>),
}

impl Literal {
    /// Parse one literal. Only white space may follow it.
    pub(super) fn parse(text: &str) -> Result<Self, NumpyError> {
        let mut parser = Parser { rest: text };
        let value = parser.value(DEPTH_LIMIT)?;
        if parser.rest.trim().is_empty() { Ok(value) } else { Err(MALFORMED) }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn sequence(&self) -> Option<&[Self]> {
        match self {
            Self::Sequence(parts) => Some(parts),
            _ => None,
        }
    }

    /// The value under a text key of a dict.
    pub(super) fn entry(&self, key: &str) -> Option<&Self> {
        let Self::Dict(entries) = self else { return None };
        entries.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }
}

const MALFORMED: NumpyError = NumpyError::Malformed("its header is a Python literal");

struct Parser<'t> {
    rest: &'t str,
}

impl<'t> Parser<'t> {
    fn value(&mut self, depth: usize) -> Result<Literal, NumpyError> {
        let depth = depth.checked_sub(1).ok_or(MALFORMED)?;
        self.rest = self.rest.trim_start();
        match self.rest.chars().next().ok_or(MALFORMED)? {
            quote @ ('\'' | '"') => self.quoted(quote),
            '(' => self.sequence(')', depth),
            '[' => self.sequence(']', depth),
            '{' => self.dict(depth),
            _ => self.word(),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Literal, NumpyError> {
        let (text, rest) = self.rest[1..].split_once(quote).ok_or(MALFORMED)?;
        if text.contains('\\') {
            return Err(MALFORMED);
        }
        self.rest = rest;
        Ok(Literal::Text(text.to_owned()))
    }

    fn sequence(&mut self, end: char, depth: usize) -> Result<Literal, NumpyError> {
        self.skip();
        let mut parts = Vec::new();
        while !self.closes(end)? {
            parts.push(self.value(depth)?);
            self.comma(end)?;
        }
        Ok(Literal::Sequence(parts))
    }

    fn dict(&mut self, depth: usize) -> Result<Literal, NumpyError> {
        self.skip();
        let mut entries = Vec::new();
        while !self.closes('}')? {
            let key = self.value(depth)?;
            self.rest = self.rest.trim_start().strip_prefix(':').ok_or(MALFORMED)?;
            entries.push((key, self.value(depth)?));
            self.comma('}')?;
        }
        Ok(Literal::Dict(entries))
    }

    /// Skip a comma. It may be missing only before the closing bracket `end`.
    fn comma(&mut self, end: char) -> Result<(), NumpyError> {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(',') {
            Some(rest) => self.rest = rest,
            None if self.rest.starts_with(end) => {}
            None => return Err(MALFORMED),
        }
        Ok(())
    }

    /// Whether the closing bracket `end` comes next; if so, skip it.
    fn closes(&mut self, end: char) -> Result<bool, NumpyError> {
        self.rest = self.rest.trim_start();
        let next = self.rest.chars().next().ok_or(MALFORMED)?;
        if next == end {
            self.skip();
        }
        Ok(next == end)
    }

    fn word(&mut self) -> Result<Literal, NumpyError> {
        let end = self.rest.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(self.rest.len());
        let (word, rest): (&'t str, &'t str) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "True" => Ok(Literal::Bool(true)),
            "False" => Ok(Literal::Bool(false)),
            "None" => Ok(Literal::None),
            digits => digits.parse().map(Literal::Int).map_err(|_| MALFORMED),
        }
    }

    /// Skip one ASCII character.
    fn skip(&mut self) {
        self.rest = &self.rest[1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_npy_header_is_read() {
        let header =
            "{'descr': [('left', '<i8'), ('', '|V7')], 'fortran_order': False, 'shape': (3,), }   \n";
        let literal = Literal::parse(header).unwrap();
        assert_eq!(literal.entry("shape"), Some(&Literal::Sequence(vec![Literal::Int(3)])));
        assert_eq!(literal.entry("fortran_order"), Some(&Literal::Bool(false)));
        let fields = literal.entry("descr").and_then(Literal::sequence).unwrap();
        assert_eq!(fields[1].sequence().unwrap()[1].text(), Some("|V7"));
    }

    #[test]
    fn what_is_no_literal_is_refused() {
        for text in ["", "(", "(1", "(1 2)", "{'a' 1}", "os.system('x')", "'a\\'b'", "1 1", "-1", "[,]"] {
            assert!(Literal::parse(text).is_err(), "{text}");
        }
        assert!(Literal::parse(&"(".repeat(100_000)).is_err());
    }
}
