//! The text of a query in; its tokens out, each with its place. Pure.

use std::fmt;

use crate::excerpt::excerpt;

/// The most characters of a token that a message shows.
const MAX_SHOWN: usize = 40;
/// Longer signs first.
const SIGNS: [&str; 30] = [
    "==", "!=", "=~", "!~", ">=", "<=", "</", ">/", "(", ")", "{", "}", "[", "]", ",", ":", "=", ">", "<",
    "+", "-", "*", "/", "%", "^", "@", ";", "!", "&", "|",
];
/// Largest first, as durations are written: `1h30m`.
const UNITS: [&str; 7] = ["y", "w", "d", "h", "ms", "m", "s"];

/// The error at a byte of the query.
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) message: String,
}

pub(super) type Parsed<T> = Result<T, Fault>;

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Word,
    Number,
    Duration,
    /// In quotation marks.
    Text,
    Sign,
    End,
}

#[derive(Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// The position of its first byte.
    pub(super) at: usize,
}

impl Token<'_> {
    /// Whether it is this sign or, however it is capitalised, this word.
    pub(super) fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Sign | Kind::Word) && self.text.eq_ignore_ascii_case(text)
    }

    pub(super) fn is_zero(&self) -> bool {
        let is_number = matches!(self.kind, Kind::Number | Kind::Duration) && !self.text.starts_with("0x");
        is_number && !self.text.bytes().any(|b| (b'1'..=b'9').contains(&b)) && self.text.contains('0')
    }
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::End => f.write_str("the end of the query"),
            Kind::Text => f.write_str(&excerpt(self.text, MAX_SHOWN)),
            _ => write!(f, "\"{}\"", excerpt(self.text, MAX_SHOWN)),
        }
    }
}

pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Whether the place is in brackets, where `:` is a token of its own.
    in_brackets: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, in_brackets: false }
    }

    /// Whether the text after the next token starts with this character.
    pub(super) fn is_at(&self, first: char) -> bool {
        self.rest().trim_start().starts_with(first)
    }

    pub(super) fn token(&mut self) -> Parsed<Token<'a>> {
        self.skip_blank();
        let (at, rest) = (self.at, self.rest());
        let Some(first) = rest.chars().next() else { return Ok(Token { kind: Kind::End, text: "", at }) };
        let is_number =
            first.is_ascii_digit() || first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit());
        let (kind, length) = if is_number {
            self.number()?
        } else if matches!(first, '"' | '\'' | '`') {
            (Kind::Text, self.quoted(first)?)
        } else if is_word(first) && !(first == ':' && self.in_brackets) {
            let length =
                rest.find(|c| !is_word_part(c) || c == ':' && self.in_brackets).unwrap_or(rest.len());
            let is_special = ["inf", "nan"].iter().any(|name| rest[..length].eq_ignore_ascii_case(name));
            (if is_special { Kind::Number } else { Kind::Word }, length)
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            (Kind::Sign, sign.map_or(first.len_utf8(), |sign| sign.len()))
        };
        self.at += length;
        let text = &rest[..length];
        match text {
            "[" => self.in_brackets = true,
            "]" => self.in_brackets = false,
            _ => {}
        }
        Ok(Token { kind, text, at })
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Skip white space and comments.
    fn skip_blank(&mut self) {
        loop {
            self.at = self.text.len() - self.rest().trim_start().len();
            if !self.rest().starts_with('#') {
                return;
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    /// `1`, `.5`, `1e-3`, `0x1f`, `5m`, `1h30m`
    fn number(&self) -> Parsed<(Kind, usize)> {
        let rest = self.rest();
        let digits = |from: usize, of: fn(&u8) -> bool| {
            from + rest.as_bytes()[from..].iter().take_while(|b| of(b)).count()
        };
        let is_digit: fn(&u8) -> bool = u8::is_ascii_digit;
        let mut kind = Kind::Number;
        let end = if rest.starts_with("0x") || rest.starts_with("0X") {
            digits(2, u8::is_ascii_hexdigit)
        } else if let Some(end) = duration(rest) {
            kind = Kind::Duration;
            end
        } else {
            let mut end = digits(0, is_digit);
            if rest[end..].starts_with('.') {
                end = digits(end + 1, is_digit);
            }
            let exponent = rest[end..].strip_prefix(['e', 'E']);
            let sign = exponent.map_or(0, |exponent| usize::from(exponent.starts_with(['+', '-'])));
            if exponent.is_some_and(|exponent| exponent[sign..].starts_with(|c: char| c.is_ascii_digit())) {
                end = digits(end + 1 + sign, is_digit);
            }
            end
        };
        let continues = |c: char| is_word_part(c) && !(c == ':' && self.in_brackets) || c == '.';
        if end == 2 && rest[..2].eq_ignore_ascii_case("0x") || rest[end..].starts_with(continues) {
            let all = rest.find(|c| !continues(c)).unwrap_or(rest.len());
            return self.fault(
                0,
                format!("expected a number or a duration, got \"{}\"", excerpt(&rest[..all], MAX_SHOWN)),
            );
        }
        Ok((kind, end))
    }

    fn quoted(&self, quote: char) -> Parsed<usize> {
        let rest = self.rest();
        let mut letters = rest.char_indices().skip(1);
        while let Some((at, letter)) = letters.next() {
            if letter == quote {
                return Ok(at + 1);
            }
            if quote == '`' {
                continue;
            }
            if letter == '\n' {
                break;
            }
            if letter == '\\' {
                let escape = &rest[at + 1..];
                let length = escaped(escape, quote);
                let Some(length) = length else {
                    let shown: String = rest[at..].chars().take(2).collect();
                    return self.fault(at, format!("no escape sequence starts with {shown}"));
                };
                // Escapes are ASCII.
                letters.by_ref().take(length).for_each(drop);
            }
        }
        self.fault(0, format!("expected {quote} at the end of a text, got none"))
    }

    fn fault<T>(&self, further: usize, message: String) -> Parsed<T> {
        Err(Fault { at: self.at + further, message })
    }
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphabetic() || matches!(letter, '_' | ':')
}

fn is_word_part(letter: char) -> bool {
    is_word(letter) || letter.is_ascii_digit()
}

/// The length in bytes of the duration that a text starts with: whole numbers with units, the largest first,
/// each once. None where there is no duration.
fn duration(text: &str) -> Option<usize> {
    let (mut at, mut units) = (0, &UNITS[..]);
    loop {
        let digits = text[at..].bytes().take_while(u8::is_ascii_digit).count();
        let behind = &text[at + digits..];
        let unit = units.iter().position(|unit| digits > 0 && behind.starts_with(unit));
        let Some(unit) = unit else { return (at > 0 && digits == 0).then_some(at) };
        at += digits + units[unit].len();
        // ms is matched before m and s, but comes after them in a duration.
        units = match units[unit] {
            "ms" => &[],
            "m" => &["ms", "s"],
            "s" => &["ms"],
            _ => &units[unit + 1..],
        };
    }
}

/// The number of characters of an escape sequence after its backslash, as in Go's strings; none where it is
/// not an escape sequence.
fn escaped(text: &str, quote: char) -> Option<usize> {
    let first = text.chars().next()?;
    let digits = |count: usize, base: u32| {
        let digits: Vec<char> = text.chars().skip(usize::from(base == 16)).take(count).collect();
        (digits.len() == count && digits.iter().all(|digit| digit.is_digit(base)))
            .then_some(count + usize::from(base == 16))
    };
    match first {
        'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' => Some(1),
        'x' => digits(2, 16),
        'u' => digits(4, 16),
        'U' => digits(8, 16),
        '0'..='7' => digits(3, 8),
        other => (other == quote).then_some(1),
    }
}
