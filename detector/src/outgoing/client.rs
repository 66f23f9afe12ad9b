//! A request in, a response out: names are checked once they are resolved, redirects before they are followed.

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::{Attempt, Policy};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use url::{Host, Origin, Url};

use super::address::{AddressGuard, AddressRefused};
use super::failure::{OutgoingError, deepest};

/// The longest that a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// The most redirects that are followed.
const MAX_REDIRECTS: usize = 5;

/// Which redirects are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// None: the response of the first server counts.
    None,
    /// Those to the same scheme, host and port: for requests whose headers must not reach another host.
    SameOrigin,
    /// All. `Authorization` and `Cookie` are left out of requests to another host or port.
    Any,
}

/// An HTTP client that connects to no address that its guard refuses.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    guard: AddressGuard,
}

impl Client {
    pub(super) fn new(
        guard: AddressGuard,
        authorities: RootCertStore,
        deadline: Duration,
        redirects: Redirects,
        identity: Option<&Identity>,
    ) -> Result<Self, OutgoingError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(authorities, identity)?)
            .no_proxy()
            .user_agent(concat!("anomaly-detector/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_WITHIN)
            .timeout(deadline)
            .dns_resolver(Arc::new(Resolver(guard.clone())))
            .referer(false) // it would take a signed query to another host
            .redirect(policy(redirects, guard.clone()))
            .build()
            .map_err(|error| OutgoingError::Client(deepest(&error)))?;
        Ok(Self { http, guard })
    }

    /// The beginnings of a request. A user and a password in the url become a header, which no log shows.
    pub fn request(&self, method: reqwest::Method, url: Url) -> reqwest::RequestBuilder {
        self.http.request(method, url)
    }

    /// One request, and those that its redirects make of it.
    ///
    /// # Errors
    /// No answer, or [`AddressRefused`] among the causes.
    pub async fn execute(
        &self,
        request: reqwest::Request,
    ) -> Result<reqwest::Response, Box<dyn Error + Send + Sync>> {
        // An address in the url itself is never resolved, so it is checked here.
        check_literal(&self.guard, request.url())?;
        // The url is the caller's to show, without its secrets.
        Ok(self.http.execute(request).await.map_err(reqwest::Error::without_url)?)
    }
}

/// Who to be for a server that asks: two files in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// A client certificate, and those that signed it.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Identity {
    fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), OutgoingError> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |error: rustls::pki_types::pem::Error| OutgoingError::Identity {
                path,
                why: error.to_string(),
            }
        };
        let chain = CertificateDer::pem_file_iter(&self.certificate);
        let chain = chain.and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(unreadable(&self.key))?;
        Ok((chain.map_err(unreadable(&self.certificate))?, key))
    }
}

/// What TLS needs: whom to trust, and who to be.
pub(super) fn tls(
    authorities: RootCertStore,
    identity: Option<&Identity>,
) -> Result<ClientConfig, OutgoingError> {
    let config = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("ring supports the versions of TLS that rustls does")
        .with_root_certificates(authorities);
    let Some(identity) = identity else { return Ok(config.with_no_client_auth()) };
    let (chain, key) = identity.read()?;
    config.with_client_auth_cert(chain, key).map_err(|error| OutgoingError::Identity {
        path: identity.certificate.clone(),
        why: error.to_string(),
    })
}

/// Mozilla's certificate authorities, those of the system or of `SSL_CERT_FILE`, and those of the bundle.
pub(super) fn authorities(bundle: Option<&Path>) -> Result<RootCertStore, OutgoingError> {
    let mut authorities: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    // An image may have none, and a broken one vouches for no server.
    authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let Some(path) = bundle else { return Ok(authorities) };
    let unreadable = |error: rustls::pki_types::pem::Error| OutgoingError::CaBundle {
        path: path.to_owned(),
        why: error.to_string(),
    };
    let certificates = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(unreadable)?;
    match authorities.add_parsable_certificates(certificates) {
        (0, _) => Err(OutgoingError::NoCertificate { path: path.to_owned() }),
        _ => Ok(authorities),
    }
}

fn policy(redirects: Redirects, guard: AddressGuard) -> Policy {
    match redirects {
        Redirects::None => Policy::none(),
        _ => Policy::custom(move |attempt| follow(redirects, &guard, attempt)),
    }
}

fn follow(redirects: Redirects, guard: &AddressGuard, attempt: Attempt) -> reqwest::redirect::Action {
    if attempt.previous().len() > MAX_REDIRECTS {
        return attempt.error(format!("more than {MAX_REDIRECTS} redirects"));
    }
    let from = attempt.previous().last().map(Url::origin);
    if redirects == Redirects::SameOrigin && from.as_ref() != Some(&attempt.url().origin()) {
        let to = shown(&attempt.url().origin());
        return attempt.error(format!("a redirect to {to} would carry the credentials of another host"));
    }
    match check_literal(guard, attempt.url()) {
        Ok(()) => attempt.follow(),
        Err(refused) => attempt.error(refused),
    }
}

fn shown(origin: &Origin) -> String {
    origin.ascii_serialization()
}

fn check_literal(guard: &AddressGuard, url: &Url) -> Result<(), AddressRefused> {
    match url.host() {
        Some(Host::Ipv4(address)) => guard.check(address.into()),
        Some(Host::Ipv6(address)) => guard.check(address.into()),
        Some(Host::Domain(_)) | None => Ok(()),
    }
}

/// The system's resolver; a name with one address that is refused is refused as a whole.
struct Resolver(AddressGuard);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            addresses.iter().try_for_each(|address| guard.check(address.ip()))?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
