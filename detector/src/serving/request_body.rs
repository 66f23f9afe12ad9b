//! The body of an HTTP/2 request, read by its route. When the request is refused, the rest is read and
//! dropped.
//!
//! The library resets a stream when its request's body is dropped before the end. If the answer is still on
//! its way, the client loses it. RFC 9113, section 8.1, lets a server answer early if the reset follows the
//! whole answer: so the body is kept as long as the answer. Not all clients accept that reset, so a short
//! rest is read first.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::error::PayloadError;
use bytes::Bytes;
use futures::Stream;
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::timeout;

/// The most bytes that are read of the rest of a refused request.
const REST: usize = 64 << 10;
/// How long the rest of a refused request may take.
const LINGER: Duration = Duration::from_secs(1);

/// The body of a request. Clones share the same body.
#[derive(Clone, Debug)]
pub struct RequestBody(Rc<RefCell<Incoming>>);

impl RequestBody {
    /// Wrap the library's body.
    pub fn new(body: Incoming) -> Self {
        Self(Rc::new(RefCell::new(body)))
    }

    /// Read and drop the rest of the body, 64 KiB and 1 s at most.
    pub async fn discard(mut self) {
        let mut left = REST;
        let rest = async {
            while let Some(Ok(piece)) = std::future::poll_fn(|cx| Pin::new(&mut self).poll_next(cx)).await
                && left > 0
            {
                left = left.saturating_sub(piece.len());
            }
        };
        let _ = timeout(LINGER, rest).await; // the answer is sent in any case
    }
}

/// The data of the body, piece by piece; trailers are ignored.
impl Stream for RequestBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut body = self.0.borrow_mut();
        loop {
            match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => {
                    return Poll::Ready(Some(Err(PayloadError::Io(std::io::Error::other(error)))));
                }
                Some(Ok(frame)) => {
                    if let Ok(piece) = frame.into_data() {
                        return Poll::Ready(Some(Ok(piece)));
                    }
                }
            }
        }
    }
}
