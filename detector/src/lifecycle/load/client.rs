//! A url in, the bytes behind it out. Every name is looked at once it is resolved, every redirect before it is followed.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Request, RequestBuilder, Response, StatusCode};
use url::{Host, Url};

use super::address::{AddressGuard, AddressRefused};
use super::credentials::Credentials;
use super::{LoadError, MAX_TIME, check_size};
use crate::ingest::https::{self, causes, deepest};

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const MAX_REDIRECTS: usize = 5;

/// An HTTP client that goes nowhere it may not.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    guard: AddressGuard,
}

impl Client {
    pub(super) fn new(guard: AddressGuard) -> Result<Self, LoadError> {
        let redirects = guard.clone();
        let http = https::client()
            .connect_timeout(CONNECT_WITHIN)
            .timeout(MAX_TIME)
            .dns_resolver(Arc::new(Resolver(guard.clone())))
            .redirect(Policy::custom(move |attempt| follow(&redirects, attempt)))
            .build()
            .map_err(|error| LoadError::Client(deepest(&error)))?;
        Ok(Self { http, guard })
    }

    /// What `GET` gives, within bounds.
    pub(super) async fn fetch(
        &self,
        url: &Url,
        credentials: Option<&Credentials>,
    ) -> Result<Vec<u8>, LoadError> {
        let request = authorized(self.http.get(url.clone()), credentials)?;
        let request = request.build().map_err(|error| failure(url, &error))?;
        body(self.answer(request, url).await?, url).await
    }

    /// The answer to one request. An address in its url is never resolved, so it is looked at here. Errors name `url`: the
    /// request's own may have a signature in it.
    pub(super) async fn answer(&self, request: Request, url: &Url) -> Result<Response, LoadError> {
        let refused = |source| LoadError::Address { url: url.to_string(), source };
        check_literal(&self.guard, request.url()).map_err(refused)?;
        self.http.execute(request).await.map_err(|error| failure(url, &error))
    }
}

/// The body of a good answer, within bounds.
pub(super) async fn body(mut response: Response, url: &Url) -> Result<Vec<u8>, LoadError> {
    if response.status() != StatusCode::OK {
        return Err(LoadError::Status { url: url.to_string(), status: response.status().to_string() });
    }
    check_size(response.content_length().unwrap_or(0))?;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(url, &error))? {
        bytes.extend_from_slice(&chunk);
        check_size(bytes.len() as u64).map_err(|_| LoadError::Endless)?;
    }
    Ok(bytes)
}

fn authorized(
    request: RequestBuilder,
    credentials: Option<&Credentials>,
) -> Result<RequestBuilder, LoadError> {
    let Some(credentials) = credentials else { return Ok(request) };
    match credentials.optional("token")? {
        Some(token) => Ok(request.bearer_auth(token)),
        None => {
            Ok(request.basic_auth(credentials.required("username")?, Some(credentials.required("password")?)))
        }
    }
}

fn follow(guard: &AddressGuard, attempt: Attempt) -> reqwest::redirect::Action {
    if attempt.previous().len() > MAX_REDIRECTS {
        return attempt.error(format!("more than {MAX_REDIRECTS} redirects"));
    }
    match check_literal(guard, attempt.url()) {
        Ok(()) => attempt.follow(),
        Err(refused) => attempt.error(refused),
    }
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

/// What went wrong, of an error that wraps others.
fn failure(url: &Url, error: &(dyn Error + 'static)) -> LoadError {
    let url = url.to_string();
    match causes(error).find_map(|error| error.downcast_ref::<AddressRefused>()) {
        Some(refused) => LoadError::Address { url, source: *refused },
        None => LoadError::Unreachable { url, why: deepest(error) },
    }
}
