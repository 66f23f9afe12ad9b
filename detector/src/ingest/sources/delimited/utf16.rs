//! UTF-16 text with a byte order mark in, as spreadsheets save it; the same as UTF-8 out.

use std::collections::VecDeque;
use std::io::{self, BufRead, ErrorKind, Read};

/// The order of the bytes of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

/// The byte order of a byte order mark; none where there is no mark.
pub(super) fn order(head: &[u8]) -> Option<Order> {
    match head {
        [0xFF, 0xFE, ..] => Some(Order::Little),
        [0xFE, 0xFF, ..] => Some(Order::Big),
        _ => None,
    }
}

/// UTF-16 that is read as UTF-8, mark included.
pub(super) struct Utf16<R> {
    input: R,
    order: Order,
    /// The first half of a surrogate pair, whose other half is still to come.
    high: Option<u16>,
    /// Text that is produced and not read yet.
    text: VecDeque<u8>,
}

impl<R: BufRead> Utf16<R> {
    pub(super) fn new(input: R, order: Order) -> Self {
        Self { input, order, high: None, text: VecDeque::new() }
    }

    /// Turn the buffered input into text; produce nothing at its end.
    fn advance(&mut self) -> io::Result<()> {
        let bytes = self.input.fill_buf()?;
        if bytes.is_empty() {
            return if self.high.is_some() { Err(refused("ends within a character")) } else { Ok(()) };
        }
        if let [only] = *bytes {
            self.input.consume(1);
            let mut second = [0];
            self.input
                .read_exact(&mut second)
                .map_err(|error| if is_end(&error) { refused("ends within a character") } else { error })?;
            return self.push([only, second[0]]);
        }
        let units = bytes.len() / 2 * 2;
        let bytes = bytes[..units].to_vec();
        self.input.consume(units);
        bytes.as_chunks::<2>().0.iter().try_for_each(|unit| self.push(*unit))
    }

    fn push(&mut self, unit: [u8; 2]) -> io::Result<()> {
        let unit = match self.order {
            Order::Little => u16::from_le_bytes(unit),
            Order::Big => u16::from_be_bytes(unit),
        };
        if self.high.is_none() && (0xD800..0xDC00).contains(&unit) {
            self.high = Some(unit);
            return Ok(());
        }
        let units = self.high.take().into_iter().chain([unit]);
        for character in char::decode_utf16(units) {
            let character = character.map_err(|_| refused("has half of a character"))?;
            self.text.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(())
    }
}

fn is_end(error: &io::Error) -> bool {
    error.kind() == ErrorKind::UnexpectedEof
}

fn refused(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the UTF-16 text {why}"))
}

impl<R: BufRead> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // A code unit may be the first half of a character, which is no text yet.
        while self.text.is_empty() {
            self.advance()?;
            if self.text.is_empty() && self.high.is_none() {
                return Ok(0);
            }
        }
        self.text.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn read(bytes: &[u8], capacity: usize) -> Result<String, String> {
        let order = order(bytes).unwrap();
        let mut text = String::new();
        let mut utf16 = Utf16::new(BufReader::with_capacity(capacity, bytes), order);
        utf16.read_to_string(&mut text).map_err(|error| error.to_string())?;
        Ok(text)
    }

    fn bytes(text: &str, order: Order) -> Vec<u8> {
        let unit = |unit: u16| if order == Order::Little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn text_is_the_same_in_both_orders_however_it_is_buffered() {
        let text = "\u{feff}zeit,wärme\n1,2\n🌡,€\n";
        for order in [Order::Little, Order::Big] {
            for capacity in [1, 2, 3, 64] {
                assert_eq!(read(&bytes(text, order), capacity).unwrap(), text);
            }
        }
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let good = bytes("\u{feff}a🌡", Order::Little);
        assert_eq!(read(&good[..good.len() - 1], 64).unwrap_err(), "the UTF-16 text ends within a character");
        assert_eq!(read(&good[..good.len() - 2], 64).unwrap_err(), "the UTF-16 text ends within a character");
        let low = [0xFF, 0xFE, 0x00, 0xDC];
        assert_eq!(read(&low, 64).unwrap_err(), "the UTF-16 text has half of a character");
    }
}
