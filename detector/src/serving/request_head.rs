//! The bytes of a connection in; whether the head of a request is arriving, and whether it is too large, out.

use std::sync::LazyLock;

use memchr::memchr_iter;
use memchr::memmem::Finder;

/// The largest head of a request, bytes.
const MAX_BYTES: usize = 16 << 10;

/// The end of a line, followed by an empty line.
static EMPTY_LINE: LazyLock<Finder> = LazyLock::new(|| Finder::new(b"\n\r\n"));
/// The same without carriage returns, which the HTTP library also accepts.
static BARE_LINE: LazyLock<Finder> = LazyLock::new(|| Finder::new(b"\n\n"));

/// The progress of a connection's current request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Progress {
    /// No byte of the request has arrived.
    #[default]
    Nothing,
    /// This many bytes of the head have arrived, without the empty line that ends it.
    Arriving(usize),
    /// The whole head has arrived; the next bytes belong to the body.
    Whole,
    /// The request was refused: the next bytes are its rest, or the next request.
    Refused,
}

/// The error that a head is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

/// Follows where the heads of requests begin and end. It only looks for line ends: the HTTP library checks
/// the contents.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestHead {
    progress: Progress,
    /// Whether the current line is empty so far.
    is_empty_line: bool,
}

impl RequestHead {
    /// Whether a part of a head has arrived, but not all of it.
    pub fn is_arriving(&self) -> bool {
        matches!(self.progress, Progress::Arriving(_))
    }

    /// Whether a whole head has arrived, and no part of its answer was sent.
    pub fn is_whole(&self) -> bool {
        self.progress == Progress::Whole
    }

    /// Whether the next byte belongs to a new request.
    pub fn is_between_requests(&self) -> bool {
        self.progress == Progress::Nothing
    }

    /// Process bytes that were received. Return how many of them complete a head, if it ends among them.
    ///
    /// # Errors
    /// A head without an end in the first 16 KiB.
    pub fn received(&mut self, bytes: &[u8]) -> Result<Option<usize>, TooLarge> {
        let (length, end) = match self.progress {
            Progress::Nothing => {
                self.is_empty_line = false;
                (0, usual_end(bytes).or_else(|| self.end(bytes)))
            }
            Progress::Arriving(length) => (length, self.end(bytes)),
            Progress::Whole | Progress::Refused => return Ok(None),
        };
        let length = length + end.unwrap_or(bytes.len());
        self.progress = if end.is_some() { Progress::Whole } else { Progress::Arriving(length) };
        if length > MAX_BYTES { Err(TooLarge) } else { Ok(end) }
    }

    /// The position after the empty line that ends the head, if it is among these bytes.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut begin = 0;
        for end in memchr_iter(b'\n', bytes) {
            let is_empty = bytes[begin..end].iter().all(|byte| *byte == b'\r');
            if is_empty && self.is_empty_line {
                return Some(end + 1);
            }
            (begin, self.is_empty_line) = (end + 1, true);
        }
        self.is_empty_line &= bytes[begin..].iter().all(|byte| *byte == b'\r');
        None
    }

    /// Process bytes that were sent: the beginning of an answer, or more of it.
    pub fn answered(&mut self, bytes: &[u8]) {
        match bytes {
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', _, b' ', b'1', ..] => {} // 100 Continue
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', _, b' ', b'2', ..] => {
                self.progress = Progress::Nothing;
            }
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', ..] => self.progress = Progress::Refused,
            _ => {}
        }
    }
}

/// The position after the empty line, if these bytes begin with a whole head whose lines end with CR LF, as
/// the standard requires.
fn usual_end(bytes: &[u8]) -> Option<usize> {
    let end = EMPTY_LINE.find(bytes)? + EMPTY_LINE.needle().len();
    let is_first = BARE_LINE.find(&bytes[..end]).is_none();
    is_first.then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_with_an_empty_line_however_it_is_cut() {
        let request = b"POST /predict HTTP/1.1\r\nHost: x\r\n\r\n{\"value\":1}";
        for cut in 1..request.len() {
            let mut head = RequestHead::default();
            head.received(&request[..cut]).unwrap();
            assert_eq!(head.is_arriving(), cut < 35, "{cut}");
            let end = head.received(&request[cut..]).unwrap();
            assert_eq!(end, (cut < 35).then(|| 35 - cut), "{cut}");
            assert!(!head.is_arriving());
        }
    }

    #[test]
    fn a_head_ends_with_the_first_of_its_empty_lines() {
        for (bytes, end) in [
            (&b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\n\n"[..], 18),
            (b"GET / HTTP/1.1\n\nGET / HTTP/1.1\r\n\r\n", 16),
            (b"GET / HTTP/1.1\n\r\nGET / HTTP/1.1\r\n\r\n", 17),
        ] {
            assert_eq!(RequestHead::default().received(bytes), Ok(Some(end)));
        }
    }

    #[test]
    fn a_head_without_an_end_is_too_large_and_a_body_is_not() {
        let mut head = RequestHead::default();
        head.received(b"GET / HTTP/1.1\n").unwrap();
        assert_eq!(head.received(&[b'a'; MAX_BYTES]), Err(TooLarge));
        let mut head = RequestHead::default();
        head.received(b"GET / HTTP/1.1\n\n").unwrap();
        head.received(&vec![b'a'; 10 * MAX_BYTES]).unwrap();
        head.answered(b"HTTP/1.1 100 Continue\r\n\r\n");
        head.received(&vec![b'a'; 10 * MAX_BYTES]).unwrap();
        head.answered(b"HTTP/1.1 413 Payload Too Large\r\n\r\n");
        head.received(&vec![b'a'; 10 * MAX_BYTES]).unwrap();
        let mut head = RequestHead::default();
        head.received(b"GET / HTTP/1.1\n\n").unwrap();
        head.answered(b"HTTP/1.1 200 OK\r\n\r\n");
        head.received(b"GET").unwrap();
        assert!(head.is_arriving(), "the next request");
    }
}
