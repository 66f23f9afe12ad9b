//! Random bits in, row numbers and other random numbers out, the same in every release.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

/// The mark of a free place in the hash set.
const FREE: usize = usize::MAX;

/// Draws rows without repetition (R. W. Floyd, in Bentley, "Programming Pearls", CACM 30(9), 1987).
pub(super) struct Draw {
    population: usize,
    count: usize,
    /// The rows drawn so far: a hash set with open addressing, a quarter full at most. The hash of the
    /// standard set, which withstands attacks, would take a third of the time that a forest takes to grow.
    drawn: Vec<usize>,
}

impl Draw {
    /// For `count` of `population` rows.
    pub(super) fn new(population: usize, count: usize) -> Self {
        let places = if count < population { (4 * count).next_power_of_two() } else { 0 };
        Self { population, count, drawn: vec![FREE; places] }
    }

    /// Writes `count` different row numbers to `rows`, in random order; in ascending order if they are all
    /// rows.
    pub(super) fn rows(&mut self, rng: &mut Xoshiro256PlusPlus, rows: &mut Vec<usize>) {
        rows.clear();
        if self.count == self.population {
            rows.extend(0..self.population);
            return;
        }
        self.drawn.fill(FREE);
        for last in self.population - self.count..self.population {
            let candidate = below(last + 1, rng);
            let row = if self.insert(candidate) { candidate } else { last };
            if row == last {
                self.insert(last);
            }
            rows.push(row);
        }
    }

    /// Inserts `row` into the set. False when it was there before.
    fn insert(&mut self, row: usize) -> bool {
        const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15; // Fibonacci hashing: Knuth, TAOCP vol. 3, 6.4
        let bits = self.drawn.len().ilog2();
        let mut place = ((row as u64).wrapping_mul(GOLDEN_RATIO) >> (u64::BITS - bits)) as usize;
        while self.drawn[place] != FREE && self.drawn[place] != row {
            place = (place + 1) % self.drawn.len();
        }
        std::mem::replace(&mut self.drawn[place], row) == FREE
    }
}

/// A number below `bound`, by multiplication: biased by less than `bound` / 2⁶⁴.
pub(super) fn below(bound: usize, rng: &mut Xoshiro256PlusPlus) -> usize {
    ((u128::from(rng.next_u64()) * bound as u128) >> 64) as usize
}

/// A number in [0, 1) with 53 random bits.
pub(super) fn unit(rng: &mut Xoshiro256PlusPlus) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_xoshiro::rand_core::SeedableRng;

    #[test]
    fn rows_are_drawn_without_repetition_and_each_as_often_as_any_other() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut draw = Draw::new(20, 10);
        let (mut rows, mut times) = (Vec::new(), [0; 20]);
        for _ in 0..2000 {
            draw.rows(&mut rng, &mut rows);
            for &row in &rows {
                times[row] += 1;
            }
            rows.sort_unstable();
            rows.dedup();
            assert_eq!(rows.len(), 10);
        }
        assert!(times.iter().all(|times| (900..1100).contains(times)), "{times:?}");
    }
}
