//! Any bytes: an artifact or an error. What opens is scored and written again.

#![no_main]

use forest::Artifact;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(artifact) = Artifact::from_bytes(bytes) else { return };
    if artifact.forest.columns() <= 1 << 16 {
        let row = vec![0.5; artifact.forest.columns()];
        let score = artifact.forest.score(&row);
        assert!((0.0..=1.0).contains(&score), "{score}");
        let shares: f64 = artifact.forest.contributions(&row).iter().sum();
        assert!((shares - 1.0).abs() < 1e-6, "{shares}");
    }
    let again = artifact.to_bytes().expect("what opened can be written");
    assert_eq!(Artifact::from_bytes(&again).expect("what was written opens"), artifact);
});
