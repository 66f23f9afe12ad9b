//! A text from outside in; as much of it as a message repeats out.

/// How much a message repeats of what a client or a broker sent, characters.
pub const MAX_EXCERPT: usize = 60;

/// The first `max` characters of a text, with an ellipsis where that is not all of it.
pub fn excerpt(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
