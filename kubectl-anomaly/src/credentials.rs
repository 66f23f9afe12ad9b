//! The flags in; a TLS connector for streams to detectors, and the token from the command line, out.

use std::error::Error;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::any_certificate::AnyCertificate;
use crate::error::CommandError;

/// The token and the certificates for requests to detectors that require a token or serve over TLS.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Credentials {
    /// The file with the token for detectors that require one [default: the first token in the detector's
    /// Secret, if you may read it]
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The certificate authorities that may have signed a detector's certificate, in PEM [default: through
    /// the API server, any, because the stream leads to the detector's own pod; at an https address, those of
    /// this machine]
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Your client certificate, in PEM, for detectors with serving.tls.clientCA
    #[arg(long, global = true, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key of --cert, in PEM
    #[arg(long, global = true, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

impl Credentials {
    /// Read the text of the token file, if the command line names one.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn token(&self) -> Result<Option<String>, CommandError> {
        self.token_file.as_deref().map(read).transpose()
    }

    /// Create the TLS connector for streams. `is_direct`: the stream does not go through the API server, so
    /// that the detector's certificate is verified even without `--ca`.
    ///
    /// # Errors
    /// A file cannot be read, or has no valid certificate or key.
    pub fn connector(&self, is_direct: bool) -> Result<TlsConnector, CommandError> {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(refused)?;
        let builder = match &self.ca {
            None if !is_direct => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate::default()))
            }
            ca => builder.with_root_certificates(roots(ca.as_deref())?),
        };
        Ok(TlsConnector::from(Arc::new(self.presented(builder)?)))
    }

    fn presented(
        &self,
        builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    ) -> Result<ClientConfig, CommandError> {
        let (Some(certificate), Some(key)) = (&self.cert, &self.key) else {
            return Ok(builder.with_no_client_auth());
        };
        let chain = certificates(certificate)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, error))?;
        builder.with_client_auth_cert(chain, key).map_err(refused)
    }
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, CommandError> {
    let mut roots = RootCertStore::empty();
    match file {
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
        Some(file) => {
            certificates(file)?.into_iter().try_for_each(|each| roots.add(each)).map_err(refused)?;
        }
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, CommandError> {
    let all = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    all.map_err(|error| unusable(file, error))
}

fn read(file: &Path) -> Result<String, CommandError> {
    std::fs::read_to_string(file).map_err(|error| unusable(file, error))
}

fn refused(error: impl Error + Send + Sync + 'static) -> CommandError {
    CommandError::Tls(std::io::Error::other(error))
}

fn unusable(file: &Path, error: impl Display) -> CommandError {
    CommandError::File { file: file.display().to_string(), why: error.to_string() }
}
