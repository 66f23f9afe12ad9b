//! The bytes of a connection in; how many of its requests wait for an answer out.
//!
//! The HTTP library reads all requests that have arrived before it answers the first of them (RFC 9112,
//! section 9.3.2). Each takes about 7 KB: a client that sends thousands and reads no answer would use up the
//! memory of the pod.

use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;

/// The end of a request line: this word, a digit, and the end of the line.
static REQUEST: LazyLock<Word> = LazyLock::new(|| Word::new(b" HTTP/1.", b"\r\n"));
/// The beginning of an answer: this word, a digit, and a space.
static ANSWER: LazyLock<Word> = LazyLock::new(|| Word::new(b"HTTP/1.", b" "));

/// The most requests of a connection that may wait for an answer.
const MAX_WAITING: usize = 16;

/// The error that too many requests wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

/// Counts requests and answers by their first lines. The same text in a body would be counted too, but
/// strings in JSON contain no line ends.
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    requests: Occurrences,
    answers: Occurrences,
    waiting: usize,
}

impl Pipeline {
    /// Count the requests in bytes that were received. `head` is how many of these bytes complete a head, if
    /// it ends among them. If no request waits, that head is one request, without a search.
    ///
    /// # Errors
    /// More than 16 requests wait.
    pub fn received(&mut self, bytes: &[u8], head: Option<usize>) -> Result<(), TooMany> {
        let mut after = bytes;
        if let Some(end) = head
            && self.waiting == 0
        {
            (self.waiting, after) = (1, &bytes[end..]);
            self.requests.end.clear();
        }
        self.waiting += self.requests.count(&REQUEST, after, MAX_WAITING + 1);
        if self.waiting > MAX_WAITING { Err(TooMany) } else { Ok(()) }
    }

    /// Count the answers in bytes that were sent.
    pub fn sent(&mut self, bytes: &[u8]) {
        if self.waiting == 1 && bytes.starts_with(ANSWER.finder.needle()) {
            self.waiting = 0;
            self.answers.end.clear();
        } else if self.waiting > 0 {
            self.waiting -= self.answers.count(&ANSWER, bytes, self.waiting);
        }
    }
}

/// A pattern: a word, any byte, and one byte of `last`.
struct Word {
    finder: Finder<'static>,
    first: u8,
    last: &'static [u8],
}

impl Word {
    fn new(word: &'static [u8], last: &'static [u8]) -> Self {
        Self { finder: Finder::new(word), first: word[0], last }
    }

    /// The length of the longest incomplete match at the end of a piece: the pattern without its last byte.
    fn longest_part(&self) -> usize {
        self.finder.needle().len() + 1
    }

    fn count(&self, bytes: &[u8], most: usize) -> usize {
        // Most bodies are JSON without a slash.
        if memchr(b'/', bytes).is_none() {
            return 0;
        }
        let is_whole =
            |at: &usize| bytes.get(at + self.longest_part()).is_some_and(|byte| self.last.contains(byte));
        self.finder.find_iter(bytes).filter(is_whole).take(most).count()
    }
}

/// Counts a pattern in bytes that come in pieces.
#[derive(Clone, Debug, Default)]
struct Occurrences {
    /// The last bytes so far, at most one fewer than the pattern has.
    end: Vec<u8>,
}

impl Occurrences {
    /// How many more matches there are with this piece, at most `most`.
    fn count(&mut self, word: &Word, piece: &[u8], most: usize) -> usize {
        let longest = word.longest_part();
        let begin = &piece[..piece.len().min(longest)];
        let before = self.end.len();
        self.end.extend_from_slice(begin);
        let may_be_across = self.end[..before].contains(&word.first);
        let across = if may_be_across { word.count(&self.end, 1) } else { 0 };
        if begin.len() < longest {
            self.end.drain(..self.end.len().saturating_sub(longest));
        } else {
            self.end.clear();
            self.end.extend_from_slice(&piece[piece.len() - longest..]);
        }
        across + word.count(piece, most - across)
    }
}

#[cfg(test)]
mod tests {
    use super::super::request_head::RequestHead;
    use super::*;

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

    #[test]
    fn requests_are_counted_however_they_are_cut() {
        let many = GET.repeat(MAX_WAITING + 1);
        for length in 1..=many.len() {
            let mut pipeline = Pipeline::default();
            let mut pieces = many.chunks(length);
            let mut head = RequestHead::default();
            let is_cut = pieces.any(|piece| {
                let end = head.received(piece).unwrap();
                pipeline.received(piece, end).is_err()
            });
            assert!(is_cut, "in pieces of {length} bytes");
            assert_eq!(pipeline.waiting, MAX_WAITING + 1);
        }
    }

    #[test]
    fn answers_make_room_however_they_are_cut() {
        for length in 1..=OK.len() {
            let mut pipeline = Pipeline::default();
            for _ in 0..3 {
                pipeline.received(&GET.repeat(MAX_WAITING), Some(GET.len())).unwrap();
                OK.repeat(MAX_WAITING).chunks(length).for_each(|piece| pipeline.sent(piece));
                assert_eq!(pipeline.waiting, 0, "in pieces of {length} bytes");
            }
        }
    }
}
