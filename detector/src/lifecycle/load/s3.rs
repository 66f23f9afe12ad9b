//! An s3:// url in, the object's bytes out: signed by rusty_s3, sent by our own client.

use std::borrow::Cow;

use crd::load::Load;
use percent_encoding::percent_decode_str;
use reqwest::{Method, Request, StatusCode};
use rusty_s3::{Bucket, Credentials as Keys, S3Action, UrlStyle};
use url::Url;

use super::client::{answer, body};
use super::credentials::Credentials;
use super::error::LoadError;
use super::limits::MAX_TIME;
use crate::outgoing::Client;
use crate::outgoing::failure::redacted;

/// Fetch the object, within the limit of size. Without credentials the request is not signed: no service is
/// asked for credentials, in particular not the node's metadata service.
pub(super) async fn fetch(
    client: Client,
    load: &Load,
    url: &Url,
    credentials: Option<&Credentials>,
) -> Result<Vec<u8>, LoadError> {
    let bucket = bucket(load, url)?;
    let key = key(url)?;
    let keys = credentials.map(keys).transpose()?;
    let request = Request::new(Method::GET, bucket.get_object(keys.as_ref(), &key).sign(MAX_TIME));
    let response = answer(&client, request, url).await?;
    if response.status() == StatusCode::NOT_FOUND {
        return Err(LoadError::NoSuchKey { url: redacted(url) });
    }
    body(response, url).await
}

/// The bucket at its endpoint: that of the spec, by default Amazon's of the region.
fn bucket(load: &Load, url: &Url) -> Result<Bucket, LoadError> {
    let region = load.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
    let endpoint = load.endpoint.clone().unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
    let refused = |why: String| LoadError::Url { why: format!("endpoint: {why}") };
    let address = Url::parse(&endpoint).map_err(|error| refused(error.to_string()))?;
    let name = url.host_str().unwrap_or_default().to_owned();
    Bucket::new(address, UrlStyle::Path, name, region).map_err(|error| refused(error.to_string()))
}

/// The key in a URL, decoded. A `.` or `..` in it would lead to another object, so it is refused.
fn key(url: &Url) -> Result<Cow<'_, str>, LoadError> {
    let refused = |why: &str| LoadError::Url { why: why.to_owned() };
    let path = url.path().trim_start_matches('/');
    let key = percent_decode_str(path).decode_utf8().map_err(|_| refused("the key must be UTF-8"))?;
    if key.is_empty() {
        return Err(refused("the key of an object is missing"));
    }
    if key.split('/').any(|part| matches!(part, "." | "..")) {
        return Err(refused("a key must not have . or .. between its slashes"));
    }
    Ok(key)
}

fn keys(credentials: &Credentials) -> Result<Keys, LoadError> {
    let (id, secret) = (credentials.required("accessKeyId")?, credentials.required("secretAccessKey")?);
    Ok(match credentials.optional("sessionToken")? {
        Some(token) => Keys::new_with_token(id, secret, token),
        None => Keys::new(id, secret),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_and_those_that_lead_elsewhere_are_refused() {
        let key_of = |text: &str| {
            let url = Url::parse(text).unwrap();
            key(&url).map(Cow::into_owned).map_err(|error| error.to_string())
        };
        assert_eq!(key_of("s3://models/plant/pump%201/model").unwrap(), "plant/pump 1/model");
        for (url, why) in [
            ("s3://models", "the key of an object is missing"),
            ("s3://models/a%2F..%2F..%2Fother%2Fmodel", "a key must not have . or .. between its slashes"),
            ("s3://models/%FF", "the key must be UTF-8"),
        ] {
            let error = key_of(url).unwrap_err();
            assert!(error.contains(why), "{url}: {error}");
        }
    }

    #[test]
    fn the_endpoint_is_the_regions_unless_the_spec_names_one() {
        let url = Url::parse("s3://models/pump").unwrap();
        let object = |load: &Load| bucket(load, &url).unwrap().object_url("pump").to_string();
        let mut load: Load =
            serde_json::from_value(serde_json::json!({ "url": url.as_str(), "region": "eu-west-1" }))
                .unwrap();
        assert_eq!(object(&load), "https://s3.eu-west-1.amazonaws.com/models/pump");
        load.endpoint = Some("http://minio.plant:9000/".to_owned());
        assert_eq!(object(&load), "http://minio.plant:9000/models/pump");
    }
}
