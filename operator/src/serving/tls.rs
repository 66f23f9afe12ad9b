//! The files of a certificate and its key in, the TLS configuration of the server out. Files that change are
//! read again.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use thiserror::Error;

use crate::settings::TlsFiles;

/// HTTPS cannot be served.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file is not there, or is no PEM.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the read.
        error: rustls::pki_types::pem::Error,
    },
    /// Certificate and key do not belong together, or are of an unknown kind.
    #[error("the certificate and its key cannot be served with: {0}")]
    Key(#[from] rustls::Error),
}

/// The certificate and key as last read, and the time at which the file had changed then.
#[derive(Debug)]
struct Current {
    files: TlsFiles,
    key: Mutex<(Option<SystemTime>, Arc<CertifiedKey>)>,
}

/// Return the TLS configuration: TLS 1.2 and 1.3, no client certificates.
///
/// # Errors
/// The files hold no certificate and key that belong together.
pub fn config(files: TlsFiles) -> Result<ServerConfig, TlsError> {
    let key = Mutex::new((files.changed(), files.read()?));
    let builder = ServerConfig::builder_with_provider(ring::default_provider().into());
    let builder = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
    Ok(builder.with_cert_resolver(Arc::new(Current { files, key })))
}

impl TlsFiles {
    fn changed(&self) -> Option<SystemTime> {
        fs::metadata(&self.certificate).and_then(|file| file.modified()).ok()
    }

    fn read(&self) -> Result<Arc<CertifiedKey>, TlsError> {
        let of = |path: &PathBuf| {
            let path = path.clone();
            move |error| TlsError::File { path, error }
        };
        let chain = CertificateDer::pem_file_iter(&self.certificate).and_then(Iterator::collect);
        let chain: Vec<CertificateDer> = chain.map_err(of(&self.certificate))?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(of(&self.key))?;
        Ok(Arc::new(CertifiedKey::from_der(chain, key, &ring::default_provider())?))
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut current = self.key.lock();
        let changed = self.files.changed();
        // While the files are only half replaced, the old certificate stays in use.
        if changed != current.0
            && let Ok(key) = self.files.read()
        {
            *current = (changed, key);
        }
        Some(current.1.clone())
    }
}
