//! Prometheus' remote write, 1.0 and 2.0, in; the readings of the sensors that select its series, out.
//!
//! A body is one block of Snappy around protobuf: `prometheus.WriteRequest`
//! (<https://prometheus.io/docs/specs/prw/remote_write_spec/>) or `io.prometheus.write.v2.Request`
//! (<https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/>).

use std::borrow::Cow;

use jiff::Timestamp;

use super::collector::{Collector, Sample};
use super::inlet::Inlet;
use super::items::Items;
use super::series::{Label, Layer, Series};
use super::wire::{Fields, Value, WireError};

/// The most symbols of a request of 2.0, and labels of a series.
const MAX_SYMBOLS: usize = 1 << 18;
const MAX_LABELS: usize = 512;
/// The label that holds the metric's name.
const NAME: &[u8] = b"__name__";

/// The versions of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 1.0.
    One,
    /// 2.0.
    Two,
}

impl Version {
    /// The version of a Content-Type; none for any other type. Without a `proto` it is 1.0.
    pub fn of(content_type: &str) -> Option<Self> {
        let mut parts = content_type.split(';').map(str::trim);
        let is_protobuf = parts.next()?.eq_ignore_ascii_case("application/x-protobuf");
        let message = parts.find_map(|part| part.strip_prefix("proto=")).map(|name| name.trim_matches('"'));
        match message {
            _ if !is_protobuf => None,
            None | Some("prometheus.WriteRequest") => Some(Self::One),
            Some("io.prometheus.write.v2.Request") => Some(Self::Two),
            Some(_) => None,
        }
    }
}

/// The number of items of each kind in a request that count as written. Those that no sensor selects count
/// too: the spec leaves them out, and nothing failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Samples, also those that are refused.
    pub samples: usize,
    /// Native histograms, without those that are refused.
    pub histograms: usize,
    /// Exemplars. None of them is kept.
    pub exemplars: usize,
    /// Native histograms that are refused.
    pub refused_histograms: usize,
}

/// The readings and refused items of a body that arrived at `now`, and the counts of written items. The body
/// may have at most `most` bytes after decompression.
///
/// # Errors
/// The body is not Snappy, is too long, or is not a message of this version: one sentence.
pub fn items(
    body: &[u8],
    version: Version,
    inlet: &Inlet,
    most: usize,
    now: Timestamp,
) -> Result<(Items, Written), String> {
    let bytes = decompressed(body, most)?;
    let mut request = Request { collector: Collector::new(inlet, now), written: Written::default() };
    match version {
        Version::One => request.read_one(&bytes)?,
        Version::Two => request.read_two(&bytes)?,
    }
    Ok((request.collector.finish(), request.written))
}

/// The length of a body after decompression, in bytes: at most `most`.
///
/// # Errors
/// The body is not Snappy, or is longer: one sentence.
pub fn decompressed_length(body: &[u8], most: usize) -> Result<usize, String> {
    let length = snap::raw::decompress_len(body).map_err(|error| no_snappy(&error))?;
    if length > most {
        return Err(format!(
            "a request must have at most {most} bytes when it is decompressed, got {length}"
        ));
    }
    Ok(length)
}

fn decompressed(body: &[u8], most: usize) -> Result<Vec<u8>, String> {
    decompressed_length(body, most)?;
    snap::raw::Decoder::new().decompress_vec(body).map_err(|error| no_snappy(&error))
}

fn no_snappy(error: &snap::Error) -> String {
    format!("expected one block of Snappy: {error}")
}

/// A request that is being read.
struct Request<'a> {
    collector: Collector<'a>,
    written: Written,
}

