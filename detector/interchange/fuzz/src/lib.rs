//! A file's bytes in; a panic out if they are neither refused nor a sound forest.

/// Reads any bytes. What opens is scored, and written as ONNX.
pub fn check(bytes: &[u8]) {
    let Ok(imported) = interchange::read(bytes) else { return };
    let columns = imported.ensemble.columns();
    let score = imported.ensemble.score(&vec![0.5; columns]);
    assert!(score > 0.0 && score <= 1.0, "{score}");
    assert!((0.0..=1.1).contains(&imported.threshold), "{}", imported.threshold);
    let names = vec![String::new(); columns];
    interchange::onnx::write(&imported.ensemble, imported.threshold, &names).expect("as many names as columns");
}
