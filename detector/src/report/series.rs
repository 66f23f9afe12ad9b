//! Numbers in; base64 for a page out, of few enough numbers to be drawn.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The most readings of all sensors together that are kept unchanged: 10 MiB of base64. Of more readings, the
/// least and the greatest of each few are kept.
const MAX_CELLS: usize = 2_000_000;

/// The readings of one of `sensors` sensors: `{low, high, stride}`, without `high` if it equals `low`.
pub(super) fn readings(values: &[f32], sensors: usize) -> Value {
    let cells = values.len() * sensors;
    if cells <= MAX_CELLS {
        return json!({ "low": floats(values), "stride": 1 });
    }
    let stride = (cells * 2).div_ceil(MAX_CELLS);
    let of = |choose: fn(f32, f32) -> f32| -> Vec<f32> {
        // `min` and `max` ignore NaN.
        values.chunks(stride).map(|few| few.iter().copied().fold(f32::NAN, choose)).collect()
    };
    json!({ "low": floats(&of(f32::min)), "high": floats(&of(f32::max)), "stride": stride })
}

/// Little-endian 32-bit floats in base64.
pub(super) fn floats(values: &[f32]) -> String {
    STANDARD.encode(values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
}

/// Times in milliseconds that never fall: `{start, step}` in seconds if they are regular, otherwise
/// `{start, steps}` with the milliseconds from each to the next.
pub(super) fn times(millis: &[i64]) -> Value {
    let start = millis.first().copied().unwrap_or_default();
    let seconds = |millis: i64| millis as f64 / 1000.0;
    let steps = || millis.windows(2).map(|pair| pair[1] - pair[0]);
    let first = steps().next().unwrap_or(1000);
    if steps().all(|step| step == first) {
        return json!({ "start": seconds(start), "step": seconds(first) });
    }
    let bytes = std::iter::once(0)
        .chain(steps())
        .flat_map(|step| u32::try_from(step).unwrap_or(u32::MAX).to_le_bytes());
    json!({ "start": seconds(start), "steps": STANDARD.encode(bytes.collect::<Vec<u8>>()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_times_are_a_start_and_a_step() {
        assert_eq!(times(&[1000, 3000, 5000]), json!({ "start": 1.0, "step": 2.0 }));
        assert_eq!(
            times(&[0, 1000, 4000])["steps"],
            STANDARD.encode([0, 0, 0, 0, 232, 3, 0, 0, 184, 11, 0, 0])
        );
        assert_eq!(times(&[]), json!({ "start": 0.0, "step": 1.0 }));
    }

    #[test]
    fn many_readings_are_kept_as_the_least_and_the_greatest_of_each_few() {
        let mut values = vec![1.0; 1_000_000];
        values[500_000] = 9.0;
        values[7] = f32::NAN;
        let kept = readings(&values, 4);
        assert_eq!(kept["stride"], 4);
        let high = STANDARD.decode(kept["high"].as_str().unwrap()).unwrap();
        assert_eq!((high.len(), &high[500_000..500_004]), (1_000_000, &9f32.to_le_bytes()[..]));
        assert_eq!(readings(&values[..10], 4)["stride"], 1);
    }
}