impl Request<'_> {
    fn read_one(&mut self, bytes: &[u8]) -> Result<(), String> {
        let expected = |error: WireError| format!("expected a prometheus.WriteRequest: {error}");
        let mut labels = Layer::default();
        for series in Fields(bytes).of(1) {
            let series = series.map_err(expected)?;
            labels.clear();
            for label in Fields(series).of(1) {
                labels.push(label.and_then(label_of).map_err(expected)?);
                within(labels.len(), MAX_LABELS, "a series", "labels")?;
            }
            self.add(series, &mut labels, [2, 4, 3], expected)?;
        }
        Ok(())
    }

    fn read_two(&mut self, bytes: &[u8]) -> Result<(), String> {
        let expected = |error: WireError| format!("expected an io.prometheus.write.v2.Request: {error}");
        let mut symbols = Vec::new();
        for symbol in Fields(bytes).of(4) {
            symbols.push(symbol.map_err(expected)?);
            within(symbols.len(), MAX_SYMBOLS, "a request", "symbols")?;
        }
        let mut labels = Layer::default();
        for series in Fields(bytes).of(5) {
            let series = series.map_err(expected)?;
            labels.clear();
            let mut name = None;
            for reference in references(series) {
                let reference = reference.map_err(expected)?;
                let symbol = usize::try_from(reference).ok().and_then(|index| symbols.get(index));
                let symbol: &[u8] = symbol.ok_or_else(|| {
                    format!(
                        "labels_refs: there are {} symbols, got a reference to {reference}",
                        symbols.len()
                    )
                })?;
                match name.take() {
                    None => name = Some(symbol),
                    Some(name) => labels.push((name, Cow::Borrowed(symbol))),
                }
                within(labels.len(), MAX_LABELS, "a series", "labels")?;
            }
            if name.is_some() {
                return Err(
                    "labels_refs: expected names and values in turn, got a name at the end".to_owned()
                );
            }
            self.add(series, &mut labels, [2, 3, 4], expected)?;
        }
        Ok(())
    }

    /// Add a series with its labels. The array is the numbers of the fields that hold samples, histograms and
    /// exemplars.
    fn add(
        &mut self,
        message: &[u8],
        labels: &mut Layer,
        [samples, histograms, exemplars]: [u32; 3],
        expected: impl Fn(WireError) -> String,
    ) -> Result<(), String> {
        self.collector.begin_series();
        let mut unsupported = 0;
        for field in Fields(message) {
            match field.map_err(&expected)? {
                (field, Value::Bytes(bytes)) if field == samples => {
                    sample(bytes).map_err(&expected)?;
                    self.written.samples += 1;
                }
                (field, Value::Bytes(_)) if field == histograms => unsupported += 1,
                (field, Value::Bytes(_)) if field == exemplars => self.written.exemplars += 1,
                _ => {}
            }
        }
        let name = labels.remove(NAME).unwrap_or_default();
        let series = Series { name: &name, layers: &[&*labels] };
        if unsupported > 0 {
            let refused = self.collector.add_unsupported(series, unsupported, "a native histogram")?;
            self.written.refused_histograms += refused;
            self.written.histograms += unsupported - refused;
        }
        // The samples are parsed a second time instead of kept in memory: a request may have millions of
        // empty ones.
        let samples = Fields(message).filter_map(move |field| match field {
            Ok((field, Value::Bytes(bytes))) if field == samples => sample(bytes).ok(),
            _ => None,
        });
        self.collector.add(series, samples)
    }
}

fn within(count: usize, most: usize, of: &str, what: &str) -> Result<(), String> {
    if count > most { Err(format!("{of} must have at most {most} {what}")) } else { Ok(()) }
}

/// `prometheus.Label`.
fn label_of(bytes: &[u8]) -> Result<Label<'_>, WireError> {
    let mut label: Label = (&[], Cow::Borrowed(&[]));
    for field in Fields(bytes) {
        match field? {
            (1, Value::Bytes(name)) => label.0 = name,
            (2, Value::Bytes(value)) => label.1 = Cow::Borrowed(value),
            _ => {}
        }
    }
    Ok(label)
}

/// `prometheus.Sample`, the same in 2.0: a double, and milliseconds since the Unix epoch.
fn sample(bytes: &[u8]) -> Result<Sample, WireError> {
    let (mut value, mut milliseconds) = (0.0, 0);
    for field in Fields(bytes) {
        match field? {
            (1, Value::Fixed64(bits)) => value = f64::from_bits(bits),
            (2, Value::Varint(number)) => milliseconds = number.cast_signed(),
            _ => {}
        }
    }
    Ok(Sample { time: Timestamp::from_millisecond(milliseconds).ok(), value })
}

/// `labels_refs`: packed, as proto3 writes them, or one by one.
fn references(series: &[u8]) -> impl Iterator<Item = Result<u64, WireError>> {
    Fields(series).flat_map(|field| -> Box<dyn Iterator<Item = Result<u64, WireError>>> {
        match field {
            Ok((1, Value::Bytes(packed))) => Box::new(packed_integers(packed)),
            Ok((1, Value::Varint(reference))) => Box::new(std::iter::once(Ok(reference))),
            Ok(_) => Box::new(std::iter::empty()),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    })
}

fn packed_integers(mut bytes: &[u8]) -> impl Iterator<Item = Result<u64, WireError>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let integer = prost::encoding::decode_varint(&mut bytes);
        if integer.is_err() {
            bytes = &[];
        }
        Some(integer.map_err(|error| WireError::Key(error.to_string())))
    })
}

#[cfg(test)]
mod tests;
