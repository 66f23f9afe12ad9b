//! An error of a request in, the sentence about it out; and URLs without their secrets.

use std::error::Error;
use std::path::PathBuf;

use url::Url;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum OutgoingError {
    /// The file with the certificate authorities cannot be read.
    #[error("the certificate authorities of {} cannot be read: {why}", path.display())]
    CaBundle {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The file is read, and holds nothing to trust.
    #[error("{} must hold at least one certificate in PEM, got none", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A client certificate or its key cannot be used.
    #[error("the client certificate of {} cannot be used: {why}", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The HTTP client refuses.
    #[error("the HTTP client cannot start: {0}")]
    Client(String),
}

/// The last of the causes: the one that a person can act on.
pub fn deepest(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map_or_else(String::new, ToString::to_string)
}

/// The error, what caused it, what caused that.
pub fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// The url for logs and status: without user, password, query and fragment, where secrets stand.
pub fn redacted(url: &Url) -> String {
    let mut shown = url.clone();
    // Refused only for urls that have no host, and so no user.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    shown.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        for (url, shown) in [
            ("https://plum:pudding@models.plant/a?token=swordfish#x", "https://models.plant/a"),
            ("http://models.plant:8080/a/b", "http://models.plant:8080/a/b"),
            ("s3://bucket/key?X-Amz-Signature=abc", "s3://bucket/key"),
        ] {
            assert_eq!(redacted(&Url::parse(url).unwrap()), shown);
        }
    }
}
