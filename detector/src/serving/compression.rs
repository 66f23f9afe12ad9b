//! An answer in; the same answer out, compressed if the client accepts that and the budget has room.

use std::error::Error;
use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, VARY,
};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::budget::{Budget, Held};
use super::zstd;

/// The shortest answer that is compressed, bytes.
const MIN_BYTES: u64 = 1024;
/// The memory of a gzip compressor, bytes: the window, its index, and the output that is not sent yet.
const COMPRESSOR: usize = 384 << 10;

/// The Content-Encoding of a compressed answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Zstd,
}

/// Compress the answer if the client accepts that, the answer is long enough, and the budget has room.
pub fn compressed(mut response: ServiceResponse<BoxBody>, budget: &Budget) -> ServiceResponse<BoxBody> {
    if !is_worth_it(&response) {
        return response;
    }
    let vary = HeaderValue::from_static("Accept-Encoding");
    response.response_mut().headers_mut().append(VARY, vary);
    if response.request().method() == Method::HEAD {
        return response;
    }
    let Some(coding) = Coding::taken_by(response.request().headers()) else { return response };
    let Ok(held) = budget.hold(coding.bytes()) else { return response };
    let headers = response.response_mut().headers_mut();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    response.map_body(|_, body| Compressed { body, encoder: Some(Encoder::new(coding)), _held: held }.boxed())
}

impl Coding {
    /// The coding that the client prefers (RFC 9110, section 12.5.3); gzip at equal weights, because it
    /// compresses better here.
    fn taken_by(headers: &HeaderMap) -> Option<Self> {
        let weight = |coding: Self| {
            let values = headers.get_all(ACCEPT_ENCODING).filter_map(|value| value.to_str().ok());
            let weights = values.flat_map(|value| value.split(',')).filter_map(|part| {
                let mut parts = part.split(';').map(str::trim);
                let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding.name()));
                let weight = parts.find_map(|part| part.strip_prefix("q=")).map(str::parse::<f32>);
                is_named.then(|| weight.and_then(Result::ok).unwrap_or(1.0))
            });
            weights.fold(0.0, f32::max)
        };
        let (gzip, zstd) = (weight(Self::Gzip), weight(Self::Zstd));
        let taken = if gzip >= zstd { Self::Gzip } else { Self::Zstd };
        (gzip.max(zstd) > 0.0).then_some(taken)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The memory of its compressor, bytes.
    fn bytes(self) -> usize {
        match self {
            Self::Gzip => COMPRESSOR,
            Self::Zstd => zstd::COMPRESSOR,
        }
    }
}

fn is_worth_it(response: &ServiceResponse<BoxBody>) -> bool {
    let head = response.response();
    if matches!(head.body().size(), BodySize::None | BodySize::Sized(..MIN_BYTES)) {
        return false;
    }
    let kind = head.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_text =
        kind.contains("json") || kind.starts_with("text/") && !kind.starts_with("text/event-stream");
    is_text && head.status() == StatusCode::OK && !head.headers().contains_key(CONTENT_ENCODING)
}

/// A body that is compressed while it is sent.
struct Compressed {
    body: BoxBody,
    encoder: Option<Encoder>,
    _held: Held,
}

enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    /// Each piece is compressed as a frame of its own.
    Zstd,
}

impl Encoder {
    fn new(coding: Coding) -> Self {
        match coding {
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::fast())),
            Coding::Zstd => Self::Zstd,
        }
    }

    /// Compress another piece. Return the bytes that are to be sent now.
    fn pack(&mut self, piece: &[u8]) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => {
                encoder.write_all(piece)?;
                Ok(std::mem::take(encoder.get_mut()))
            }
            Self::Zstd => Ok(zstd::frame(piece)),
        }
    }

    /// Return the bytes that are to be sent after the last piece.
    fn finish(self) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd => Ok(Vec::new()),
        }
    }
}

impl MessageBody for Compressed {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = &mut *self;
        while let Some(encoder) = &mut this.encoder {
            let packed = match ready!(Pin::new(&mut this.body).poll_next(context)) {
                Some(piece) => encoder.pack(&piece?)?,
                None => this.encoder.take().map(Encoder::finish).transpose()?.unwrap_or_default(),
            };
            if !packed.is_empty() {
                return Poll::Ready(Some(Ok(packed.into())));
            }
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::HttpResponse;
    use actix_web::body::to_bytes;
    use actix_web::test::TestRequest;
    use flate2::read::GzDecoder;
    use std::io::Read;

    fn answered(accept: &str, response: HttpResponse, budget: &Budget) -> ServiceResponse<BoxBody> {
        let request = TestRequest::get().insert_header((ACCEPT_ENCODING, accept)).to_http_request();
        compressed(ServiceResponse::new(request, response), budget)
    }

    #[actix_web::test]
    async fn an_answer_is_compressed_for_those_who_take_it_while_there_is_room() {
        let whole: String = (0..200_000).map(|n: u32| n.to_string()).collect();
        let json = || HttpResponse::Ok().content_type("application/json").body(whole.clone());
        let budget = Budget::new(COMPRESSOR);
        let response = answered("br, gzip;q=0.5", json(), &budget);
        assert_eq!(response.headers().get(CONTENT_ENCODING).unwrap(), "gzip");
        let other = answered("gzip", json(), &budget);
        assert!(other.headers().get(CONTENT_ENCODING).is_none(), "there is no room for two");
        let packed = to_bytes(response.into_body()).await.unwrap();
        let mut text = String::new();
        GzDecoder::new(&*packed).read_to_string(&mut text).unwrap();
        assert!(packed.len() < whole.len() / 2);
        assert_eq!(text, whole);
        for (accept, coding) in [("zstd", "zstd"), ("gzip;q=0.5, zstd", "zstd"), ("zstd, gzip", "gzip")] {
            let response = answered(accept, json(), &Budget::new(1 << 30));
            assert_eq!(response.headers().get(CONTENT_ENCODING).unwrap(), coding, "{accept}");
        }
        let response = answered("zstd", json(), &Budget::new(1 << 30));
        let packed = to_bytes(response.into_body()).await.unwrap();
        let mut text = String::new();
        zstd::Decoder::new(&packed).read_to_string(&mut text).unwrap();
        assert_eq!(text, whole);
        for accept in ["", "identity", "gzip;q=0", "gzip;q=0.0, br", "xgzip", "zstd;q=0"] {
            let response = answered(accept, json(), &budget);
            assert!(response.headers().get(CONTENT_ENCODING).is_none(), "{accept}");
        }
    }

    #[actix_web::test]
    async fn what_is_short_or_no_text_stays_as_it_is() {
        let budget = Budget::new(1 << 30);
        for (kind, length) in
            [("application/json", 100), ("application/octet-stream", 9000), ("text/event-stream", 9000)]
        {
            let response = HttpResponse::Ok().content_type(kind).body(vec![b' '; length]);
            assert!(answered("gzip", response, &budget).headers().get(CONTENT_ENCODING).is_none(), "{kind}");
        }
    }
}
