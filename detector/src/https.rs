//! A client for HTTP and HTTPS out: rustls with ring, and certificate authorities that are there in an empty image too.

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

#[cfg(test)]
mod tests {
    #[test]
    fn a_client_can_be_made() {
        super::client().build().unwrap();
    }
}
