//! A text that a client sent in; what an answer repeats of it out.

/// How much of what a client sent an answer repeats, characters.
pub(super) const MAX_SHOWN: usize = 60;

/// A text that a client sent, cut where it is long.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
