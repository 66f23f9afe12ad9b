//! A file of tokens in; whether the Authorization header of a request has one of them out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// The shortest token, characters: shorter ones can be guessed.
const MIN_CHARACTERS: usize = 16;
/// The most tokens.
const MAX_TOKENS: usize = 1024;

/// The valid tokens as digests: the tokens themselves are not kept in memory.
pub struct Tokens(Vec<[u8; 32]>);

impl Tokens {
    /// Read the tokens of a file, one a line; empty lines and those that begin with # are ignored.
    ///
    /// # Errors
    /// The file has no token, a token is too short, or there are too many. No error message contains a token.
    pub fn parse(files: &[Vec<u8>]) -> Result<Self, String> {
        let text = files.first().map(|bytes| std::str::from_utf8(bytes)).transpose();
        let text = text.map_err(|_| "expected UTF-8".to_owned())?.unwrap_or_default();
        let lines = text.lines().map(str::trim).enumerate();
        let mut digests = Vec::new();
        for (index, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let length = line.chars().count();
            if length < MIN_CHARACTERS {
                let line = index + 1;
                return Err(format!(
                    "line {line}: a token must have at least {MIN_CHARACTERS} characters, got {length}"
                ));
            }
            digests.push(digest(line));
        }
        match digests.len() {
            0 => Err("expected at least one token, got none".to_owned()),
            1..=MAX_TOKENS => Ok(Self(digests)),
            count => Err(format!("expected at most {MAX_TOKENS} tokens, got {count}")),
        }
    }

    /// Whether the value of an Authorization header has a valid token: `Bearer TOKEN`, or, as browsers send
    /// it, `Basic` with the token as the password of any user (RFC 6750, RFC 7617). The comparison takes the
    /// same time for each token.
    pub fn admit(&self, header: Option<&str>) -> bool {
        let Some(given) = header.and_then(token) else { return false };
        let given = digest(&given);
        let found = self.0.iter().fold(Choice::from(0), |found, valid| found | valid.ct_eq(&given));
        found.into()
    }
}

fn token(header: &str) -> Option<String> {
    let (scheme, rest) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("Bearer") {
        return Some(rest.trim().to_owned());
    }
    let basic = scheme.eq_ignore_ascii_case("Basic").then(|| STANDARD.decode(rest.trim()).ok()).flatten()?;
    let pair = String::from_utf8(basic).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# the plant's\n0123456789abcdef\n\n  fedcba9876543210  \n";

    fn tokens(text: &str) -> Result<Tokens, String> {
        Tokens::parse(&[text.as_bytes().to_vec()])
    }

    #[test]
    fn any_token_of_the_file_is_valid_as_bearer_and_as_password() {
        let tokens = tokens(FILE).unwrap();
        let password = |token: &str| format!("Basic {}", STANDARD.encode(format!("anyone:{token}")));
        for header in ["Bearer 0123456789abcdef", "bearer fedcba9876543210", &password("0123456789abcdef")] {
            assert!(tokens.admit(Some(header)), "{header}");
        }
        let wrong =
            ["", "Bearer", "Bearer ", "Bearer 0123456789abcde", "0123456789abcdef", "Basic !", "Basic eA=="];
        for header in wrong {
            assert!(!tokens.admit(Some(header)), "{header}");
        }
        assert!(!tokens.admit(Some(&password("# the plant's"))) && !tokens.admit(None));
    }

    #[test]
    fn a_file_that_is_of_no_use_is_refused_without_a_token_in_the_sentence() {
        let refused = |text: &str| tokens(text).err().unwrap();
        assert_eq!(refused("# none\n"), "expected at least one token, got none");
        let short = refused("0123456789abcdef\nsecret\n");
        assert_eq!(short, "line 2: a token must have at least 16 characters, got 6");
    }
}
