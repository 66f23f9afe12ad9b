//! A detector's spec and the flags in; the TLS settings and the token for requests to it out.

use std::io;

use crd::AnomalyDetector;
use http::HeaderValue;
use kube::ResourceExt;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use crate::cluster::Cluster;
use crate::credentials::Credentials;
use crate::error::CommandError;
use crate::request::Stream;

/// How requests to a detector are secured. Default: plain HTTP without a token.
#[derive(Clone, Default)]
pub struct Access {
    tls: Option<(TlsConnector, ServerName<'static>)>,
    token: Option<HeaderValue>,
}

impl Access {
    /// Return the access to a detector on a cluster, as its spec requires it.
    ///
    /// # Errors
    /// A file, or the Secret with the token, cannot be read.
    pub async fn on(
        cluster: &Cluster,
        detector: &AnomalyDetector,
        credentials: &Credentials,
    ) -> Result<Self, CommandError> {
        let (serving, namespace) = (&detector.spec.serving, detector.namespace().unwrap_or_default());
        let tls = serving.tls.as_ref().map(|_| {
            let name = format!("{}.{namespace}.svc", detector.name_any());
            Ok::<_, CommandError>((credentials.connector(false)?, server_name(&name)?))
        });
        let token = match (credentials.token()?, &serving.authentication) {
            (Some(given), _) => Some(given),
            (None, Some(authentication)) => {
                let secret = &authentication.tokens_secret_ref;
                Some(cluster.secret(&namespace, &secret.name, &secret.key).await?)
            }
            (None, None) => None,
        };
        Ok(Self { tls: tls.transpose()?, token: token.map(|text| bearer(&text)).transpose()? })
    }

    /// Return the access to `[http://|https://]HOST:PORT`, and the address without the scheme.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn at<'a>(address: &'a str, credentials: &Credentials) -> Result<(Self, &'a str), CommandError> {
        let token = credentials.token()?.map(|text| bearer(&text)).transpose()?;
        let Some(secured) = address.strip_prefix("https://") else {
            return Ok((Self { tls: None, token }, address.strip_prefix("http://").unwrap_or(address)));
        };
        let secured = secured.trim_end_matches('/');
        let host = secured.rsplit_once(':').map_or(secured, |(host, _)| host);
        let name = server_name(host.trim_matches(['[', ']']))?;
        Ok((Self { tls: Some((credentials.connector(true)?, name)), token }, secured))
    }

    /// The value of a request's Authorization header; none without a token.
    pub fn authorization(&self) -> Option<HeaderValue> {
        self.token.clone()
    }

    /// Wrap the stream in TLS where the detector requires it.
    ///
    /// # Errors
    /// The TLS handshake fails, for example because one side does not trust the other's certificate.
    pub async fn secure(&self, stream: impl Stream + 'static) -> Result<Box<dyn Stream>, CommandError> {
        let Some((connector, name)) = &self.tls else { return Ok(Box::new(stream)) };
        let stream = connector.connect(name.clone(), stream).await.map_err(CommandError::Tls)?;
        Ok(Box::new(stream))
    }
}

/// Return the Authorization value with the first token of a text that has one token per line. Error messages
/// never contain the token.
fn bearer(text: &str) -> Result<HeaderValue, CommandError> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let token = lines.next().unwrap_or_default();
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| CommandError::Token)?;
    value.set_sensitive(true);
    if token.is_empty() { Err(CommandError::Token) } else { Ok(value) }
}

fn server_name(name: &str) -> Result<ServerName<'static>, CommandError> {
    ServerName::try_from(name.to_owned()).map_err(|error| CommandError::Tls(io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_first_line_that_is_one() {
        let value = bearer("# the plant's\n\n  0123456789abcdef \nanother\n").unwrap();
        assert!(value.is_sensitive());
        assert_eq!(value, "Bearer 0123456789abcdef");
        for none in ["", "# none\n", "zu\u{7f}heiß\n"] {
            let why = "expected a token of visible ASCII characters in the first line, got none";
            assert_eq!(bearer(none).unwrap_err().to_string(), why);
        }
    }

    #[test]
    fn an_address_says_by_itself_whether_it_is_secured() {
        for (address, expected, name) in [
            ("localhost:8080", "localhost:8080", None),
            ("http://localhost:8080", "localhost:8080", None),
            ("https://localhost:8443/", "localhost:8443", Some("localhost")),
            ("https://[::1]:8443", "[::1]:8443", Some("::1")),
        ] {
            let (access, rest) = Access::at(address, &Credentials::default()).unwrap();
            assert_eq!(
                (rest, access.tls.map(|(_, name)| name.to_str().into_owned()).as_deref()),
                (expected, name)
            );
        }
    }
}
