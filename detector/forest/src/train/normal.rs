//! Random bits in, standard normal numbers out, the same on every processor.
//!
//! The ziggurat of Doornik, "An Improved Ziggurat Method to Generate Normal Random Samples" (2005), with the
//! draws of the crate `rand_distr`, but with libm's logarithm and exponential function. `rand_distr` uses the
//! platform's functions as soon as any crate of a build enables them in `num-traits`, and platforms differ in
//! the last bit.

use super::draw::unit;
use super::ziggurat::{ENDS, TAIL};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

/// A number from the standard normal distribution.
pub(super) fn standard_normal(rng: &mut Xoshiro256PlusPlus) -> f64 {
    loop {
        let bits = rng.next_u64();
        let layer = (bits & 0xff) as usize;
        let side = in_binade(1024, bits) - 3.0; // in [-1, 1)
        let x = side * ENDS[layer];
        if x.abs() < ENDS[layer + 1] {
            return x;
        }
        if layer == 0 {
            return if side < 0.0 { -tail(rng) } else { tail(rng) };
        }
        let (outer, inner) = (density(ENDS[layer]), density(ENDS[layer + 1]));
        if inner + (outer - inner) * unit(rng) < density(x) {
            return x;
        }
    }
}

/// A number beyond [`TAIL`]: Marsaglia, "Generating a variable from the tail of the normal distribution" (Technometrics 6, 1964).
fn tail(rng: &mut Xoshiro256PlusPlus) -> f64 {
    loop {
        let x = libm::log(open_unit(rng)) / TAIL;
        let y = libm::log(open_unit(rng));
        if -2.0 * y >= x * x {
            return TAIL - x;
        }
    }
}

/// The density of the distribution, without its constant factor.
fn density(x: f64) -> f64 {
    libm::exp(-x * x / 2.0)
}

/// A number in (0, 1).
fn open_unit(rng: &mut Xoshiro256PlusPlus) -> f64 {
    in_binade(1023, rng.next_u64()) - (1.0 - f64::EPSILON / 2.0)
}

/// The number with this biased exponent and the upper 52 of `bits` as its fraction.
fn in_binade(exponent: u64, bits: u64) -> f64 {
    f64::from_bits(exponent << 52 | bits >> 12)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_distr::{Distribution, StandardNormal};
    use rand_xoshiro::rand_core::SeedableRng;

    /// The numbers differ where the platform's logarithm differs: in the last bit, for one in several
    /// thousand.
    #[test]
    fn numbers_are_those_of_rand_distr_but_for_the_last_bit_of_the_tail() {
        let mut ours = Xoshiro256PlusPlus::seed_from_u64(5);
        let mut theirs = ours.clone();
        for _ in 0..1_000_000 {
            let (number, expected): (f64, f64) =
                (standard_normal(&mut ours), StandardNormal.sample(&mut theirs));
            let is_same = number.to_bits() == expected.to_bits();
            assert!(
                is_same || expected.abs() > TAIL && (number - expected).abs() < 1e-15,
                "{number}, {expected}"
            );
        }
        assert_eq!(ours, theirs, "as many bits were drawn");
    }
}
