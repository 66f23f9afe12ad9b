//! What requests that push readings have in common: who may, their bodies within bounds, and what became of what they hold.

use std::io::Read;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, CONTENT_ENCODING, HeaderName};
use flate2::read::{MultiGzDecoder, ZlibDecoder};

use super::ApiError;
use crate::excerpt::{MAX_EXCERPT, excerpt};
use crate::ingest::sources::http::inlet::{Inlet, PushError, Receipt, Unauthorized};
use crate::ingest::sources::http::items::Items;
use crate::serving::body::{Body, BodyError, SMALL};
use crate::serving::budget::Held;
use crate::serving::state::State;
use crate::serving::zstd;

/// The largest request that pushes metrics, also when it is decompressed.
pub(super) const MAX_METRICS: usize = 8 << 20;
/// So much is decompressed at once.
const STEP: usize = 64 << 10;

/// The inlet, for a client that may push.
///
/// # Errors
/// There is none, or the token is another one.
pub(super) fn admitted<'a>(state: &'a State, request: &HttpRequest) -> Result<&'a Arc<Inlet>, ApiError> {
    let inlet = state.inlet().ok_or_else(|| {
        let has_source = state.detector.sources().iter().any(|source| source.kind.is_pushed_to());
        if has_source { not_taken(&PushError::Closed) } else { ApiError::NoInlet }
    })?;
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    inlet.authorize(header).map_err(|error| match error {
        Unauthorized::Token => ApiError::Unauthorized(error.to_string()),
        Unauthorized::Unreadable(_) => ApiError::NotReady(error.to_string()),
    })?;
    Ok(inlet)
}

/// A header's value; empty where there is none.
pub(super) fn header(request: &HttpRequest, name: HeaderName) -> &str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The body's Content-Encoding.
pub(super) fn encoding(request: &HttpRequest) -> String {
    header(request, CONTENT_ENCODING).to_owned()
}

/// Read and push what a body of this Content-Encoding holds: where it arrives if that is little, in the lane of batches if
/// it may be much.
///
/// # Errors
/// Those of `work`; or too many batches are under way.
pub(super) async fn apart<T: Send + 'static>(
    state: &State,
    body: Body,
    encoding: &str,
    work: impl FnOnce(Body) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    if body.bytes.len() <= SMALL && is_plain(encoding) {
        return work(body);
    }
    state.batches.begin()?.work(|| work(body)).await?
}

/// Whether a Content-Encoding is none.
pub(super) fn is_plain(encoding: &str) -> bool {
    matches!(encoding, "" | "identity")
}

/// The body, decompressed as its Content-Encoding says.
///
/// # Errors
/// It is too large, breaks off, is compressed in another way, or there is no room for it.
pub(super) fn decompressed(encoding: &str, body: Body, most: usize) -> Result<Body, ApiError> {
    let Body { bytes, held } = body;
    match encoding {
        plain if is_plain(plain) => Ok(Body { bytes, held }),
        "gzip" => unpacked(MultiGzDecoder::new(&*bytes), "gzip", held, most),
        "deflate" => unpacked(ZlibDecoder::new(&*bytes), "deflate", held, most),
        "zstd" => {
            let mut held = held;
            held.grow(most)?; // its window
            unpacked(zstd::Decoder::new(&bytes), "zstd", held, most)
        }
        other => Err(ApiError::Unsupported(format!(
            "Content-Encoding: expected gzip, deflate, zstd or none, got {:?}",
            excerpt(other, MAX_EXCERPT)
        ))),
    }
}

fn unpacked(mut packed: impl Read, format: &str, mut held: Held, most: usize) -> Result<Body, ApiError> {
    let mut bytes = Vec::new();
    loop {
        held.grow(STEP)?;
        let read = packed.by_ref().take(STEP as u64).read_to_end(&mut bytes);
        match read {
            Err(error) => return Err(ApiError::Malformed(format!("expected {format}: {error}"))),
            Ok(_) if bytes.len() > most => return Err(BodyError::TooLarge(most).into()),
            Ok(0) => return Ok(Body { bytes: bytes.into(), held }),
            Ok(_) => {}
        }
    }
}

/// What became of what a request holds.
pub(super) struct Taken {
    /// What became of its readings.
    pub(super) receipt: Receipt,
    /// How many items are refused.
    pub(super) refused: usize,
    /// The first of them, each with a sentence.
    pub(super) named: Vec<(usize, String)>,
}

impl Taken {
    /// The receipt.
    ///
    /// # Errors
    /// Some of it is refused.
    pub(super) fn unless_refused(self) -> Result<Receipt, ApiError> {
        if self.refused == 0 { Ok(self.receipt) } else { Err(self.into_error()) }
    }

    /// What is refused and what is dropped, as an error.
    pub(super) fn into_error(self) -> ApiError {
        let Self { receipt, refused, named } = self;
        ApiError::Items { receipt, refused, named }
    }
}

/// Push what a request holds.
///
/// # Errors
/// It is no message at all, or there is no room.
pub(super) fn take(inlet: &Inlet, items: Result<Items, String>) -> Result<Taken, ApiError> {
    let items = items.map_err(|why| {
        inlet.refuse(&why);
        ApiError::Malformed(why)
    })?;
    let (refused, named) = (items.refused, items.named.clone());
    let receipt = inlet.push(items).map_err(|error| not_taken(&error))?;
    Ok(Taken { receipt, refused, named })
}

fn not_taken(error: &PushError) -> ApiError {
    match error {
        PushError::Full => ApiError::TooMany(error.to_string()),
        PushError::Closed => ApiError::NotReady(error.to_string()),
    }
}
