//! Shared bytes or items in; a body that is produced piece by piece while it is sent out.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;

use super::budget::Held;

/// The size of a piece, bytes: about what a connection holds of an answer at once.
pub const PIECE: usize = 32 << 10;

/// A body of shared bytes, sent piece by piece: if the client does not read, only one piece is copied.
pub struct Pieces<T> {
    source: T,
    sent: usize,
    _held: Option<Held>,
}

impl<T: AsRef<[u8]> + Unpin> Pieces<T> {
    /// A body of all bytes of `source`.
    pub fn new(source: T) -> Self {
        Self { source, sent: 0, _held: None }
    }

    /// The same body, which holds its part of a budget until it is sent.
    #[must_use]
    pub fn holding(self, held: Held) -> Self {
        Self { _held: Some(held), ..self }
    }
}

impl<T: AsRef<[u8]> + Unpin> MessageBody for Pieces<T> {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.source.as_ref().len() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let rest = &self.source.as_ref()[self.sent..];
        let piece = Bytes::copy_from_slice(&rest[..rest.len().min(PIECE)]);
        self.sent += piece.len();
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}

/// A body of bytes that no other answer shares, sent piece by piece without a copy. It holds its part of a
/// budget until it is sent.
pub struct Slices {
    rest: Bytes,
    _held: Held,
}

impl Slices {
    /// A body of all these bytes.
    pub fn new(bytes: Bytes, held: Held) -> Self {
        Self { rest: bytes, _held: held }
    }
}

impl MessageBody for Slices {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.rest.len() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let length = self.rest.len().min(PIECE);
        Poll::Ready((length > 0).then(|| Ok(self.rest.split_to(length))))
    }
}

/// An answer `{"NAME":[…]}` of shared items: `write` serializes each item when it is about to be sent.
pub fn list<T: Unpin + 'static>(
    name: &str,
    items: Vec<T>,
    write: impl Fn(&T, &mut Vec<u8>) -> serde_json::Result<()> + Unpin + 'static,
) -> HttpResponse {
    list_after(format!("{{\"{name}\":["), items, write)
}

/// The same with another beginning: `before` is the JSON up to the opening bracket of the array.
pub fn list_after<T: Unpin + 'static>(
    before: String,
    items: Vec<T>,
    write: impl Fn(&T, &mut Vec<u8>) -> serde_json::Result<()> + Unpin + 'static,
) -> HttpResponse {
    let begin = before.into_bytes();
    let body = List { begin, items: items.into_iter(), write, is_first: true, is_done: false };
    HttpResponse::Ok().content_type("application/json").body(body)
}

struct List<T, F> {
    begin: Vec<u8>,
    items: std::vec::IntoIter<T>,
    write: F,
    is_first: bool,
    is_done: bool,
}

impl<T: Unpin, F: Fn(&T, &mut Vec<u8>) -> serde_json::Result<()> + Unpin> MessageBody for List<T, F> {
    type Error = serde_json::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if self.is_done {
            return Poll::Ready(None);
        }
        let mut piece = std::mem::take(&mut self.begin);
        while piece.len() < PIECE {
            let Some(item) = self.items.next() else {
                piece.extend_from_slice(b"]}");
                self.is_done = true;
                break;
            };
            if !std::mem::take(&mut self.is_first) {
                piece.push(b',');
            }
            if let Err(error) = (self.write)(&item, &mut piece) {
                return Poll::Ready(Some(Err(error)));
            }
        }
        Poll::Ready(Some(Ok(piece.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serving::budget::Budget;
    use actix_web::body::to_bytes;

    #[actix_web::test]
    async fn pieces_add_up_to_the_whole() {
        let whole: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
        assert_eq!(to_bytes(Pieces::new(whole.clone())).await.unwrap(), whole);
        assert!(to_bytes(Pieces::new(Vec::new())).await.unwrap().is_empty());
        let held = Budget::new(1).open();
        assert_eq!(to_bytes(Slices::new(whole.clone().into(), held)).await.unwrap(), whole);
    }

    #[actix_web::test]
    async fn a_list_is_json_however_long() {
        for count in [0, 1, 2, 50_000] {
            let answer = list("items", (0..count).collect(), |n: &u32, out| serde_json::to_writer(out, n));
            let bytes = to_bytes(answer.into_body()).await.unwrap();
            let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(value["items"].as_array().unwrap().len(), count as usize);
        }
    }
}
