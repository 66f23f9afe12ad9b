//! A seed, a sensor and a purpose in, random numbers out, each found by its index: in any order, in constant time.
//!
//! A `RandomStream` is keyed by SHA-256, and the numbers of an index are those of a `SplitMix64` (Steele, Lea and Flood, 2014)
//! that is seeded by key and index. Logarithm and cosine are `libm`'s, because those of the platform differ in the last
//! bit from one machine to the next, and so would everything drawn with `rand_distr`.

use std::f64::consts::{E, TAU};

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// The most events that [`Draws::poisson`] gives; the chance of more is below 1e-17.
const MAX_EVENTS: u32 = 18;

/// Random numbers by index; another seed, sensor or purpose gives an independent stream.
#[derive(Clone, Debug)]
pub struct RandomStream {
    key: u64,
}

/// The random numbers of one index of a [`RandomStream`].
pub struct Draws(SplitMix64);

impl RandomStream {
    /// The stream of this sensor for this purpose.
    pub fn new(seed: i64, sensor: &str, purpose: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update((sensor.len() as u64).to_le_bytes());
        hash.update(sensor);
        hash.update(purpose);
        let hash = hash.finalize();
        Self { key: u64::from_le_bytes(*hash.first_chunk().expect("SHA-256 has 32 bytes")) }
    }

    /// The numbers that belong to `index`, of which the lowest 64 bits count.
    #[inline]
    pub fn at(&self, index: i128) -> Draws {
        // The index is hashed before it is combined with the key: neighbouring indices of two streams must
        // not run through the same states.
        let hashed = SplitMix64::seed_from_u64(index as u64).next_u64();
        Draws(SplitMix64::seed_from_u64(self.key ^ hashed))
    }
}

impl Draws {
    /// Evenly distributed over [0, 1), a multiple of 2^-53.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Normally distributed, mean 0, standard deviation 1 (Box and Muller, 1958).
    pub fn normal(&mut self) -> f64 {
        let (radius, angle) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * libm::log(radius)).sqrt() * libm::cos(TAU * angle)
    }

    /// Close to normally distributed, mean 0, standard deviation 1, within ±3.47: four 16-bit numbers added up
    /// (Irwin and Hall, 1927), for a tenth of what [`Draws::normal`] costs.
    #[inline]
    pub fn nearly_normal(&mut self) -> f64 {
        /// The mean of the sum, and its standard deviation: sqrt(4 * (2^32 - 1) / 12).
        const MEAN: f64 = 2.0 * 65_535.0;
        const STANDARD_DEVIATION: f64 = 37_837.227_655_4;
        let bits = self.0.next_u64();
        let sum = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48);
        (sum as f64 - MEAN) / STANDARD_DEVIATION
    }

    /// Poisson distributed with mean 1: how many events fall into a span in which one is expected.
    pub fn poisson(&mut self) -> u32 {
        let mut left = self.uniform();
        let mut chance = 1.0 / E;
        let mut events = 0;
        while left >= chance && events < MAX_EVENTS {
            left -= chance;
            events += 1;
            chance /= f64::from(events);
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: i128 = 100_000;

    fn moments(draw: impl Fn(&mut Draws) -> f64) -> (f64, f64) {
        let stream = RandomStream::new(7, "temperature", "moments");
        let values: Vec<f64> = (0..DRAWS).map(|index| draw(&mut stream.at(index))).collect();
        let mean = values.iter().sum::<f64>() / DRAWS as f64;
        (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / DRAWS as f64)
    }

    fn assert_near(what: &str, got: f64, expected: f64, tolerance: f64) {
        assert!((got - expected).abs() < tolerance, "{what}: expected {expected} ± {tolerance}, got {got}");
    }

    #[test]
    fn uniform_normal_nearly_normal_and_poisson_have_their_mean_and_variance() {
        let cases = [
            ("uniform", moments(Draws::uniform), (0.5, 1.0 / 12.0)),
            ("normal", moments(Draws::normal), (0.0, 1.0)),
            ("nearly normal", moments(Draws::nearly_normal), (0.0, 1.0)),
            ("poisson", moments(|draws| f64::from(draws.poisson())), (1.0, 1.0)),
        ];
        for (name, got, (mean, variance)) in cases {
            assert_near(name, got.0, mean, 0.01);
            assert_near(name, got.1, variance, 0.02);
        }
    }

    #[test]
    fn normal_tails_are_as_heavy_as_the_normal_distribution_says() {
        let stream = RandomStream::new(7, "temperature", "tails");
        let beyond = |limit: f64| {
            (0..DRAWS).filter(|index| stream.at(*index).normal().abs() > limit).count() as f64 / DRAWS as f64
        };
        assert_near("beyond 1", beyond(1.0), 0.3173, 0.005);
        assert_near("beyond 2", beyond(2.0), 0.0455, 0.002);
        assert_near("beyond 3", beyond(3.0), 0.0027, 0.0005);
    }

    #[test]
    fn poisson_gives_each_count_its_share() {
        let stream = RandomStream::new(7, "temperature", "counts");
        let mut counts = [0.0; 19];
        for index in 0..DRAWS {
            counts[stream.at(index).poisson() as usize] += 1.0 / DRAWS as f64;
        }
        let mut expected = 1.0 / E;
        for (count, share) in counts[..8].iter().enumerate() {
            let deviation = (expected * (1.0 - expected) / DRAWS as f64).sqrt();
            assert_near(&format!("count {count}"), *share, expected, 5.0 * deviation);
            expected /= count as f64 + 1.0;
        }
    }

    #[test]
    fn another_seed_sensor_or_purpose_is_an_uncorrelated_stream() {
        let one = RandomStream::new(1, "a", "noise");
        for other in [
            RandomStream::new(2, "a", "noise"),
            RandomStream::new(1, "b", "noise"),
            RandomStream::new(1, "a", "fault"),
        ] {
            let products = (0..DRAWS).map(|index| one.at(index).normal() * other.at(index).normal());
            assert_near("correlation", products.sum::<f64>() / DRAWS as f64, 0.0, 0.01);
        }
    }

    #[test]
    fn neighbouring_indices_are_uncorrelated() {
        let stream = RandomStream::new(1, "a", "noise");
        let products = (0..DRAWS).map(|index| stream.at(index).normal() * stream.at(index + 1).normal());
        assert_near("correlation", products.sum::<f64>() / DRAWS as f64, 0.0, 0.01);
    }

    /// These numbers never change, so that a simulation gives the same readings in every release.
    #[test]
    fn the_streams_are_fixed_for_ever() {
        let stream = RandomStream::new(42, "temperature", "noise");
        let bits = |value: f64| format!("{:016x}", value.to_bits());
        let drawn = [
            bits(stream.at(0).uniform()),
            bits(stream.at(1_767_225_600_000_000_000).normal()),
            bits(stream.at(-1).nearly_normal()),
            stream.at(3).poisson().to_string(),
        ];
        insta::assert_snapshot!(drawn.join(" "), @"3fc8862258c876c4 bfe25b739b70b798 3fa5ebd834c43526 1");
    }
}
