//! Scoring one row allocates nothing, once the kernel's tables are built.

use allocation_counter::measure;
use forest::{Forest, Params, Samples};

#[test]
fn one_row_is_scored_without_an_allocation() {
    for (columns, extension_level) in [(1, 0), (8, 0), (32, 0), (100, 0), (8, 1)] {
        let cells = (0..500 * columns).map(|i| (i as f64 * 0.7).sin()).collect();
        let samples = Samples::new(columns, cells).unwrap();
        let params = Params::new(100, 256, extension_level, 0).unwrap();
        let forest = Forest::fit(&samples, &params).unwrap();
        let first = forest.score(samples.row(0));
        let mut again = 0.0;
        let allocations = measure(|| again = forest.score(samples.row(0)));
        assert_eq!(allocations.count_total, 0, "{columns} columns, extension_level {extension_level}");
        assert_eq!(first.to_bits(), again.to_bits());
    }
}
