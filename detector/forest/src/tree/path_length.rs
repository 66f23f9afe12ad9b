//! Depths and sample counts in, path lengths out: Liu, Ting and Zhou, "Isolation Forest" (ICDM 2008), equation 1.
//!
//! Path lengths are kept in fixed point, in units of 2⁻⁴⁰. A sum of integers is the same in any order, so one row,
//! a batch, any number of threads and every SIMD kernel give the same score to the bit; the rounding (2⁻⁴¹ a tree)
//! moves a score by less than 4e-13.

/// Bits after the binary point of a [`PathLength`].
pub(crate) const FRACTION_BITS: i32 = 40;

/// A path length, or a sum of them, in units of 2⁻⁴⁰ edges.
pub(crate) type PathLength = u64;

/// The longest sum of path lengths that a forest may reach, in edges: far from overflow, and exact in `f64` arithmetic.
pub(crate) const MAX_SUM: f64 = (1 << 22) as f64;

/// c(n): the average path length of an unsuccessful search in a binary search tree of `samples` keys; 0 for none or
/// one, 1 for two.
pub fn average_path_length(samples: u32) -> f64 {
    const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;
    match samples {
        0 | 1 => 0.0,
        2 => 1.0,
        n => {
            let n = f64::from(n);
            2.0 * (libm::log(n - 1.0) + EULER_GAMMA) - 2.0 * (n - 1.0) / n
        }
    }
}

/// h: the edges to a leaf, plus the average path length that would isolate the `samples` rows left in it.
pub(crate) fn path_length(depth: u32, samples: u32) -> PathLength {
    fixed(f64::from(depth) + average_path_length(samples))
}

/// Converts edges, 0 or more, to fixed point.
pub(crate) fn fixed(edges: f64) -> PathLength {
    (edges * 2f64.powi(FRACTION_BITS)).round() as PathLength
}

/// Converts a path length to edges.
pub(crate) fn edges(length: PathLength) -> f64 {
    length as f64 * 2f64.powi(-FRACTION_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn average_path_lengths_are_those_of_the_paper() {
        assert_eq!([0, 1, 2].map(|n| average_path_length(n).to_bits()), [0.0f64, 0.0, 1.0].map(f64::to_bits));
        assert!((average_path_length(3) - 1.207_392_357_589_623).abs() < 1e-15);
        assert!((average_path_length(256) - 10.244_770_920_119_917).abs() < 1e-14);
    }
}
