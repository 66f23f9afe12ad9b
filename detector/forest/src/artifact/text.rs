//! Texts of a file in, an error out unless they are safe in logs and reports: short, and without control
//! characters.

use super::error::ArtifactError;

/// The largest number of characters in a name.
const NAME: usize = 256;
/// The largest number of characters in a sentence.
const SENTENCE: usize = 1000;
/// The number of characters of a refused text that an error shows.
const SHOWN: usize = 60;

/// The beginning of a text, as errors show it: with `?` in place of control characters.
pub(super) fn shown(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).take(SHOWN).collect()
}

/// Refuses a name that is too long or has control characters.
pub(super) fn check_name(field: &'static str, name: &str) -> Result<(), ArtifactError> {
    check(field, name, NAME)
}

/// Refuses a sentence that is too long or has control characters.
pub(super) fn check_sentence(field: &'static str, sentence: &str) -> Result<(), ArtifactError> {
    check(field, sentence, SENTENCE)
}

fn check(field: &'static str, text: &str, most: usize) -> Result<(), ArtifactError> {
    if text.chars().nth(most).is_none() && !text.contains(char::is_control) {
        return Ok(());
    }
    Err(ArtifactError::Text { field, most, got: shown(text) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_have_no_control_characters() {
        assert!(check_name("columns", "gr\u{f6}\u{df}e [mm], 2").is_ok());
        assert_eq!(
            check_name("columns", "a\u{1b}[31m\nb").unwrap_err().to_string(),
            "columns must be of at most 256 characters, none of them a control character, got \"a?[31m?b\""
        );
        let long = check_name("origin", &"x".repeat(300)).unwrap_err().to_string();
        assert!(long.ends_with(&format!("got {:?}", "x".repeat(60))), "{long}");
        assert!(check_sentence("warnings", &"x".repeat(1000)).is_ok());
        assert!(check_sentence("warnings", &"x".repeat(1001)).is_err());
    }
}
