//! A URL in, its bytes out, within the limit of size.

use std::error::Error;

use reqwest::{Method, Request, RequestBuilder, Response, StatusCode};
use url::Url;

use super::credentials::Credentials;
use super::error::{LoadError, check_size};
use super::limits::most_bytes;
use crate::outgoing::failure::{causes, deepest, redacted};
use crate::outgoing::{AddressRefused, Client};

/// Fetch a URL by `GET`, within the limit of size.
pub(super) async fn fetch(
    client: &Client,
    url: &Url,
    credentials: Option<&Credentials>,
) -> Result<Vec<u8>, LoadError> {
    let request = authorized(client.request(Method::GET, url.clone()), credentials)?;
    let request = request.build().map_err(|error| failure(url, &error.without_url()))?;
    body(answer(client, request, url).await?, url).await
}

/// Send a request. Errors name `url`: the request's own URL may contain a signature.
pub(super) async fn answer(client: &Client, request: Request, url: &Url) -> Result<Response, LoadError> {
    client.execute(request).await.map_err(|error| failure(url, &*error))
}

/// Read the body of an answer with status 200, within the limit of size.
pub(super) async fn body(mut response: Response, url: &Url) -> Result<Vec<u8>, LoadError> {
    if response.status() != StatusCode::OK {
        return Err(LoadError::Status { url: redacted(url), status: response.status().to_string() });
    }
    let (most, announced) = (most_bytes(), response.content_length().unwrap_or(0));
    check_size(announced, most)?;
    // One copy: a body with a known length never moves, and one without grows by a quarter.
    let mut bytes = Vec::with_capacity(announced as usize);
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(url, &error.without_url()))? {
        if (bytes.len() + chunk.len()) as u64 > most {
            return Err(LoadError::Endless(most));
        }
        if bytes.capacity() - bytes.len() < chunk.len() {
            bytes.reserve_exact(chunk.len() + bytes.len() / 4);
        }
        bytes.extend_from_slice(&chunk);
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

/// The error of a request, by the causes that it wraps.
fn failure(url: &Url, error: &(dyn Error + 'static)) -> LoadError {
    let url = redacted(url);
    match causes(error).find_map(|error| error.downcast_ref::<AddressRefused>()) {
        Some(refused) => LoadError::Address { url, source: *refused },
        None => LoadError::Unreachable { url, why: deepest(error) },
    }
}
