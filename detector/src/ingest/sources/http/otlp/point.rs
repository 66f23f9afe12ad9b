//! A data point in; a sample out.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::ingest::sources::http::collector::Sample;

/// The flag of a data point that says that there is no value: where a series has ended.
const NO_RECORDED_VALUE: u64 = 1;
/// The most attributes of a data point, of a scope and of a resource: OpenTelemetry's own limit
/// (<https://opentelemetry.io/docs/specs/otel/common/#attribute-limits>).
pub(super) const MAX_ATTRIBUTES: usize = 128;

/// A data point.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Point {
    /// Nanoseconds since the Unix epoch.
    pub(super) time: u64,
    pub(super) double: Option<f64>,
    pub(super) integer: Option<i64>,
    pub(super) flags: u64,
}

impl Point {
    pub(super) fn sample(self) -> Sample {
        let value = self.double.or(self.integer.map(|integer| integer as f64));
        let is_recorded = self.flags & NO_RECORDED_VALUE == 0;
        Sample {
            time: Timestamp::from_nanosecond(self.time.into()).ok().filter(|_| self.time > 0),
            value: value.filter(|_| is_recorded).unwrap_or(f64::NAN),
        }
    }
}

/// The value of an attribute that is no string, as text.
pub(super) fn text<'a>(value: &impl ToString) -> Cow<'a, [u8]> {
    Cow::Owned(value.to_string().into_bytes())
}
