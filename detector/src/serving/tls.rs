//! Certificates and a key in PEM in; the TLS configuration of a server out.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::reloaded::Reloaded;

/// The protocols over TLS by their ALPN names, the preferred one first.
pub const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";
/// The most TLS sessions that are cached, so that clients that connect again need no full handshake.
const SESSIONS: usize = 256;
const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// The TLS configuration of a server, reloaded when its files change. Open connections keep the old one.
pub type Tls = Reloaded<Arc<ServerConfig>>;

/// Load the TLS configuration from a certificate chain, its private key, and optionally the authorities that
/// sign clients' certificates.
///
/// # Errors
/// A file cannot be read or is not valid: one sentence that names it.
pub fn start(certificate: PathBuf, key: PathBuf, client_ca: Option<PathBuf>) -> Result<Arc<Tls>, String> {
    let files = [Some(certificate), Some(key), client_ca].into_iter().flatten().collect();
    Reloaded::start(files, config)
}

fn config(files: &[Vec<u8>]) -> Result<Arc<ServerConfig>, String> {
    let [certificate, key, client_ca @ ..] = files else {
        return Err("expected a certificate and a key".to_owned());
    };
    let chain = certificates(certificate, "certificate")?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| "the key: expected an unencrypted private key in PEM".to_owned())?;
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(VERSIONS)
        .map_err(|error| error.to_string())?;
    let builder = match client_ca.first() {
        Some(authorities) => builder.with_client_cert_verifier(clients(authorities)?),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| format!("the certificate and the key cannot be used: {error}"))?;
    config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
    config.session_storage = rustls::server::ServerSessionMemoryCache::new(SESSIONS);
    Ok(Arc::new(config))
}

fn clients(authorities: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(authorities, "client CA")? {
        roots.add(authority).map_err(|error| format!("the client CA cannot be used: {error}"))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()))
        .build()
        .map_err(|error| format!("the client CA cannot be used: {error}"))
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    all.ok().filter(|all| !all.is_empty()).ok_or_else(|| format!("the {what}: expected certificates in PEM"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertifiedKey, generate_simple_self_signed};

    fn pair() -> [Vec<u8>; 2] {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        [cert.pem().into_bytes(), signing_key.serialize_pem().into_bytes()]
    }

    #[test]
    fn a_certificate_needs_its_own_key_and_no_sentence_has_the_key() {
        let ([certificate, key], [other, _]) = (pair(), pair());
        let config = config(&[certificate.clone(), key.clone()]).unwrap();
        assert_eq!(config.alpn_protocols, [HTTP_2, HTTP_1]);
        super::config(&[certificate.clone(), key.clone(), other.clone()]).unwrap();
        let refused = |files: &[Vec<u8>]| super::config(files).unwrap_err();
        let wrong = refused(&[other, key.clone()]);
        assert!(wrong.starts_with("the certificate and the key cannot be used: "), "{wrong}");
        assert_eq!(refused(&[key.clone(), key.clone()]), "the certificate: expected certificates in PEM");
        let swapped = refused(&[certificate.clone(), certificate.clone()]);
        assert_eq!(swapped, "the key: expected an unencrypted private key in PEM");
        assert_eq!(refused(&[certificate, key.clone(), key]), "the client CA: expected certificates in PEM");
    }
}
