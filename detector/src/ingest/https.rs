//! A client for HTTP and HTTPS out: rustls with ring, and certificate authorities that are there in an empty image too; and
//! why a request of it failed.

use std::error::Error;

use reqwest::ClientBuilder;
use rustls::{ClientConfig, RootCertStore};

/// The beginnings of a client: HTTP/1.1, no proxy. It trusts Mozilla's certificate authorities, and those of the system or
/// of `SSL_CERT_FILE`.
///
/// # Panics
/// Never: ring supports the protocol versions that rustls asks for.
pub fn client() -> ClientBuilder {
    let mut authorities: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    // An image may have none, and one that is broken speaks for nobody.
    authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let tls = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("ring supports the versions of TLS that rustls does")
        .with_root_certificates(authorities)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .user_agent(concat!("anomaly-detector/", env!("CARGO_PKG_VERSION")))
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

#[cfg(test)]
mod tests {
    #[test]
    fn a_client_can_be_made() {
        super::client().build().unwrap();
    }
}
