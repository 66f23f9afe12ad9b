//! Code that all requests that push readings share: authorization, limits of their bodies, and the outcome
//! of their items.

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
/// How many bytes are decompressed at once.
const STEP: usize = 64 << 10;

/// The inlet, for a client that is authorized to push.
///
/// # Errors
/// The detector takes no pushed readings, or not yet; or the client has no valid token.
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

/// A header's value; empty if there is none.
pub(super) fn header(request: &HttpRequest, name: HeaderName) -> &str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The body's Content-Encoding.
pub(super) fn encoding(request: &HttpRequest) -> String {
    header(request, CONTENT_ENCODING).to_owned()
}

/// Run `work` on a body of this Content-Encoding: on this thread if the body is small and not compressed,
/// else in the batch pool.
///
/// # Errors
/// Those of `work`; or too many batches are already running.
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

/// Whether a Content-Encoding means no compression.
pub(super) fn is_plain(encoding: &str) -> bool {
    matches!(encoding, "" | "identity")
}

/// Decompress a body by its Content-Encoding.
///
/// # Errors
/// The body is too large, truncated, or compressed in an unsupported way, or the budget has no room for it.
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

/// The outcome of a request that pushes items.
pub(super) struct Taken {
    /// The outcome of its readings.
    pub(super) receipt: Receipt,
    /// How many items are refused.
    pub(super) refused: usize,
    /// The first refused items, by index, each with an error message.
    pub(super) named: Vec<(usize, String)>,
}

impl Taken {
    /// Return the receipt if no item is refused.
    ///
    /// # Errors
    /// An item is refused.
    pub(super) fn unless_refused(self) -> Result<Receipt, ApiError> {
        if self.refused == 0 { Ok(self.receipt) } else { Err(self.into_error()) }
    }

    /// The refused items and the dropped readings, as an error.
    pub(super) fn into_error(self) -> ApiError {
        let Self { receipt, refused, named } = self;
        ApiError::Items { receipt, refused, named }
    }
}

/// Push the items of a request.
///
/// # Errors
/// The request is not a valid message, or the inlet is full or not open yet.
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
