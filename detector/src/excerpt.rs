//! A text from a client or a broker in; a short excerpt of it for a message out.

/// The most characters that a message quotes of a text from a client or a broker.
pub const MAX_EXCERPT: usize = 60;

/// The first `max` characters of a text, with an ellipsis where that is not all of it.
pub fn excerpt(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
