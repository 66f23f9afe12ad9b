//! The body of an HTTP/2 request: read by its route; what a route that refuses has left of it is read and dropped.
//!
//! The library resets the stream of a request whose body is dropped before it has ended, and where the answer is still on its way
//! the client loses it. RFC 9113, section 8.1, lets a server answer early if the reset follows the whole answer: so the body lives
//! as long as the answer. Not all clients accept that reset, so a short rest is read first.

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

/// How much of a refused request is read, bytes.
const REST: usize = 64 << 10;
/// How long the rest of a refused request may take.
const LINGER: Duration = Duration::from_secs(1);

/// The body. Clones are handles on the same one.
#[derive(Clone, Debug)]
pub struct RequestBody(Rc<RefCell<Incoming>>);

impl RequestBody {
    /// The body as the library has it.
    pub fn new(body: Incoming) -> Self {
        Self(Rc::new(RefCell::new(body)))
    }

    /// Read what is left, 64 KiB and 1 s at most.
    pub async fn discard(mut self) {
        let mut left = REST;
        let rest = async {
            while let Some(Ok(piece)) = std::future::poll_fn(|cx| Pin::new(&mut self).poll_next(cx)).await
                && left > 0
            {
                left = left.saturating_sub(piece.len());
            }
        };
        let _ = timeout(LINGER, rest).await; // the answer goes out all the same
    }
}

/// The pieces as they come; trailers count for nothing.
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
