//! A file's bytes in; a panic out if they are neither refused nor a valid forest.

/// Reads any bytes as a model. If they open, a row goes through the model's steps and is scored, and the
/// forest is written as ONNX.
pub fn check(bytes: &[u8]) {
    let Ok(imported) = interchange::read(bytes) else { return };
    let columns = imported.ensemble.columns();
    let cells = imported.cells(vec![0.5; imported.inputs()]);
    let cells: Vec<f32> = cells.into_iter().map(|cell| cell as f32).collect();
    assert!(cells.len() == columns && !cells.iter().any(|cell| cell.is_infinite()), "{cells:?}");
    let score = imported.ensemble.score(&cells);
    assert!(score > 0.0 && score <= 1.0, "{score}");
    assert!((0.0..=1.1).contains(&imported.threshold), "{}", imported.threshold);
    let names = vec![String::new(); columns];
    interchange::onnx::write(&imported.ensemble, imported.threshold, &names).expect("as many names as columns");
}
