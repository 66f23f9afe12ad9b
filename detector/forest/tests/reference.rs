//! The forest against scikit-learn: the trees that it grew, the scores that it gave (written by `reference/make.py`).

#![allow(clippy::unwrap_used, reason = "tests")]

use forest::tree::{Node, threshold};
use forest::{Forest, Params, Samples, threshold::contamination};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    columns: usize,
    sample_size: u32,
    trees: Vec<Vec<ReferenceNode>>,
    rows: Vec<Vec<f64>>,
    scores: Vec<f64>,
    contamination: f64,
    training_rows: usize,
    scores_of_many_trees: Vec<f64>,
    cut: f64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ReferenceNode {
    Split { column: u32, threshold: f64, left: u32, right: u32 },
    Leaf { samples: u32 },
}

impl From<&ReferenceNode> for Node {
    fn from(node: &ReferenceNode) -> Self {
        match *node {
            ReferenceNode::Split { column, threshold: t, left, right } => {
                Self::Split { column, threshold: threshold(t), left, right }
            }
            ReferenceNode::Leaf { samples } => Self::Leaf { samples },
        }
    }
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("reference/scikit-learn.json")).unwrap()
}

fn forest(reference: &Reference) -> Forest {
    let trees = reference.trees.iter().map(|tree| tree.iter().map(Node::from).collect()).collect();
    Forest::from_trees(reference.columns, reference.sample_size, trees).unwrap()
}

#[test]
fn scores_are_those_of_scikit_learn_to_12_digits() {
    let reference = reference();
    let forest = forest(&reference);
    let rows = Samples::new(reference.columns, reference.rows.concat()).unwrap();
    assert_eq!(rows.len(), reference.scores.len());
    for (row, (score, expected)) in forest.scores(&rows).iter().zip(&reference.scores).enumerate() {
        assert!((score - expected).abs() <= 1e-12, "row {row}: {score}, not {expected}");
    }
}

#[test]
fn the_threshold_is_scikit_learns_to_the_digit() {
    let reference = reference();
    let training = &reference.scores[..reference.training_rows];
    let cut = contamination(training, reference.contamination).unwrap();
    assert_eq!(cut.to_bits(), reference.cut.to_bits());
}

/// Random numbers differ, and so do the trees; but the mean score in a thousand of them must not. (Its own
/// deviation is about 0.002.)
#[test]
fn a_forest_grown_here_scores_every_row_as_one_grown_by_scikit_learn() {
    let reference = reference();
    let rows = Samples::new(reference.columns, reference.rows.concat()).unwrap();
    let training = reference.rows[..reference.training_rows].concat();
    let training = Samples::new(reference.columns, training).unwrap();
    let grown = Forest::fit(&training, &Params::new(1000, 64, 0, 1).unwrap()).unwrap();
    // Scores by the leaves alone: scikit-learn does not look at ranges.
    let trees = grown.trees().iter().map(|tree| tree.nodes().to_vec()).collect();
    let leaves = Forest::from_trees(reference.columns, 64, trees).unwrap();
    assert_eq!(leaves.scores(&training), grown.scores(&training));
    for (row, (score, expected)) in
        leaves.scores(&rows).iter().zip(&reference.scores_of_many_trees).enumerate()
    {
        assert!((score - expected).abs() < 0.012, "row {row}: {score}, not about {expected}");
    }
}
