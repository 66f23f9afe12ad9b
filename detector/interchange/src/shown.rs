//! A name from a file in, the same name made fit for one line of an error message out.

/// The most characters of a name that are shown.
const MAX_CHARACTERS: usize = 100;

/// Replace control characters, which could move a terminal's cursor, with `?`, and cut `name` to 100 characters.
pub(crate) fn shown(name: &str) -> String {
    name.chars().map(|letter| if letter.is_control() { '?' } else { letter }).take(MAX_CHARACTERS).collect()
}
