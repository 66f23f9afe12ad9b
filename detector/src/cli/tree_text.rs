//! A tree in; its splits and leaves as text for people, or in the language of Graphviz, out.

use std::fmt::Write;

use clap::ValueEnum;
use forest::tree::{Node, Tree};

use crate::features::pipeline::Recipe;

/// How a tree is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TreeFormat {
    /// One indented line per node.
    #[default]
    Text,
    /// The DOT language of Graphviz, for `dot -Tsvg`.
    Dot,
}

/// The names of a vector's columns: `temperature`, `temperature LogStdDev`, `temperature, 2 back`.
pub fn columns(sensors: &[String], recipe: &Recipe) -> Vec<String> {
    let features = &recipe.features;
    let name = |column: usize| {
        let sensor = &sensors[recipe.sensor_of(column, sensors.len())];
        let feature = match &features[column % features.len()] {
            crd::model::Feature::Value => String::new(),
            feature => format!(" {feature:?}"),
        };
        match column / (features.len() * sensors.len()) {
            0 => format!("{sensor}{feature}"),
            lag => format!("{sensor}{feature}, {lag} back"),
        }
    };
    (0..recipe.columns(sensors.len())).map(name).collect()
}

/// The tree as text: a line for each node, indented by its depth. The left child comes before the right one.
pub fn text(tree: &Tree, names: &[String]) -> String {
    let mut text = String::new();
    let mut open = vec![(0_u32, 0_usize)];
    while let Some((at, depth)) = open.pop() {
        let node = &tree.nodes()[at as usize];
        let _ = writeln!(text, "{}{}", "  ".repeat(depth), label(tree, node, names));
        if let Some([left, right]) = children(node) {
            open.extend([(right, depth + 1), (left, depth + 1)]);
        }
    }
    text
}

/// The tree in the language of Graphviz. Rows for which the condition of a node holds take its left edge.
pub fn dot(tree: &Tree, names: &[String]) -> String {
    let mut text = "digraph tree {\n  node [shape=box, fontname=sans];\n".to_owned();
    for (at, node) in tree.nodes().iter().enumerate() {
        let label = label(tree, node, names).replace('\\', "\\\\").replace('"', "\\\"");
        let _ = writeln!(text, "  n{at} [label=\"{label}\"];");
        for (child, edge) in children(node).into_iter().flatten().zip(["yes", "no"]) {
            let _ = writeln!(text, "  n{at} -> n{child} [label={edge}];");
        }
    }
    text + "}\n"
}

fn children(node: &Node) -> Option<[u32; 2]> {
    match node {
        Node::Split { left, right, .. } | Node::Plane { left, right, .. } => Some([*left, *right]),
        Node::Leaf { .. } => None,
    }
}

/// The condition of a split, which holds for the rows that go left; or the number of rows in a leaf.
fn label(tree: &Tree, node: &Node, names: &[String]) -> String {
    match node {
        Node::Split { column, threshold, .. } => format!("{} <= {threshold}", names[*column as usize]),
        Node::Plane { plane, .. } => {
            let plane = &tree.planes()[*plane as usize];
            let term = |term: &forest::tree::Term| {
                format!("{:.4} * ({} - {})", term.weight, names[term.column as usize], term.centre)
            };
            let terms: Vec<String> = plane.terms.iter().map(term).collect();
            format!("{} <= {:.4}", terms.join(" + "), plane.offset)
        }
        Node::Leaf { samples: 1 } => "1 row".to_owned(),
        Node::Leaf { samples } => format!("{samples} rows"),
    }
}

#[cfg(test)]
mod tests {
    use crd::model::Feature;

    use super::*;

    fn tree() -> Tree {
        let nodes = [
            Node::Split { column: 1, threshold: 2.5, left: 1, right: 2 },
            Node::Leaf { samples: 3 },
            Node::Split { column: 0, threshold: -1.0, left: 3, right: 4 },
            Node::Leaf { samples: 1 },
            Node::Leaf { samples: 4 },
        ];
        Tree::new(2, &nodes, Vec::new()).unwrap()
    }

    #[test]
    fn a_tree_is_text_or_a_graph() {
        let names = ["heat".to_owned(), "say \"flow\"".to_owned()];
        insta::assert_snapshot!(text(&tree(), &names), @r#"
        say "flow" <= 2.5
          3 rows
          heat <= -1
            1 row
            4 rows
        "#);
        insta::assert_snapshot!(dot(&tree(), &names), @r#"
        digraph tree {
          node [shape=box, fontname=sans];
          n0 [label="say \"flow\" <= 2.5"];
          n0 -> n1 [label=yes];
          n0 -> n2 [label=no];
          n1 [label="3 rows"];
          n2 [label="heat <= -1"];
          n2 -> n3 [label=yes];
          n2 -> n4 [label=no];
          n3 [label="1 row"];
          n4 [label="4 rows"];
        }
        "#);
    }

    #[test]
    fn columns_are_called_by_sensor_feature_and_lag() {
        let recipe = Recipe { features: vec![Feature::Value, Feature::LogStdDev], window: 2, lags: 1 };
        let names = columns(&["heat".to_owned(), "flow".to_owned()], &recipe);
        assert_eq!(names[..4], ["heat", "heat LogStdDev", "flow", "flow LogStdDev"]);
        assert_eq!(names[4..6], ["heat, 1 back", "heat LogStdDev, 1 back"]);
    }
}
