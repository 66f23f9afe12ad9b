//! A name from a file in, the same name fit for one line of an error out.

/// The most letters that are shown of a name.
const LONGEST: usize = 100;

/// `name` without what could move a terminal's cursor, and not too long.
pub(crate) fn shown(name: &str) -> String {
    name.chars().map(|letter| if letter.is_control() { '?' } else { letter }).take(LONGEST).collect()
}
