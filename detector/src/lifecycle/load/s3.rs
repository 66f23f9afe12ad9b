//! An s3:// url in, the object's bytes out: signed and asked for by object_store, sent by our own client.

use std::time::Duration;

use async_trait::async_trait;
use crd::load::Load;
use futures::TryStreamExt;
use http_body_util::BodyExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStoreExt, RetryConfig};
use url::Url;

use super::client::{Client, failure};
use super::credentials::Credentials;
use super::{LoadError, check_size};

/// The object, within bounds.
pub(super) async fn fetch(
    client: Client,
    load: &Load,
    url: &Url,
    credentials: Option<&Credentials>,
) -> Result<Vec<u8>, LoadError> {
    let failed = |error: object_store::Error| match error {
        object_store::Error::NotFound { .. } => LoadError::NoSuchKey { url: url.to_string() },
        error => failure(url, &error),
    };
    let store = store(client, load, url, credentials)?.build().map_err(failed)?;
    let key = Path::from_url_path(url.path()).map_err(|error| failed(error.into()))?;
    get(&store, &key, failed).await
}

async fn get(
    store: &AmazonS3,
    key: &Path,
    failed: impl Fn(object_store::Error) -> LoadError,
) -> Result<Vec<u8>, LoadError> {
    let object = store.get(key).await.map_err(&failed)?;
    check_size(object.meta.size)?;
    let mut bytes = Vec::with_capacity(object.meta.size as usize);
    let mut chunks = object.into_stream();
    while let Some(chunk) = chunks.try_next().await.map_err(&failed)? {
        bytes.extend_from_slice(&chunk);
        check_size(bytes.len() as u64).map_err(|_| LoadError::Endless)?;
    }
    Ok(bytes)
}

/// Without credentials requests are not signed: nobody is asked for some, least of all the node's metadata service.
fn store(
    client: Client,
    load: &Load,
    url: &Url,
    credentials: Option<&Credentials>,
) -> Result<AmazonS3Builder, LoadError> {
    let retry =
        RetryConfig { max_retries: 2, retry_timeout: Duration::from_secs(20), ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(url.host_str().unwrap_or_default())
        .with_region(load.region.as_deref().unwrap_or("us-east-1"))
        .with_allow_http(true)
        .with_retry(retry)
        .with_http_connector(Guarded(client));
    if let Some(endpoint) = &load.endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
    }
    let Some(credentials) = credentials else { return Ok(builder.with_skip_signature(true)) };
    if let Some(token) = credentials.optional("sessionToken")? {
        builder = builder.with_token(token);
    }
    Ok(builder
        .with_access_key_id(credentials.required("accessKeyId")?)
        .with_secret_access_key(credentials.required("secretAccessKey")?))
}

/// Our client, as object_store wants one.
#[derive(Clone, Debug)]
struct Guarded(Client);

impl HttpConnector for Guarded {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Guarded {
    /// Requests have no bodies: objects are only read.
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let unknown = |error| HttpError::new_boxed(HttpErrorKind::Unknown, error);
        let (parts, _) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|error| unknown(error.into()))?;
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        let response: http::Response<reqwest::Body> = self.0.execute(request).await.map_err(unknown)?.into();
        let (parts, body) = response.into_parts();
        let body = body.map_err(move |error| unknown(error.into()));
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)))
    }
}
