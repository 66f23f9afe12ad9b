//! Readings in, verdicts out.
fn main() {}
